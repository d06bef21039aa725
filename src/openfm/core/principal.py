"""Who calls, and what they may do."""

from dataclasses import dataclass
from enum import IntEnum


class PermissionLevel(IntEnum):
    """Levels on an endpoint; each includes the one before (Databricks: serving endpoint ACLs)."""

    CAN_VIEW = 1
    CAN_QUERY = 2
    CAN_MANAGE = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or service principal. `name` is what audit and usage show."""

    id: str
    name: str
    is_admin: bool = False
