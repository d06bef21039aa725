"""The way from a gateway process to its control server, over HTTP."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from openfm.server.home import SERVER_FILE
from openfm.wire.fleet import REPORT_PATH, WAKE_PATH, Picture, Report, Wake, Woken

_REPORT_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 2.0
_SPARE_S = 5.0
_LONGEST_TEXT = 300
_Answer = TypeVar("_Answer", Picture, Woken)


class ControlUnreachable(Exception):  # the message is for people
    """The control server did not answer, or not as one."""


class ControlLink:
    """Speaks for this gateway, which `gateway` names. It is where HOME/server.json says, or else at `url`."""

    def __init__(self, session: aiohttp.ClientSession, home: Path, url: str | None, wake_timeout_s: float) -> None:
        self.gateway = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._session = session
        self._home = home
        self._url = url
        self._wake_timeout_s = wake_timeout_s

    async def report(self, report: Report) -> Picture:
        """Say what happened here, and hear what is new. Raises `ControlUnreachable`."""
        return await self._ask(REPORT_PATH, report, Picture, _REPORT_TIMEOUT_S)

    async def wake(self, wake: Wake) -> Woken:
        """Ask for a replica, and wait until there is one or none will be. Raises `ControlUnreachable`."""
        return await self._ask(WAKE_PATH, wake, Woken, self._wake_timeout_s)

    async def _ask(self, path: str, question: Report | Wake, kind: type[_Answer], timeout_s: float) -> _Answer:
        url = await asyncio.to_thread(_announced_url, self._home) if self._url is None else self._url
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_TIMEOUT_S)
        try:
            async with self._session.post(url + path, data=msgspec.json.encode(question), timeout=timeout) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ControlUnreachable(f"No answer from {url} ({type(error).__name__}).") from error
        if answer.status != 200:
            said = raw.decode(errors="replace")[:_LONGEST_TEXT]
            raise ControlUnreachable(f"{url} answered {answer.status}. Is it openfm with --role control? {said}")
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.MsgspecError as error:
            raise ControlUnreachable(f"{url} answers as another version of openfm would: {error}.") from error


@asynccontextmanager
async def control_link(
    home: Path, url: str | None, token: str, cold_start_deadline_s: float
) -> AsyncIterator[ControlLink]:
    """The link, closed on the way out. `token` is an admin's."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers, trust_env=False) as session:
        yield ControlLink(session, home, url, cold_start_deadline_s + _SPARE_S)


def _announced_url(home: Path) -> str:
    path = home / SERVER_FILE
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ControlUnreachable(f"No control server runs on {home}. Start one: openfm serve --role control.") from None
