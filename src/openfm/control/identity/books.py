"""The one way to change who may do what: a transaction, after which memory says what the database says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from openfm.control.identity.token_book import TokenBook
from openfm.control.permissions.book import GrantBook, read_grants
from openfm.control.tokens.loading import read_tokens
from openfm.store.database import Database, TakeOver


@dataclass(frozen=True, slots=True)
class Books:
    """The database of access, and what is kept of it in memory.

    `now_ms` is ms since the epoch; `beside` takes over what others keep of principals and grants.
    """

    database: Database
    tokens: TokenBook
    grants: GrantBook
    now_ms: Callable[[], int]
    beside: TakeOver

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """A transaction; what it commits is effective at the next request. Blocks."""
        with self.database.transaction(self.take_over) as connection:
            yield connection

    def reload(self) -> None:
        """Take over what was committed. Blocks."""
        with self.database.transaction(self.take_over):
            pass

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`."""
        grants = read_grants(connection)
        tokens = read_tokens(connection, grants, self.now_ms())  # by the new grants: who may use tokens is one
        others = self.beside(connection)

        def swap() -> None:
            self.grants.put(grants)
            self.tokens.put(tokens)
            others()

        return swap
