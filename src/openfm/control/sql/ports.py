"""What the routes of SQL need; `metering.sql` fulfils it."""

from collections.abc import Callable
from typing import BinaryIO, Protocol

from openfm.batch.memory import Models
from openfm.core.days import Days
from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlQuestion

ModelsOf = Callable[[str, Principal, str], Models]
"""Who answers a statement's questions, on behalf of its caller: by its id, the caller and the caller's token."""


class Sql(Protocol):
    """Answers questions about usage."""

    async def ask(self, question: SqlQuestion, caller: Principal, models: Models | None = None) -> SqlAnswer:
        """The answer, from the caller's own requests; an admin's from everybody's. A caller's questions take turns.

        `models` answer what it asks by `ai_query`. Raises `InvalidRequest` for what cannot be asked, `Unavailable` when
        too much is asked at once, `BatchError` for what the models did not answer.
        """
        ...

    async def export(self, days: Days, form: str, caller: Principal) -> BinaryIO:
        """A file of the rows that `ask` would find of these days, as `csv` or `parquet`; the reader closes it.

        Raises `InvalidParameterValue` for another form, and what `ask` does.
        """
        ...
