"""Who may call which route: the one table, and its enforcement. A route without a row answers nobody.

Where a right is on what a body or a query names (a model, a secret scope, one's own token), the row says which right it
is, and the service that finds the thing judges; the caller is known by then.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType

from fastapi import Request

from openfm.control.identity.caller import caller_of
from openfm.control.permissions.ports import EndpointIds
from openfm.core.errors import PermissionDenied
from openfm.core.principal import PermissionLevel


class Who(Enum):
    """Who may, in words."""

    ANYBODY = "anybody, without a token"
    BEARER_OF_URL = "whoever has the URL, which was made for one who may, and ends soon"
    CALLER = "every user and service principal"
    OWN = "every user and service principal, for what is its own"
    CAN_VIEW = "CAN_VIEW on the endpoint"
    CAN_QUERY = "CAN_QUERY on the endpoint"
    CAN_MANAGE = "CAN_MANAGE on the endpoint"
    EXECUTE = "EXECUTE on the model"
    MANAGE = "MANAGE on the model"
    SCOPE = "READ, WRITE or MANAGE on the secret scope"
    ADMIN = "admins"
    METRICS = "admins; anybody on this machine, where nobody else reaches the server"


# Lists show each caller what it may see. One who creates a thing owns it. Everybody may read the names of principals:
# to share something, one must name somebody.
_MANAGEMENT_TABLE = """
CALLER         GET POST          /api/2.0/serving-endpoints
CALLER         GET POST          /api/2.0/serving-endpoints/
CALLER         POST              /api/2.0/serving-endpoints/pt
CALLER         GET               /api/2.0/serving-endpoints:foundation-models
CAN_VIEW       GET               /api/2.0/serving-endpoints/{name}
CAN_VIEW       GET               /api/2.0/serving-endpoints/{name}/
CAN_VIEW       GET               /api/2.0/serving-endpoints/{name}/openapi
CAN_VIEW       GET               /api/2.0/serving-endpoints/{name}/metrics
CAN_VIEW       GET               /api/2.0/serving-endpoints/{name}/events
CAN_VIEW       GET               /api/2.0/serving-endpoints/{name}/served-models/{served}/logs
CAN_VIEW       GET               /api/2.0/serving-endpoints/{name}/served-models/{served}/build-logs
CAN_MANAGE     DELETE            /api/2.0/serving-endpoints/{name}
CAN_MANAGE     PUT               /api/2.0/serving-endpoints/{name}/config
CAN_MANAGE     PUT               /api/2.0/serving-endpoints/pt/{name}/config
CAN_MANAGE     POST              /api/2.0/serving-endpoints/{name}/config:stop
CAN_MANAGE     POST              /api/2.0/serving-endpoints/{name}/config:start
CAN_MANAGE     POST              /api/2.0/serving-endpoints/{name}/config:cancel
CAN_MANAGE     PATCH             /api/2.0/serving-endpoints/{name}/tags
CAN_MANAGE     PUT               /api/2.0/serving-endpoints/{name}/rate-limits
CAN_MANAGE     PUT               /api/2.0/serving-endpoints/{name}/ai-gateway
CAN_MANAGE     PATCH             /api/2.0/serving-endpoints/{name}/notifications
CAN_MANAGE     PATCH             /api/2.0/serving-endpoints/{name}/description
CAN_MANAGE     PATCH             /api/2.0/serving-endpoints/{name}/budget-policy
CAN_MANAGE     PATCH             /api/2.0/serving-endpoints/{name}/telemetry-config
EXECUTE        GET               /api/2.0/serving-endpoints/get-model-optimization-info/{name}/{version}

CAN_VIEW       GET               /api/2.0/permissions/serving-endpoints/{endpoint_id}
CAN_MANAGE     PUT PATCH         /api/2.0/permissions/serving-endpoints/{endpoint_id}
CAN_VIEW       GET               /api/2.0/permissions/serving-endpoints/{endpoint_id}/permissionLevels
ADMIN          GET PUT PATCH     /api/2.0/permissions/authorization/tokens
ADMIN          GET               /api/2.0/permissions/authorization/tokens/permissionLevels

CALLER         GET               /api/2.0/preview/scim/v2/Me
CALLER         GET               /api/2.0/preview/scim/v2/Users
ADMIN          POST              /api/2.0/preview/scim/v2/Users
CALLER         GET               /api/2.0/preview/scim/v2/Users/{identifier}
ADMIN          PUT PATCH DELETE  /api/2.0/preview/scim/v2/Users/{identifier}
CALLER         GET               /api/2.0/preview/scim/v2/Groups
ADMIN          POST              /api/2.0/preview/scim/v2/Groups
CALLER         GET               /api/2.0/preview/scim/v2/Groups/{identifier}
ADMIN          PUT PATCH DELETE  /api/2.0/preview/scim/v2/Groups/{identifier}
CALLER         GET               /api/2.0/preview/scim/v2/ServicePrincipals
ADMIN          POST              /api/2.0/preview/scim/v2/ServicePrincipals
CALLER         GET               /api/2.0/preview/scim/v2/ServicePrincipals/{identifier}
ADMIN          PUT PATCH DELETE  /api/2.0/preview/scim/v2/ServicePrincipals/{identifier}

OWN            POST              /api/2.0/token/create
OWN            GET               /api/2.0/token/list
OWN            POST              /api/2.0/token/delete
OWN            PATCH             /api/2.0/token/{token_id}
ADMIN          GET               /api/2.0/token-management/tokens
ADMIN          GET PATCH DELETE  /api/2.0/token-management/tokens/{token_id}
ADMIN          POST              /api/2.0/token-management/on-behalf-of/tokens
ADMIN          GET POST          /api/2.0/accounts/servicePrincipals/{service_principal_id}/credentials/secrets
ADMIN          DELETE            /api/2.0/accounts/servicePrincipals/{service_principal_id}/credentials/secrets/{secret_id}
ANYBODY        GET               /oidc/.well-known/oauth-authorization-server
ANYBODY        POST              /oidc/v1/token
ANYBODY        GET HEAD          /api/openapi.json
ANYBODY        GET POST DELETE   /ui/session

CALLER         POST              /api/2.0/secrets/scopes/create
SCOPE          GET               /api/2.0/secrets/scopes/list
SCOPE          POST              /api/2.0/secrets/scopes/delete
SCOPE          POST              /api/2.0/secrets/put
SCOPE          GET               /api/2.0/secrets/list
SCOPE          GET               /api/2.0/secrets/get
SCOPE          POST              /api/2.0/secrets/delete
SCOPE          GET               /api/2.0/secrets/acls/list
SCOPE          GET               /api/2.0/secrets/acls/get
SCOPE          POST              /api/2.0/secrets/acls/put
SCOPE          POST              /api/2.0/secrets/acls/delete

CALLER         GET POST          /api/2.1/unity-catalog/models
EXECUTE        GET               /api/2.1/unity-catalog/models/{full_name}
MANAGE         PATCH DELETE      /api/2.1/unity-catalog/models/{full_name}
EXECUTE        GET               /api/2.1/unity-catalog/models/{full_name}/aliases/{alias}
MANAGE         PUT DELETE        /api/2.1/unity-catalog/models/{full_name}/aliases/{alias}
CALLER         GET               /api/2.1/unity-catalog/catalogs
CALLER         GET               /api/2.1/unity-catalog/schemas
MANAGE         POST              /api/2.1/unity-catalog/models/versions
EXECUTE        GET               /api/2.1/unity-catalog/models/{full_name}/versions
EXECUTE        GET               /api/2.1/unity-catalog/models/{full_name}/versions/{version}
MANAGE         PATCH DELETE      /api/2.1/unity-catalog/models/{full_name}/versions/{version}
MANAGE         PATCH             /api/2.1/unity-catalog/models/{full_name}/versions/{version}/finalize
CALLER         POST              /api/2.1/unity-catalog/temporary-model-version-credentials
EXECUTE        GET               /api/2.1/unity-catalog/permissions/{securable_type}/{full_name}
MANAGE         PATCH             /api/2.1/unity-catalog/permissions/{securable_type}/{full_name}
EXECUTE        GET               /api/2.1/unity-catalog/privilege-assignments/{securable_type}/{full_name}
EXECUTE        GET               /api/2.1/unity-catalog/effective-permissions/{securable_type}/{full_name}

CALLER         POST              /api/2.0/openfm/models/{full_name}/register
MANAGE         POST              /api/2.0/openfm/models/{full_name}/{version}/have
CALLER         GET               /api/2.0/openfm/prices
ADMIN          POST              /api/2.0/openfm/prices
CALLER         GET               /api/2.0/openfm/limits
CALLER         GET               /api/2.0/openfm/limits/platform
ADMIN          PUT               /api/2.0/openfm/limits
ADMIN          DELETE            /api/2.0/openfm/limits/{limit_id}
ADMIN          PUT DELETE        /api/2.0/openfm/limits/weights
CALLER         GET               /api/2.0/openfm/budgets
CALLER         GET               /api/2.0/openfm/budgets/{budget}
ADMIN          PUT DELETE        /api/2.0/openfm/budgets/{budget}
OWN            GET               /api/2.0/openfm/usage/invoice
OWN            POST              /api/2.0/openfm/sql
OWN            GET               /api/2.0/openfm/usage/export
OWN            POST              /api/2.0/sql/statements
OWN            POST              /api/2.0/sql/statements/
OWN            GET               /api/2.0/sql/statements/{statement_id}
OWN            GET               /api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}
OWN            POST              /api/2.0/sql/statements/{statement_id}/cancel
ADMIN          GET POST          /api/2.0/openfm/calibrations
ADMIN          GET DELETE        /api/2.0/openfm/calibrations/{calibration_id}
EXECUTE        GET               /api/2.0/openfm/models/{full_name}/{version}/throughput-profiles
ADMIN          GET               /api/2.0/openfm/capacity
EXECUTE        GET               /api/2.0/openfm/plan
EXECUTE        GET               /api/2.0/openfm/serving-estimate
CAN_VIEW       GET               /api/2.0/openfm/endpoints/{name}/report
CAN_VIEW       GET               /api/2.0/openfm/endpoints/{name}/history
OWN            GET               /api/2.0/openfm/usage/report
OWN            GET               /api/2.0/openfm/usage/corrections
ADMIN          POST              /api/2.0/openfm/usage/corrections
ADMIN          GET POST          /api/2.0/openfm/usage/retention
CAN_MANAGE     GET               /api/2.0/openfm/inference-tables/{name}
CAN_MANAGE     GET               /api/2.0/openfm/inference-tables/{name}/{request_id}

CALLER         POST              /api/2.0/mlflow/unity-catalog/registered-models/create
EXECUTE        GET               /api/2.0/mlflow/unity-catalog/registered-models/get
MANAGE         PATCH             /api/2.0/mlflow/unity-catalog/registered-models/update
MANAGE         DELETE            /api/2.0/mlflow/unity-catalog/registered-models/delete
CALLER         GET               /api/2.0/mlflow/unity-catalog/registered-models/search
MANAGE         POST              /api/2.0/mlflow/unity-catalog/model-versions/create
EXECUTE        GET               /api/2.0/mlflow/unity-catalog/model-versions/get
MANAGE         PATCH             /api/2.0/mlflow/unity-catalog/model-versions/update
MANAGE         DELETE            /api/2.0/mlflow/unity-catalog/model-versions/delete
CALLER         GET               /api/2.0/mlflow/unity-catalog/model-versions/search
MANAGE         POST              /api/2.0/mlflow/unity-catalog/model-versions/finalize
EXECUTE        GET               /api/2.0/mlflow/unity-catalog/model-versions/get-download-uri
CALLER         POST              /api/2.0/mlflow/unity-catalog/model-versions/generate-temporary-credentials
CALLER         GET               /api/2.0/mlflow/unity-catalog/registered-models:is-databricks-sdk-models-artifact-repository-enabled
CALLER         POST              /api/2.0/mlflow/unity-catalog/model-versions/emit-lineage
MANAGE         POST DELETE       /api/2.0/mlflow/unity-catalog/registered-models/alias
EXECUTE        GET               /api/2.0/mlflow/unity-catalog/registered-models/alias
MANAGE         POST              /api/2.0/mlflow/unity-catalog/registered-models/set-tag
MANAGE         DELETE            /api/2.0/mlflow/unity-catalog/registered-models/delete-tag
MANAGE         POST              /api/2.0/mlflow/unity-catalog/model-versions/set-tag
MANAGE         DELETE            /api/2.0/mlflow/unity-catalog/model-versions/delete-tag

EXECUTE        GET HEAD          /api/2.0/fs/files/{path:path}
MANAGE         PUT POST DELETE   /api/2.0/fs/files/{path:path}
MANAGE         POST              /api/2.0/fs/create-upload-part-urls
MANAGE         POST              /api/2.0/fs/create-abort-upload-url
CALLER         POST              /api/2.0/fs/create-download-url
BEARER_OF_URL  PUT               /api/2.0/fs/uploads/{token}/parts/{number}
BEARER_OF_URL  DELETE            /api/2.0/fs/uploads/{token}
EXECUTE        GET HEAD          /api/2.0/fs/directories/{path:path}
MANAGE         PUT DELETE        /api/2.0/fs/directories/{path:path}
"""  # noqa: E501  # one line a route

# The gateway asks `EndpointDirectory.queryable` and `visible`; `server/router.py` answers what is for anybody.
_DATA_PLANE_TABLE = """
CAN_QUERY      POST              /serving-endpoints/{name}/invocations
CAN_QUERY      POST              /serving-endpoints/{name}/served-models/{served}/invocations
CAN_QUERY      POST              /serving-endpoints/chat/completions
CAN_QUERY      POST              /serving-endpoints/completions
CAN_QUERY      POST              /serving-endpoints/embeddings
CAN_QUERY      POST              /v1/chat/completions
CAN_QUERY      POST              /v1/completions
CAN_QUERY      POST              /v1/embeddings
CALLER         GET               /serving-endpoints/models
CALLER         GET               /v1/models
CAN_VIEW       GET               /serving-endpoints/models/{name}
CAN_VIEW       GET               /v1/models/{name}
ANYBODY        GET               /
ANYBODY        GET               /ui/
ANYBODY        GET               /.well-known/databricks-config
ANYBODY        GET               /health/live
ANYBODY        GET               /health/ready
METRICS        GET               /metrics
"""

Route = tuple[str, str]
"""Method and path template."""

_LEVELS: Mapping[Who, PermissionLevel] = MappingProxyType(
    {
        Who.CAN_VIEW: PermissionLevel.CAN_VIEW,
        Who.CAN_QUERY: PermissionLevel.CAN_QUERY,
        Who.CAN_MANAGE: PermissionLevel.CAN_MANAGE,
    }
)


def _rows(table: str) -> Iterator[tuple[Route, Who]]:
    for line in filter(None, table.splitlines()):
        who, *methods, path = line.split()
        for method in methods:
            yield (method, path), Who[who]


MANAGEMENT: Mapping[Route, Who] = MappingProxyType(dict(_rows(_MANAGEMENT_TABLE)))
DATA_PLANE: Mapping[Route, Who] = MappingProxyType(dict(_rows(_DATA_PLANE_TABLE)))


async def enforce(request: Request) -> None:
    """Let the request pass, or raise `Unauthenticated`, `PermissionDenied`, `NotFound`. All of it is in memory."""
    who = MANAGEMENT.get((request.method, request.scope["route"].path))
    if who in (Who.ANYBODY, Who.BEARER_OF_URL):
        return
    caller = caller_of(request)
    if who is None:
        raise PermissionDenied("Nobody may call this route: it has no row in the table of rights.")
    if who is Who.ADMIN and not caller.is_admin:
        raise PermissionDenied("Only admins may do this. Ask one, or to be put into the group 'admins'.")
    if who in _LEVELS:
        endpoints: EndpointIds = request.app.state.desk.directory
        parameters = request.path_params
        name = parameters.get("name") or endpoints.name_of(parameters["endpoint_id"])
        endpoints.permitted(name, caller, _LEVELS[who])
