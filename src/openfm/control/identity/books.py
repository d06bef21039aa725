"""The one way to change who may do what: a transaction, after which memory says what the database says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from openfm.control.identity.token_book import TokenBook
from openfm.control.permissions.book import GrantBook
from openfm.store.database import Database


@dataclass(frozen=True, slots=True)
class Books:
    """The database of access, and what is kept of it in memory.

    `now_ms` is ms since the epoch; `on_change` lets others take over what was committed.
    """

    database: Database
    tokens: TokenBook
    grants: GrantBook
    now_ms: Callable[[], int]
    on_change: Callable[[], None]

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """A transaction; what it commits is effective at the next request. Blocks."""
        with self.database.transaction() as connection:
            yield connection
        self.reload()

    def reload(self) -> None:
        """Take over what was committed. Blocks."""
        self.grants.reload()  # first: who may use tokens at all is a grant
        self.tokens.reload()
        self.on_change()
