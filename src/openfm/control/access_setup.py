"""Access, put together: `server/state.py` opens one `Access`, the management API installs it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from openfm.control.identity.books import Books
from openfm.control.identity.principals import Principals, ensure_principals
from openfm.control.identity.scim_routes import make_router
from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.control.permissions import model_grant_routes, repository
from openfm.control.permissions import routes as permission_routes
from openfm.control.permissions.book import GrantBook
from openfm.control.permissions.model_grants import ModelPrivileges
from openfm.control.permissions.service import Permissions
from openfm.control.secrets import routes as secret_routes
from openfm.control.secrets.cipher import Cipher, ensure_secret_key
from openfm.control.secrets.service import SecretStore
from openfm.control.sessions import routes as session_routes
from openfm.control.sessions.service import Sessions
from openfm.control.tokens import oauth_routes
from openfm.control.tokens import routes as token_routes
from openfm.control.tokens.oauth import ClientSecrets
from openfm.control.tokens.service import Tokens
from openfm.store.database import Database, TakeOver


@dataclass(frozen=True, slots=True)
class Access:
    """Who calls and what they may do.

    `token_book` and `grants` answer from memory; everything else works on the database, and blocks.
    """

    token_book: TokenBook
    grants: GrantBook
    secrets: SecretStore
    principals: Principals
    tokens: Tokens
    client_secrets: ClientSecrets
    permissions: Permissions
    model_privileges: ModelPrivileges
    sessions: Sessions

    def install(self, api: FastAPI) -> None:
        """Add the routes."""
        api.state.access = self
        api.state.sessions = self.sessions
        api.include_router(make_router())
        for router in (
            token_routes.router,
            oauth_routes.router,
            permission_routes.router,
            model_grant_routes.router,
            secret_routes.router,
            session_routes.router,
        ):
            api.include_router(router)

    def close(self) -> None:
        """Keep what is only in memory: when tokens were last used. Blocks."""
        self.tokens.flush_use()


@dataclass(frozen=True, slots=True)
class AccessView:
    """Access as another process keeps it: read, changed by nobody here. Empty until `reload`."""

    token_book: TokenBook
    grants: GrantBook
    secrets: SecretStore
    books: Books

    def reload(self) -> None:
        """Take over what was committed. Blocks."""
        self.books.reload()


def view_access(
    database: Database, home: Path, admin_token: str, now_ms: Callable[[], int], beside: TakeOver
) -> AccessView:
    """For a process beside the one that called `open_access`; `beside` as there."""
    grants, tokens = GrantBook(), TokenBook({admin_token: ADMIN}, now_ms)
    books = Books(database, tokens, grants, now_ms, beside)
    return AccessView(tokens, grants, SecretStore(books, Cipher(ensure_secret_key(home))), books)


def open_access(
    database: Database, home: Path, admin_token: str, now_ms: Callable[[], int], beside: TakeOver
) -> Access:
    """Make what every workspace has, and read the rest. Blocks.

    `now_ms` is ms since the epoch; `beside` takes over what others keep of principals and grants, at each change of
    them and now.
    """
    ensure_principals(database, now_ms())
    with database.transaction() as connection:
        repository.delete_model_leftovers(connection)
    grants, tokens = GrantBook(), TokenBook({admin_token: ADMIN}, now_ms)
    books = Books(database, tokens, grants, now_ms, beside)
    books.reload()
    cipher = Cipher(ensure_secret_key(home))
    return Access(
        token_book=tokens,
        grants=grants,
        secrets=SecretStore(books, cipher),
        sessions=Sessions(tokens, cipher),
        principals=Principals(books),
        tokens=Tokens(books),
        client_secrets=ClientSecrets(books),
        permissions=Permissions(books),
        model_privileges=ModelPrivileges(books),
    )
