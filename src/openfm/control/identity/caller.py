"""The caller of a management request, as a parameter of the handler."""

from typing import Annotated

from fastapi import Depends, Request

from openfm.control.identity.token_book import TokenBook
from openfm.core.principal import Principal
from openfm.wire.bearer import bearer_token, unknown_token


def _caller(request: Request) -> Principal:
    tokens: TokenBook = request.app.state.tokens
    principal = tokens.verify(bearer_token(request.scope["headers"]))
    if principal is None:
        raise unknown_token()
    return principal


Caller = Annotated[Principal, Depends(_caller)]
