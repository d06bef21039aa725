"""Route families: which client family a route speaks to, and what differs on the wire because of it."""

from enum import Enum, StrEnum


class ErrorShape(Enum):
    """How an error body looks (databricks_api: clients disagree, so each family gets what it parses)."""

    OPENAI = "error"
    DATABRICKS = "error_code, message"
    BOTH = "error, error_code, message"


class Manner(StrEnum):
    """A route family.

    OPENAI is `/v1`, strictly as OpenAI; DATABRICKS the OpenAI-like routes under `/serving-endpoints`, whose bodies
    follow recorded Databricks traffic; INVOCATIONS `/serving-endpoints/{name}/invocations`, the same bodies with
    Databricks' own errors.
    """

    OPENAI = "openai"
    DATABRICKS = "databricks"
    INVOCATIONS = "invocations"

    @property
    def error_shape(self) -> ErrorShape:
        """The error body that this family's clients parse."""
        return _ERROR_SHAPES[self]


_ERROR_SHAPES = {
    Manner.OPENAI: ErrorShape.OPENAI,
    Manner.DATABRICKS: ErrorShape.BOTH,
    Manner.INVOCATIONS: ErrorShape.DATABRICKS,
}


class UsageStyle(Enum):
    """Where a stream carries `usage`: nowhere, in a last chunk without choices, or cumulative in every chunk."""

    NONE = "none"
    FINAL_CHUNK = "final"
    EVERY_CHUNK = "every"


def usage_style(manner: Manner, *, include_usage: bool | None) -> UsageStyle:
    """OpenAI's form where `stream_options.include_usage` asks for it, else the family's own default."""
    if include_usage:
        return UsageStyle.FINAL_CHUNK
    return UsageStyle.NONE if manner is Manner.OPENAI else UsageStyle.EVERY_CHUNK


class ReasoningStyle(StrEnum):
    """How the thoughts of a reasoning model appear on the Databricks routes (`/v1` has a text field always)."""

    TEXT = "text"
    BLOCKS = "blocks"
