"""Bearer token -> principal."""

from collections.abc import Iterable

from openfm.core.principal import Principal
from openfm.gateway.asgi import Header
from openfm.gateway.ports import TokenVerifier
from openfm.wire.bearer import bearer_token, unknown_token


def authenticate(headers: Iterable[Header], tokens: TokenVerifier) -> Principal:
    """The caller. Raises `Unauthenticated`."""
    principal = tokens.verify(bearer_token(headers))
    if principal is None:
        raise unknown_token()
    return principal
