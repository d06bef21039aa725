"""What every way of asking in SQL takes."""

from openfm.core.errors import InvalidParameterValue

_MOST_ROWS = 10_000
_LONGEST_QUESTION = 100_000


def question_text(given: str | None, field: str) -> str:
    """The question. Raises `InvalidParameterValue` for none, and for one that is too long."""
    if not given or not given.strip():
        raise InvalidParameterValue(f"{field} is missing: send a SELECT.", param=field)
    if len(given) > _LONGEST_QUESTION:
        raise InvalidParameterValue(f"{field} is longer than {_LONGEST_QUESTION} characters.", param=field)
    return given


def page_size(given: int | None, field: str) -> int:
    """How many rows are given at most. Raises `InvalidParameterValue`."""
    if given is None:
        return _MOST_ROWS
    if not 1 <= given <= _MOST_ROWS:
        raise InvalidParameterValue(f"{field} must be 1 to {_MOST_ROWS}.", param=field)
    return given
