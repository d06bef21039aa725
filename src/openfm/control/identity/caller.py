"""The caller of a management request, as a parameter of the handler."""

from typing import Annotated

from fastapi import Depends, Request

from openfm.control.identity.token_book import TokenBook
from openfm.core.principal import Principal
from openfm.wire.bearer import bearer_token, unknown_token


def caller_of(request: Request) -> Principal:
    """The owner of the request's token. Raises `Unauthenticated`."""
    tokens: TokenBook = request.app.state.access.token_book
    principal = tokens.verify(bearer_token(request.scope["headers"]))
    if principal is None:
        raise unknown_token()
    return principal


Caller = Annotated[Principal, Depends(caller_of)]
