"""The caller of a management request, as a parameter of the handler."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request

from openfm.control.identity.token_book import TokenBook
from openfm.core.principal import Principal
from openfm.wire.bearer import bearer_token, unknown_token


def verified(tokens: TokenBook, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
    """The owner of the request's token. Raises `Unauthenticated`."""
    principal = tokens.verify(bearer_token(headers))
    if principal is None:
        raise unknown_token()
    return principal


def caller_of(request: Request) -> Principal:
    """The owner of the request's token. Raises `Unauthenticated`."""
    return verified(request.app.state.access.token_book, request.scope["headers"])


Caller = Annotated[Principal, Depends(caller_of)]
