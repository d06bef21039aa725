"""Access on a database of its own, with a clock that stands still until it is told to go on."""

from dataclasses import dataclass, replace
from pathlib import Path

from openfm.control.access_setup import Access, open_access
from openfm.control.budgets.service import BudgetBook
from openfm.control.identity.scim_resources import parse_draft
from openfm.control.limits.service import LimitBook
from openfm.control.limits.weights import WeightBook
from openfm.control.tokens.service import TokenRequest
from openfm.core.principal import Principal, PrincipalKind
from openfm.server.state import all_of
from openfm.store.database import Database

ADMIN_TOKEN = "dapi-admin"


@dataclass
class Clock:
    """Milliseconds since the epoch."""

    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


class World:
    """An opened access."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.clock = Clock()
        self.database = Database(url or f"sqlite:///{folder / 'openfm.db'}")
        self.database.migrate()
        self.limits = LimitBook(self.database)
        self.weights = WeightBook(self.database)
        self.budgets = BudgetBook(self.database, lambda: self.clock.now * 1000)
        self.access: Access = self.reopened()

    def reopened(self) -> Access:
        """As after a restart."""
        return open_access(
            self.database,
            self.folder,
            ADMIN_TOKEN,
            self.clock,
            all_of(self.limits.take_over, self.weights.take_over, self.budgets.take_over),
        )

    @property
    def admin(self) -> Principal:
        """The bootstrap admin."""
        return self.caller(ADMIN_TOKEN)

    def caller(self, token: str) -> Principal:
        """The token's owner."""
        found = self.access.token_book.verify(token)
        assert found is not None
        return found

    def is_known(self, token: str) -> bool:
        """Whether the token opens anything."""
        return self.access.token_book.verify(token) is not None

    def user(self, name: str) -> str:
        """A new user's id."""
        return self.access.principals.create(
            PrincipalKind.USER, parse_draft(PrincipalKind.USER, {"userName": name})
        ).record.id

    def group(self, name: str, *member_ids: str) -> str:
        """A new group's id."""
        members = [{"value": member} for member in member_ids]
        draft = parse_draft(PrincipalKind.GROUP, {"displayName": name, "members": members})
        return self.access.principals.create(PrincipalKind.GROUP, draft).record.id

    def token(self, name: str, lifetime_s: int | None = None) -> str:
        """A new token of a user or service principal."""
        request = TokenRequest(lifetime_s=lifetime_s)
        return self.access.tokens.create_for(self.admin, name, request).value

    def signed_in(self, name: str) -> Principal:
        """A new user, as it calls."""
        self.user(name)
        return replace(self.caller(self.token(name)), token_id=None)
