"""Names and comments from outside: what the database keeps and a terminal can show."""

from openfm.core.errors import InvalidParameterValue

LONGEST_NAME = 256


def checked_name(text: str | None, field: str, longest: int = LONGEST_NAME) -> str:
    """The text. Raises `InvalidParameterValue` when it is missing, too long or not printable."""
    if not text or text != text.strip() or len(text) > longest or not text.isprintable():
        raise InvalidParameterValue(
            f"{field} must be 1 to {longest} printable characters, without spaces around them.", param=field
        )
    return text


def checked_comment(text: str | None, longest: int = LONGEST_NAME) -> str:
    """The text; None is empty. Raises `InvalidParameterValue` when it is too long or not printable."""
    comment = text or ""
    if len(comment) > longest or not comment.isprintable():
        raise InvalidParameterValue(f"comment may have {longest} printable characters.", param="comment")
    return comment
