"""What the routes of SQL need; `metering.sql` fulfils it."""

from typing import BinaryIO, Protocol

from openfm.core.days import Days
from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlQuestion


class Sql(Protocol):
    """Answers questions about usage."""

    async def ask(self, question: SqlQuestion, caller: Principal) -> SqlAnswer:
        """The answer, from the caller's own requests; an admin's from everybody's. A caller's questions take turns.

        Raises `InvalidRequest` for what cannot be asked, `Unavailable` when too much is asked at once.
        """
        ...

    async def export(self, days: Days, form: str, caller: Principal) -> BinaryIO:
        """A file of the rows that `ask` would find of these days, as `csv` or `parquet`; the reader closes it.

        Raises `InvalidParameterValue` for another form, and what `ask` does.
        """
        ...
