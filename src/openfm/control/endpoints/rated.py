"""Whom an endpoint's rate limits name: each must be there, or the limit would bind nobody and nobody would notice."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from openfm.control.identity import repository as identity
from openfm.core.endpoint import EndpointDetails
from openfm.core.errors import InvalidParameterValue
from openfm.core.principal import PrincipalKind

_KINDS = {
    "user": PrincipalKind.USER,
    "service_principal": PrincipalKind.SERVICE_PRINCIPAL,
    "user_group": PrincipalKind.GROUP,
}


def check_rated(connection: Connection, details: EndpointDetails, before: EndpointDetails | None = None) -> None:
    """Raise `InvalidParameterValue` for a principal that does not exist; one that was named `before` may be gone."""
    known = set() if before is None else set(_rated(before))
    for kind, name in _rated(details):
        if (kind, name) not in known and identity.find_named(connection, kind, name) is None:
            raise InvalidParameterValue(
                f"A rate limit is for '{name}', and there is no {kind} of that name. Create it first, or name another.",
                param="rate_limits.principal",
            )


def _rated(details: EndpointDetails) -> Iterator[tuple[PrincipalKind, str]]:
    gateway: Any = details.ai_gateway or {}
    limits: list[Any] = [*details.rate_limits, *(gateway.get("rate_limits") or ())]
    for limit in limits:
        if limit.get("principal") and limit.get("key") in _KINDS:
            yield _KINDS[limit["key"]], str(limit["principal"])
