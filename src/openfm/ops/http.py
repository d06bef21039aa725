"""HTTP for downloads: sessions that honour proxies and certificates, bounded retries, errors as sentences."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import aiohttp
from yarl import URL

from openfm.core.errors import NotFound, PermissionDenied, Unavailable

ResultT = TypeVar("ResultT")

_CONNECT_TIMEOUT_S = 15
_READ_TIMEOUT_S = 60
_NOT_FOUND = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 403, 407})
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransferInterrupted(Exception):
    """A transfer broke off; trying again may help. Never leaves this package: `with_retries` turns it around."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try again after tries that brought nothing, waiting twice as long each time.

    A try that brought bytes starts the count anew, so that a long download survives any number of cuts.
    """

    attempts: int = 5
    first_delay_s: float = 0.5
    longest_delay_s: float = 10.0
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def pause(self, failures: int) -> None:
        """Wait before the next try after that many fruitless ones."""
        await self.sleep(min(self.longest_delay_s, self.first_delay_s * 2 ** max(0, failures - 1)))


def open_session(ca_file: Path | None) -> aiohttp.ClientSession:
    """A session for one pull. Proxies are taken from the environment, as curl does."""
    trust: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
    return aiohttp.ClientSession(
        trust_env=True,
        auto_decompress=False,  # byte ranges count what is on the wire
        connector=aiohttp.TCPConnector(ssl=trust),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=_READ_TIMEOUT_S),
    )


async def with_retries(
    attempt: Callable[[], Awaitable[ResultT]], policy: RetryPolicy, progress: Callable[[], int]
) -> ResultT:
    """What `attempt` returns, tried again while it is interrupted.

    `progress` is a number that grows with every byte kept. Raises `Unavailable` when the policy gives up.
    """
    failures, kept = 0, progress()
    while True:
        try:
            return await attempt()
        except (TransferInterrupted, aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            failures = failures + 1 if progress() <= kept else 1
            kept = max(kept, progress())
            if failures >= policy.attempts:
                reason = str(error) or type(error).__name__
                raise Unavailable(f"The network failed {failures} times in a row: {reason}.") from error
            await policy.pause(failures)


def check_status(response: aiohttp.ClientResponse) -> None:
    """Return for 2xx. Raises `NotFound`, `PermissionDenied` or, where trying again may help, `TransferInterrupted`."""
    if response.status < 300:
        return
    url = redacted(response.url)
    if response.status in _NOT_FOUND:
        raise NotFound(f"{url} does not exist ({response.status}).")
    if response.status in _FORBIDDEN:
        raise PermissionDenied(
            f"{url} answers {response.status}; put the user and password into the index address, or use another index."
        )
    if response.status in _TRY_AGAIN:
        raise TransferInterrupted(f"{url} answers {response.status}")
    raise Unavailable(f"{url} answers {response.status}, which openfm does not expect of a package index.")


def redacted(url: URL | str) -> str:
    """The address without its password, for messages."""
    parsed = URL(url)
    return str(parsed.with_user(None)) if parsed.user else str(parsed)
