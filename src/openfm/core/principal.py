"""Who calls, and what they may do."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class PermissionLevel(IntEnum):
    """Levels on an endpoint; each includes the one before (Databricks: serving endpoint ACLs)."""

    CAN_VIEW = 1
    CAN_QUERY = 2
    CAN_MANAGE = 3


class PrincipalKind(StrEnum):
    """What kind of principal it is; the values are SCIM's resource types. A group never calls."""

    USER = "User"
    SERVICE_PRINCIPAL = "ServicePrincipal"
    GROUP = "Group"


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or service principal.

    `name` is what audit and usage show: a user's name (mostly an e-mail address), a service principal's application id.
    `groups` are the names of the groups it is in. `token_id` is that of the access token it came with, if any.
    """

    id: str
    name: str
    is_admin: bool = False
    kind: PrincipalKind = PrincipalKind.USER
    groups: frozenset[str] = frozenset()
    token_id: str | None = None
