"""What the routes of SQL need; `metering.sql` fulfils it."""

from typing import Protocol

from openfm.core.principal import Principal
from openfm.core.sql import SqlAnswer, SqlQuestion


class Sql(Protocol):
    """Answers questions about usage."""

    def ask(self, question: SqlQuestion, caller: Principal) -> SqlAnswer:
        """The answer, from the caller's own requests; an admin's from everybody's. Blocks.

        Raises `InvalidRequest` for what cannot be asked, `Unavailable` when too much is asked at once.
        """
        ...
