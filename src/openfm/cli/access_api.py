"""What the verbs of access share: asking the server, finding principals by name, spans of time."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from openfm.cli.client import Client, connected
from openfm.cli.errors import CliError, ExitCode
from openfm.cli.profile import Given, environment, find_server

T = TypeVar("T")
Facts = dict[str, Any]

_SCIM = "/api/2.0/preview/scim/v2"
_SPAN = re.compile(r"(\d{1,9})([smhd]?)")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


def talk(given: Given, question: Callable[[Client], Awaitable[T]]) -> T:
    """Ask the server one thing, or several in a row. Raises `CliError`."""

    async def asked() -> T:
        async with connected(find_server(given, environment())) as client:
            return await question(client)

    return asyncio.run(asked())


@dataclass(frozen=True, slots=True)
class Collection:
    """One kind of principals in SCIM: where they are, and the attribute that names one."""

    client: Client
    path: str
    name_attribute: str

    async def everyone(self) -> list[Facts]:
        """All of them."""
        answer = await self.client.call("GET", f"{_SCIM}/{self.path}")
        return list(answer.get("Resources") or [])

    async def create(self, resource: Mapping[str, object]) -> Facts:
        """A new one."""
        return await self.client.call("POST", f"{_SCIM}/{self.path}", resource)

    async def find(self, name: str) -> Facts:
        """The one of that name or id. Raises `CliError` for none, and for more than one."""
        wanted = json.dumps(name)
        text = f"{self.name_attribute} eq {wanted} or id eq {wanted} or displayName eq {wanted}"
        answer = await self.client.call("GET", f"{_SCIM}/{self.path}?{urlencode({'filter': text})}")
        found = list(answer.get("Resources") or [])
        exact = [one for one in found if name in (one.get(self.name_attribute), one.get("id"))] or found
        if len(exact) == 1:
            return dict(exact[0])
        if exact:
            raise CliError(f"More than one of the {self.path} is called '{name}'. Give its id.", ExitCode.USAGE)
        raise CliError(f"None of the {self.path} is called '{name}'.", ExitCode.NOT_FOUND, hint="`list` shows all.")

    async def patch(self, name: str, operations: list[dict[str, object]]) -> Facts:
        """Change a part of one."""
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        return await self.client.call("PATCH", await self._path(name), {"schemas": schemas, "Operations": operations})

    async def delete(self, name: str) -> None:
        """Remove one."""
        await self.client.call("DELETE", await self._path(name))

    async def _path(self, name: str) -> str:
        return f"{_SCIM}/{self.path}/{quoted(str((await self.find(name))['id']))}"


def users(client: Client) -> Collection:
    """The users, by user name."""
    return Collection(client, "Users", "userName")


def groups(client: Client) -> Collection:
    """The groups, by display name."""
    return Collection(client, "Groups", "displayName")


def service_principals(client: Client) -> Collection:
    """The service principals, by application id or display name."""
    return Collection(client, "ServicePrincipals", "applicationId")


def quoted(text: str) -> str:
    """The text as one part of a path."""
    return quote(text, safe="")


def span_s(text: str) -> int:
    """Seconds from "3600", "90m", "12h" or "30d". Raises `CliError`."""
    match = _SPAN.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise CliError(f"'{text}' is no span of time. Write seconds, or like 90m, 12h or 30d.", ExitCode.USAGE)
    return int(match[1]) * _UNITS_S[match[2]]


def shown_time(milliseconds: object) -> str:
    """A time for people; "never" for none."""
    if not isinstance(milliseconds, int) or milliseconds < 0:
        return "never"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def names_of(references: object) -> str:
    """The names in SCIM's references to groups or members."""
    listed = references if isinstance(references, list) else []
    return ", ".join(str(one.get("display")) for one in listed if isinstance(one, dict))
