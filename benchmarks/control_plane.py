"""What many endpoints cost: a server with hundreds of them, of external models at an address that is never called.

The server is a real one (`openfm serve`), asked over HTTP, one request after the other; the reconciler's step and the
check of a token are measured in this process, without HTTP around them.
"""

import argparse
import asyncio
import gc
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks.gateway_overhead import ROOT, machine, percentile
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.external import external_profile
from openfm.control.identity.token_book import ADMIN, TokenBook
from openfm.core.endpoint import EndpointConfig, EndpointType, Route, ServedEntity, ServingEndpoint
from openfm.core.external import ExternalModel, SecretReference, StoredKey
from openfm.core.model import Task
from openfm.core.principal import PermissionLevel, Principal
from openfm.engines.catalog import make_launcher
from openfm.fleet.placement import Machine
from openfm.fleet.replica import ReplicaState
from openfm.gateway.auth import authenticate
from openfm.server.desired import EngineSettings, Workers
from openfm.server.engine_room import EngineRoom, Plant

_LIST = "/api/2.0/serving-endpoints"
_START_LIMIT_S = 120.0
_LIST_BUDGET_MS = 100
_STEP_BUDGET_MS = 50
_TOKEN = "benchmark-token"
_FORMULAS = """\
latency = request sent - last byte of the body, one caller, one kept connection; percentiles by nearest rank
memory growth = (resident memory of the server's own process, all endpoints READY and listed - before the first of
them was created) / endpoints
step = one comparison of what should run with what runs, its reading of the endpoints included; nothing to do in it
token check = Authorization header -> principal, as each request has it"""


@dataclass(frozen=True, slots=True)
class Running:
    """A started server."""

    url: str
    token: str
    pid: int

    def memory_mb(self) -> float:
        """Resident memory of the server's own process; engines are others."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6


class Caller:
    """One caller with one kept connection."""

    def __init__(self, server: Running) -> None:
        parts = urlsplit(server.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> tuple[Any, float]:
        """The answer and its latency in milliseconds. Raises RuntimeError for a refusal."""
        data = None if body is None else json.dumps(body)
        began = time.perf_counter()
        self._connection.request(method, path, data, self._headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        latency_ms = 1000 * (time.perf_counter() - began)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw[:500]!r}")
        return json.loads(raw), latency_ms

    def latencies(self, path: str, count: int) -> list[float]:
        """Of so many GETs, in milliseconds."""
        return [self.ask("GET", path)[1] for _ in range(count)]


class SilentProvider:
    """Listens where the external models are said to be, and counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0)

    @property
    def url(self) -> str:
        """The base of the API that it has not."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def calls(self) -> int:
        """How many connections came since the last look."""
        found = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return found
            found += 1

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


class _Everybody:
    """Grants that nobody needs here."""

    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        """See `Grants`."""
        del caller, endpoint_id
        return PermissionLevel.CAN_MANAGE


@contextmanager
def started(home: Path, models_dir: Path) -> Iterator[Running]:
    """A server that may reach this machine's own addresses."""
    flags = ["--home", str(home), "--models-dir", str(models_dir), "--port", "0"]
    environ = os.environ | {"OPENFM_EGRESS_ALLOW": "127.0.0.0/8"}
    with (home / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "openfm", "serve", *flags], env=environ, stdout=output, stderr=output
        )
    try:
        url = _url_of(home, process)
        yield Running(url, (home / "admin-token").read_text(encoding="utf-8").strip(), process.pid)
    finally:
        process.terminate()
        process.wait()


def _url_of(home: Path, process: subprocess.Popen[bytes]) -> str:
    give_up = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < give_up and process.poll() is None:
        if b"Ready after" in (home / "output.log").read_bytes() and (home / "server.json").exists():
            return str(json.loads((home / "server.json").read_text(encoding="utf-8"))["url"])
        time.sleep(0.1)
    raise RuntimeError("the server did not become ready:\n" + (home / "output.log").read_text(encoding="utf-8"))


def creation(number: int, url: str) -> dict[str, object]:
    """The body that creates an endpoint of an external model."""
    config = {"openai_api_base": url, "openai_api_key_plaintext": f"never-used-{number}"}
    model = {"provider": "openai", "name": f"model-{number}", "task": Task.CHAT.value, "openai_config": config}
    return {"name": f"bench-{number:04}", "config": {"served_entities": [{"external_model": model}]}}


def measure_server(server: Running, provider: SilentProvider, count: int, samples: int) -> dict[str, float]:
    """Create the endpoints, wait for them, and ask for them."""
    caller = Caller(server)
    caller.latencies(_LIST, 5)
    before_mb = server.memory_mb()
    created = [caller.ask("POST", _LIST, creation(number, provider.url))[1] for number in range(count)]
    began = time.perf_counter()
    wait_ready(caller, count)
    settled_s = time.perf_counter() - began
    lists, gets = caller.latencies(_LIST, samples), caller.latencies(f"{_LIST}/bench-{count // 2:04}", samples)
    return {
        "create_p50_ms": percentile(created, 0.5),
        "create_p99_ms": percentile(created, 0.99),
        "ready_after_last_create_s": settled_s,
        "list_p50_ms": percentile(lists, 0.5),
        "list_p99_ms": percentile(lists, 0.99),
        "get_p50_ms": percentile(gets, 0.5),
        "get_p99_ms": percentile(gets, 0.99),
        "memory_before_mb": before_mb,
        "memory_growth_kb_per_endpoint": 1000 * (server.memory_mb() - before_mb) / count,
        "provider_calls": provider.calls(),
    }


def wait_ready(caller: Caller, count: int) -> None:
    """Until so many of these endpoints answer. Raises RuntimeError."""
    give_up, states = time.monotonic() + _START_LIMIT_S, [("", "")]
    while time.monotonic() < give_up:
        answer, _ = caller.ask("GET", _LIST)
        mine = [endpoint for endpoint in answer["endpoints"] if endpoint["name"].startswith("bench-")]
        states = [(endpoint["state"]["ready"], endpoint["state"]["config_update"]) for endpoint in mine]
        if states == [("READY", "NOT_UPDATING")] * count:
            return
        time.sleep(0.2)
    raise RuntimeError(f"not every endpoint became ready: {[state for state in states if state[0] != 'READY'][:5]}")


def external_endpoint(number: int, url: str) -> ServingEndpoint:
    """An endpoint as the directory has it."""
    external = ExternalModel(
        "openai", f"model-{number}", url, StoredKey(SecretReference("{{secrets/a/b}}", "scope", "1"))
    )
    name = f"bench-{number:04}"
    profile = external_profile(external, Task.CHAT)
    entity = ServedEntity(external.name, external.name, "", profile, f"{name}-replicas", external=external)
    return ServingEndpoint(
        id=f"{number:032x}",
        name=name,
        task=Task.CHAT,
        endpoint_type=EndpointType.EXTERNAL_MODEL,
        creator="benchmark",
        creation_timestamp=0,
        last_updated_timestamp=0,
        config=EndpointConfig(1, (entity,), (Route(entity.name, 100),)),
    )


async def measure_reconciler(url: str, count: int, samples: int) -> dict[str, float]:
    """Steps of a reconciler that keeps so many replicas of external models, each entered into no database."""
    directory = EndpointDirectory(_Everybody(), [external_endpoint(number, url) for number in range(count)])
    launcher = make_launcher("external", {}, "127.0.0.0/8")
    with TemporaryDirectory() as folder:
        engines = EngineSettings(1, 1, Path(folder), Path(folder))
        workers = Workers(engines, lambda name: make_launcher(name, {}), launcher)
        room = EngineRoom(directory, Plant((), workers, Machine((0,), 1 << 40), 1800.0, 50.0))
        first_ms = await _step_ms(room)
        await _until_ready(room, directory)
        gc.collect()
        gc.freeze()  # as the server does before it listens
        steps = [await _step_ms(room) for _ in range(samples)]
        await room.reconciler.stop_all()
    return {
        "first_step_ms": first_ms,
        "step_p50_ms": percentile(steps, 0.5),
        "step_p99_ms": percentile(steps, 0.99),
    }


async def _until_ready(room: EngineRoom, directory: EndpointDirectory) -> None:
    changed = asyncio.Event()
    room.on_change(changed.set)
    async with asyncio.timeout(_START_LIMIT_S):
        while not all(_is_ready(room, endpoint) for endpoint in directory.endpoints):
            changed.clear()
            await changed.wait()


def _is_ready(room: EngineRoom, endpoint: ServingEndpoint) -> bool:
    replicas = room.reconciler.replicas(endpoint.active.served_entities[0].deployment_id)
    return bool(replicas) and all(replica.status.state is ReplicaState.READY for replica in replicas)


async def _step_ms(room: EngineRoom) -> float:
    began = time.perf_counter()
    await room.reconciler.step()
    return 1000 * (time.perf_counter() - began)


def token_checks_per_s(seconds: float = 1.0) -> float:
    """Of one thread."""
    tokens = TokenBook({_TOKEN: ADMIN})
    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {_TOKEN}".encode())]
    return _rate(lambda: authenticate(headers, tokens), seconds)


def _rate(work: Callable[[], object], seconds: float) -> float:
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        for _ in range(1000):
            work()
        done += 1000
    return done / spent


def show(count: int, figures: dict[str, float]) -> None:
    """The figures, with the budgets of those that have one."""
    print(f"{count} endpoints of external models; the provider was called {figures['provider_calls']:.0f} times\n")
    for name, what, budget in (
        ("create", "create", ""),
        ("list", "list all", f"  (budget {_LIST_BUDGET_MS} ms)"),
        ("get", "get one", ""),
        ("step", "reconciler's step", f"  (budget {_STEP_BUDGET_MS} ms)"),
    ):
        p50, p99 = figures[f"{name}_p50_ms"], figures[f"{name}_p99_ms"]
        print(f"{what:20}p50 {p50:8.2f} ms   p99 {p99:8.2f} ms{budget}")
    print(f"{'first step':20}    {figures['first_step_ms']:8.2f} ms, starts all of them")
    print(f"{'all READY':20}    {figures['ready_after_last_create_s']:8.2f} s after the last was created")
    growth = figures["memory_growth_kb_per_endpoint"]
    print(f"{'memory growth':20}    {growth:8.1f} kB per endpoint, from {figures['memory_before_mb']:.0f} MB")
    print(f"{'token checks':20}    {figures['token_checks_per_s']:8.0f} per second")


def main() -> None:
    """Measure and print; `--save` keeps the figures under benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=500)
    parser.add_argument("--samples", type=int, default=200, help="requests of each kind, and steps")
    parser.add_argument("--models-dir", type=Path, default=ROOT / ".dev" / "models")
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    provider = SilentProvider()
    with TemporaryDirectory() as home, started(Path(home), args.models_dir) as server:
        figures = measure_server(server, provider, args.endpoints, args.samples)
    figures |= asyncio.run(measure_reconciler(provider.url, args.endpoints, args.samples))
    figures["token_checks_per_s"] = token_checks_per_s()
    provider.close()
    show(args.endpoints, figures)
    print(f"\n{_FORMULAS}")
    if args.save:
        path = ROOT / "benchmarks" / "results" / f"control_plane-{time.strftime('%Y-%m-%d')}.json"
        record = {"machine": machine(), "endpoints": args.endpoints, "samples": args.samples, "figures": figures}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"saved to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
