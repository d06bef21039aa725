"""The bearer token of a request, for both planes. No cookies, no query parameters."""

from collections.abc import Iterable

from openfm.core.errors import Unauthenticated

_HOW = "Send the header 'Authorization: Bearer TOKEN' with an openfm access token."


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The token. Raises `Unauthenticated` when there is none, or more than one header."""
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        raise Unauthenticated(f"No access token was sent. {_HOW}")
    scheme, _, token = given[0].decode("latin-1").partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(f"The Authorization header is not a bearer token. {_HOW}")
    return token.strip()


def unknown_token() -> Unauthenticated:
    """The error for a token that nobody owns."""
    return Unauthenticated(f"The access token is not known here, was revoked or has expired. {_HOW}")
