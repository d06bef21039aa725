"""What openfm's gateway costs: the same load on a mock engine directly, through a bare proxy, and through openfm.

Contenders take turns, round by round, in one run; only ratios within a run mean something on a shared machine.
Nothing is drawn by chance: every run sends the same bytes.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks._gateway import ENDPOINT, TOKEN
from benchmarks._load import Sample, Target, http_request, run_round

ROOT = Path(__file__).resolve().parent.parent
CONTENDERS = ("direct", "bare proxy", "unmetered", "openfm")
_MEMORY_BUDGET_MB = 150
_FORMULAS = """\
closed loop: each of c callers sends its next request when the last one ended; rounds alternate between contenders
requests/s = completed requests / seconds of a round; median over rounds
CPU us = processor time of the contender's own process / completed requests, all rounds together; direct: the mock's
added p50, p99 = percentile of latency through the contender - the same of direct; latencies of all rounds pooled
TTFT = first byte of the body - request sent; frames/s = `data:` lines received / seconds, median over rounds
ratio = the contender's figure / direct's. All processes share the machine's cores, the load's and the mock's too.
unmetered = openfm without limits and ledger; openfm with three limits and a journal on disk
openfm asks its engine for a stream even where the caller wants one body (closing it cancels), and so pays for both."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running contender."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Processor seconds it has spent so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load."""

    name: str
    concurrency: int
    tokens: int
    is_stream: bool


CASES = (
    Case("one body, 1 caller", 1, 16, is_stream=False),
    Case("one body, 16 callers", 16, 16, is_stream=False),
    Case("streams of 64 tokens, 1 caller", 1, 64, is_stream=True),
    Case("streams of 64 tokens, 16 callers", 16, 64, is_stream=True),
)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure(case: Case, servers: Mapping[str, Server], rounds: int, seconds: float) -> dict[str, list[Sample]]:
    """Samples by contender; one round of warm-up is thrown away."""
    body = {
        "model": ENDPOINT,
        "messages": [{"role": "user", "content": "Say something, please."}],
        "max_tokens": case.tokens,
        "stream": case.is_stream,
    }
    request = http_request("/v1/chat/completions", json.dumps(body).encode(), TOKEN)
    samples: dict[str, list[Sample]] = {name: [] for name in CONTENDERS}
    for number in range(rounds + 1):
        for name in CONTENDERS:
            spent_s = servers[name].cpu_s()
            sample = await run_round(Target(servers[name].port, request), case.concurrency, seconds)
            sample.cpu_s = servers[name].cpu_s() - spent_s
            if number:
                samples[name].append(sample)
    return samples


def summary(samples: Mapping[str, list[Sample]]) -> dict[str, dict[str, float]]:
    """Figures by contender, times in milliseconds."""
    figures: dict[str, dict[str, float]] = {}
    for name, rounds in samples.items():
        latencies = [1000 * value for sample in rounds for value in sample.latencies]
        first = [1000 * value for sample in rounds for value in sample.first_bytes]
        figures[name] = {
            "requests_per_s": statistics.median(sample.requests_per_s for sample in rounds),
            "frames_per_s": statistics.median(sample.frames_per_s for sample in rounds),
            "p50_ms": percentile(latencies, 0.5),
            "p99_ms": percentile(latencies, 0.99),
            "ttft_p50_ms": percentile(first, 0.5),
            "ttft_p99_ms": percentile(first, 0.99),
            "cpu_us": 1e6 * sum(sample.cpu_s for sample in rounds) / len(latencies),
        }
    return figures


def show(case: Case, figures: Mapping[str, Mapping[str, float]]) -> None:
    """One case as a table."""
    direct = figures["direct"]
    print(f"\n{case.name}")
    print(f"  {'':12}{'requests/s':>11}{'ratio':>7}{'p50 ms':>9}{'added':>8}{'p99 ms':>9}{'added':>8}", end="")
    print(f"{'CPU us':>8}", end="")
    print(f"{'TTFT p50':>10}{'TTFT p99':>10}{'frames/s':>10}{'ratio':>7}" if case.is_stream else "")
    for name, figure in figures.items():
        ratio = figure["requests_per_s"] / direct["requests_per_s"]
        added50, added99 = figure["p50_ms"] - direct["p50_ms"], figure["p99_ms"] - direct["p99_ms"]
        line = f"  {name:12}{figure['requests_per_s']:>11.0f}{ratio:>7.2f}"
        line += (
            f"{figure['p50_ms']:>9.2f}{added50:>8.2f}{figure['p99_ms']:>9.2f}{added99:>8.2f}{figure['cpu_us']:>8.0f}"
        )
        if case.is_stream:
            frames = figure["frames_per_s"] / direct["frames_per_s"]
            line += f"{figure['ttft_p50_ms']:>10.2f}{figure['ttft_p99_ms']:>10.2f}"
            line += f"{figure['frames_per_s']:>10.0f}{frames:>7.2f}"
        print(line)
    kept = figures["openfm"]["requests_per_s"] / figures["unmetered"]["requests_per_s"]
    print(f"  limits and ledger on / off: {kept:.2f} of the requests/s")


@contextmanager
def served(app: str, engine_url: str = "") -> Iterator[Server]:
    """A uvicorn process of `app` on loopback."""
    program = (
        f"import socket,uvicorn,sys; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); \
c=uvicorn.Config({app!r},loop='uvloop',http='httptools',ws='none',lifespan='off',log_level='error',access_log=False); \
uvicorn.Server(c).run(sockets=[s])"
    )
    environ = {**os.environ, "BENCH_ENGINE_URL": engine_url}
    command = [sys.executable, "-c", program]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        if process.stdout is None:
            raise RuntimeError("the process has no output to read its port from")
        yield Server(int(process.stdout.readline()), process.pid)
    finally:
        process.terminate()
        process.wait()


def idle_memory_mb(models_dir: Path) -> float | None:
    """Resident memory of an idle `openfm serve`, both endpoints READY, engines apart; None without weights."""
    if not models_dir.is_dir():
        return None
    with TemporaryDirectory() as home:
        flags = ["--home", home, "--models-dir", str(models_dir), "--port", "0"]
        command = [sys.executable, "-m", "openfm", "serve", *flags]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_ready(Path(home) / "server.json")
            return float(psutil.Process(process.pid).memory_info().rss) / 1e6
        finally:
            process.terminate()
            process.wait()


def _wait_ready(server_file: Path, limit_s: float = 120.0) -> None:
    give_up = time.monotonic() + limit_s
    while time.monotonic() < give_up:
        if server_file.exists():
            url = json.loads(server_file.read_text(encoding="utf-8"))["url"]
            try:
                urllib.request.urlopen(f"{url}/health/ready", timeout=5).close()  # noqa: S310  # our own server
            except (urllib.error.URLError, ConnectionError):
                pass
            else:
                return
        time.sleep(0.1)
    raise RuntimeError("the server did not become ready")


def machine() -> dict[str, Any]:
    """What the figures were taken on: the processor's model, never the machine's name."""
    return {"cpu": cpu_model(), "cores": os.cpu_count(), "python": platform.python_version()}


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model where Linux tells it, else its architecture."""
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def main() -> None:
    """Run all cases and print them; `--save` keeps the figures under benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one contender's turn in a round")
    parser.add_argument("--models-dir", type=Path, default=ROOT / ".dev" / "models")
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        engine = stack.enter_context(served("benchmarks._mock_engine:app"))
        url = f"http://127.0.0.1:{engine.port}"
        proxy = stack.enter_context(served("benchmarks._bare_proxy:app", url))
        unmetered = stack.enter_context(served("benchmarks._gateway:unmetered", url))
        gateway = stack.enter_context(served("benchmarks._gateway:app", url))
        servers = dict(zip(CONTENDERS, (engine, proxy, unmetered, gateway), strict=True))
        for case in CASES:
            results[case.name] = summary(asyncio.run(measure(case, servers, args.rounds, args.seconds)))
            show(case, results[case.name])
    memory = idle_memory_mb(args.models_dir)
    if memory is None:
        print(f"\nidle memory: skipped, no weights in {args.models_dir.name}; ./dev test fetches them")
    else:
        print(f"\nidle `openfm serve`, engines apart: {memory:.0f} MB resident (budget {_MEMORY_BUDGET_MB} MB)")
    print(f"\n{_FORMULAS}")
    if args.save:
        record = {"machine": machine(), "rounds": args.rounds, "seconds": args.seconds, "cases": results}
        path = ROOT / "benchmarks" / "results" / f"gateway_overhead-{time.strftime('%Y-%m-%d')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record | {"idle_memory_mb": memory}, indent=1) + "\n", encoding="utf-8")
        print(f"saved to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
