"""What grants are on, and which levels there are on it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ObjectType(StrEnum):
    """What a grant is on; kept in the database."""

    ENDPOINT = "serving-endpoint"
    TOKENS = "authorization"
    MODEL = "registered-model"
    SCOPE = "secret-scope"


ALL_TOKENS = "tokens"
"""The one object of type TOKENS."""

EXECUTE, MANAGE, ALL_PRIVILEGES = "EXECUTE", "MANAGE", "ALL_PRIVILEGES"
MODEL_PRIVILEGES = (ALL_PRIVILEGES, EXECUTE, MANAGE)
"""On a registered model (Unity Catalog: ALL_PRIVILEGES does not include MANAGE)."""

SCOPE_LEVELS = ("READ", "WRITE", MANAGE)
"""On a secret scope; each includes the one before."""

CAN_USE, CAN_MANAGE = "CAN_USE", "CAN_MANAGE"

LEVEL_HELP: Mapping[ObjectType, Mapping[str, str]] = MappingProxyType(
    {
        ObjectType.ENDPOINT: {
            "CAN_VIEW": "Can see the serving endpoint.",
            "CAN_QUERY": "Can see and query the serving endpoint.",
            CAN_MANAGE: "Can see, query, update and delete the serving endpoint, and change its permissions.",
        },
        ObjectType.TOKENS: {CAN_USE: "Can create and use personal access tokens."},
    }
)
"""What clients may set through `/api/2.0/permissions`, with Databricks' words for it, the lowest first."""
