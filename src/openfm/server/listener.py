"""The listening socket and the HTTP server on it, which ends when it is told to, once what runs has run out."""

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from openfm.server.router import AsgiApp

_KEEP_ALIVE_S = 75
_BACKLOG = 2048


class CannotListen(Exception):  # the message is for people
    """The address cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `insecure` allows plain HTTP where others can read along."""

    host: str
    port: int
    tls: Tls | None
    insecure: bool


def open_socket(address: Address) -> socket.socket:
    """A bound socket. Raises `CannotListen`."""
    if address.tls is None and not address.insecure and not is_loopback(address.host):
        raise CannotListen(
            f"{address.host} is not a loopback address, and plain HTTP would show tokens and prompts to the network. "
            "Set tls_certificate and tls_key, or pass --insecure if something in front of openfm does TLS."
        )
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {address.host} port {address.port}: {error.strerror}. "
            "Stop what uses it, or choose another with --port."
        ) from None


def url_of(listening: socket.socket, tls: Tls | None) -> str:
    """The URL of a listening socket, for clients on this machine."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def make_server(app: AsgiApp, tls: Tls | None, drain_timeout_s: float) -> "Listener":
    """A server that is told to end by `end_on_signals`."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(drain_timeout_s),
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    return Listener(config)


class Listener(uvicorn.Server):
    """Uvicorn without signal handlers of its own: it would raise the signal again after the drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def end_on_signals(self, on_first: Callable[[], None]) -> None:
        """Drain at the first SIGINT or SIGTERM, end at once at the second."""

        def end() -> None:
            if self.should_exit:
                self.force_exit = True
                return
            on_first()
            self.should_exit = True

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
