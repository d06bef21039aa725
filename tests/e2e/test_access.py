"""Access through a restart: tokens, an OAuth client's access token, levels and secrets are what they were."""

from typing import Any

import aiohttp

from tests.conftest import CHAT, Server, StartServer
from tests.e2e.load import Management

_SCIM = "/api/2.0/preview/scim/v2"
_SECRET = "{{secrets/providers/key}}"
_BODY = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}


async def access_token(server: Server, session: aiohttp.ClientSession, client_id: str, secret: str) -> str:
    auth = aiohttp.encode_basic_auth(client_id, secret)
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    async with session.post(f"{server.url}/oidc/v1/token", data=form, headers={"authorization": auth}) as answer:
        assert answer.status == 200
        return str((await answer.json())["access_token"])


async def status(server: Server, session: aiohttp.ClientSession, token: str, endpoint: str) -> int:
    url = f"{server.url}/serving-endpoints/{endpoint}/invocations"
    async with session.post(url, json=_BODY, headers={"authorization": f"Bearer {token}"}) as answer:
        await answer.read()
        return answer.status


def far(provider: Server) -> dict[str, Any]:
    config = {"openai_api_base": f"{provider.url}/v1", "openai_api_key": _SECRET}
    model = {"provider": "openai", "name": CHAT, "task": "llm/v1/chat", "openai_config": config}
    return {"name": "far", "config": {"served_entities": [{"name": "far", "external_model": model}]}}


async def test_a_restart_changes_nobodys_rights(start_server: StartServer, server: Server) -> None:
    first = start_server(egress_allow="127.0.0.1")
    async with aiohttp.ClientSession() as session:
        admin = Management(first, session)
        robot: Any = await admin.ask("POST", f"{_SCIM}/ServicePrincipals", {"displayName": "robot"})
        secrets = f"/api/2.0/accounts/servicePrincipals/{robot['id']}/credentials/secrets"
        secret: Any = (await admin.ask("POST", secrets, {}))["secret"]
        await admin.ask("POST", f"{_SCIM}/Users", {"userName": "ana@example.com"})
        behalf = "/api/2.0/token-management/on-behalf-of/tokens"
        ana: Any = (await admin.ask("POST", behalf, {"application_id": "ana@example.com"}))["token_value"]
        await admin.ask("POST", "/api/2.0/secrets/scopes/create", {"scope": "providers"})
        key = {"scope": "providers", "key": "key", "string_value": server.token}
        await admin.ask("POST", "/api/2.0/secrets/put", key)
        made: Any = await admin.ask("POST", "/api/2.0/serving-endpoints", far(server))
        await admin.settled("far")
        level = {"service_principal_name": robot["applicationId"], "permission_level": "CAN_QUERY"}
        permissions = f"/api/2.0/permissions/serving-endpoints/{made['id']}"
        await admin.ask("PATCH", permissions, {"access_control_list": [level]})
        client = await access_token(first, session, robot["applicationId"], secret)
        assert await status(first, session, client, "far") == 200
        assert await status(first, session, ana, "far") == 404
        first.end()

        second = start_server(home=first.home, egress_allow="127.0.0.1")
        assert await status(second, session, client, "far") == 200
        assert await status(second, session, ana, "far") == 404
        assert await status(second, session, ana, CHAT) == 200
        fresh = await access_token(second, session, robot["applicationId"], secret)
        assert await status(second, session, fresh, "far") == 200
        assert server.token.encode() not in b"".join(file.read_bytes() for file in first.home.glob("openfm.db*"))
        second.end()
