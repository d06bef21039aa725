"""Models of other providers: no process, only their OpenAI-compatible API over HTTP.

Tokens are the provider's to count. From one that sends no usage, prompt tokens stay 0, and each chunk of the answer
that adds something counts as one token.
"""

import asyncio
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit

import aiohttp

from openfm.core.errors import (
    ApiError,
    EngineFailed,
    EngineTimeout,
    InvalidRequest,
    NoReplicaReady,
    RateLimited,
    Unavailable,
)
from openfm.engines.base import Engine, EngineSpec, LoadProgress
from openfm.engines.dialect import OPENAI, PROVIDER
from openfm.engines.egress import EgressGuard, GuardedResolver
from openfm.engines.foreign_errors import error_body, foreign_errors, too_long
from openfm.engines.openai_http import Address, Line, OpenAiHttpEngine, session_over

_OPENAI_HOST = "api.openai.com"
_CONNECT_TIMEOUT_S = 10.0
_KEEPALIVE_S = 15.0
_RETRY_AFTER_S = 5.0
_LONGEST_WAIT_S = 3600.0
_LONGEST_MESSAGE = 300
_BUSY = frozenset({503, 529})
# Some providers repeat the key, or the most of it, in what they say about it.
_KEY_LIKE = re.compile(r"\b(?:(?:sk|pk|key|gsk|xai|hf)[-_]|dapi)[A-Za-z0-9*_.-]{12,}")


class ExternalLauncher:
    """Makes clients of other providers' APIs.

    `options` of a spec: `url` (OpenAI's routes come right after it), `model` (the provider's name of it), and `header`
    (that of the key; "authorization", the default, carries a bearer token). `secret` is the key.
    """

    def __init__(self, guard: EgressGuard) -> None:
        self._guard = guard

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> "RunningExternal":
        """Return at once: nothing is sent before the first request. Raises `EngineFailed` for a URL not allowed."""
        url = spec.options["url"].rstrip("/")
        self._guard.check_url(url)
        host = urlsplit(url).hostname or ""
        header = spec.options.get("header", "authorization").lower()
        address = Address(url, spec.secret, spec.options["model"], api_path="", secret_header=header)
        line = Line(
            connect=partial(_connect, self._guard),
            refusal=Judge(host, address.model, spec.secret).refusal,
            errors=partial(_provider_errors, host),
            stale_connections=1,  # each request may cost money
        )
        engine = OpenAiHttpEngine(address, OPENAI if host == _OPENAI_HOST else PROVIDER, line)
        on_progress(LoadProgress(1.0, "ready"))
        return RunningExternal(engine)


@dataclass(slots=True, eq=False)
class RunningExternal:
    """A client that was made. It ends only when it is asked to."""

    engine: Engine
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        """It is no process."""
        return None

    async def exited(self) -> str:
        """See `RunningEngine.exited`."""
        await self._stopped.wait()
        return "stopped as asked"

    async def stop(self, grace_s: float) -> None:
        """See `RunningEngine.stop`."""
        del grace_s  # nothing has to end but connections
        self._stopped.set()
        await self.engine.aclose()


@dataclass(frozen=True, slots=True)
class Judge:
    """What becomes of a provider's refusals; the key is in none of them."""

    host: str
    model: str
    key: str | None = field(default=None, repr=False)

    def refusal(self, status: int, headers: Mapping[str, str], raw: bytes) -> ApiError:
        """The error that the provider's HTTP error answer stands for."""
        body = error_body(raw.replace(self.key.encode(), b"[key]") if self.key else raw)
        said = self._repeatable(body.message) or f"HTTP status {status}"
        if status in (401, 403):
            return EngineFailed(
                f"The provider at {self.host} refused the key of this external model (HTTP status {status}). "
                "Ask whoever manages the endpoint to renew it."
            )
        if status == 429:
            return RateLimited(
                f"The provider at {self.host} limits its rate: {said}", retry_after_s=_retry_after_s(headers)
            )
        if status in _BUSY:
            return Unavailable(f"The provider at {self.host} is busy: {said}", retry_after_s=_retry_after_s(headers))
        if status in (408, 504):
            return EngineTimeout(f"The provider at {self.host} did not answer in time. Send the request again.")
        if status == 404:
            return InvalidRequest(
                f"The provider at {self.host} does not have '{self.model}': {said} "
                "Check the external model's name and URL."
            )
        if 400 <= status < 500:
            return too_long(body) or InvalidRequest(f"The provider at {self.host} refuses the request: {said}")
        if status < 400:
            return EngineFailed(
                f"The provider at {self.host} redirects (HTTP status {status}), and redirects are not followed. "
                "Set the external model's URL to the final one."
            )
        return EngineFailed(f"The provider at {self.host} failed: {said}")

    def _repeatable(self, message: str) -> str:
        """What may be shown of the provider's words: no key, no page of HTML."""
        text = message.strip()
        if text.startswith("<"):
            return ""
        if self.key:
            text = text.replace(self.key, "[key]")
        return _KEY_LIKE.sub("[key]", text)[:_LONGEST_MESSAGE]


@contextmanager
def _provider_errors(host: str) -> Iterator[None]:
    """As `foreign_errors`, in words about a provider."""
    try:
        with foreign_errors():
            yield
    except NoReplicaReady as error:
        # Not 503: databricks-sdk would send the request again for five minutes, and then say nothing of the reason.
        raise EngineFailed(
            f"The provider at {host} could not be reached. Check the external model's URL, or try again shortly."
        ) from error.__cause__
    except EngineTimeout as error:
        if error.__cause__ is None:
            raise
        raise EngineTimeout(
            f"The provider at {host} did not answer in time. Send the request again."
        ) from error.__cause__
    except EngineFailed as error:
        if error.__cause__ is None:
            raise
        raise EngineFailed(
            f"The provider at {host} answered what could not be understood ({type(error.__cause__).__name__}). "
            "Check that the external model's URL is the base of an OpenAI-compatible API."
        ) from error.__cause__


def _connect(guard: EgressGuard, address: Address) -> aiohttp.ClientSession:
    guard.check_url(address.url)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S, resolver=GuardedResolver(guard))
    session = session_over(connector, address, _CONNECT_TIMEOUT_S)
    session.headers["accept-encoding"] = "identity"  # pieces of a compressed stream wait for one another
    return session


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """The provider's `retry-after` (RFC 9110, 10.2.3); a few seconds where it has none that can be read."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, headers.get("date", ""))
    return min(max(seconds, 1.0), _LONGEST_WAIT_S) if math.isfinite(seconds) else _RETRY_AFTER_S


def _until(moment: str, now: str) -> float:
    """Seconds between two HTTP dates, both of the provider's clock."""
    try:
        return (parsedate_to_datetime(moment) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError):
        return _RETRY_AFTER_S
