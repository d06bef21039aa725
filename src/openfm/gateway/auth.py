"""Bearer token -> principal. The data plane takes nothing else: no cookies, no query parameters."""

from collections.abc import Iterable

from openfm.core.errors import Unauthenticated
from openfm.core.principal import Principal
from openfm.gateway.ports import TokenVerifier

_HOW = "Send the header 'Authorization: Bearer TOKEN' with an openfm access token."


def authenticate(headers: Iterable[tuple[bytes, bytes]], tokens: TokenVerifier) -> Principal:
    """The caller. Raises `Unauthenticated`."""
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        raise Unauthenticated(f"No access token was sent. {_HOW}")
    scheme, _, token = given[0].decode("latin-1").partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(f"The Authorization header is not a bearer token. {_HOW}")
    principal = tokens.verify(token.strip())
    if principal is None:
        raise Unauthenticated(f"The access token is not known here, was revoked or has expired. {_HOW}")
    return principal
