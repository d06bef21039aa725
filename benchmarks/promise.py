"""Provisioned throughput beside pay-per-token on the same cores: what is delivered, with and without precedence.

A real server and real engines, in one run: each phase is short, and only ratios within a run mean something on a shared
machine.
"""

import argparse
import asyncio
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from benchmarks._open_loop import Answer, Ask, Figures, constant, figures, persistent, saturated
from benchmarks.gateway_overhead import ROOT, machine, percentile
from openfm.core.usage import TokenCounts
from openfm.scheduling.leaky_bucket import BucketPolicy
from openfm.scheduling.work import CostWeights

_SHARED = "openfm-smollm2-135m-instruct"
_PROMISED = "bench-promised"
_ENDPOINTS = "/api/2.0/serving-endpoints"
_START_LIMIT_S = 120.0
_CALIBRATIONS = "/api/2.0/openfm/calibrations"
_ATTACK = 3.0
_PROMPT_TOKENS = 45
_OK, _TOO_MANY = 200, 429
_FORMULAS = f"""\
saturated: completion tokens/s with as many callers as an engine has slots, each asking again when answered
promised = all that a quick calibration says one replica can be promised (half of what saturates), in whole chunks, as
        completion tokens/s of these requests, which come at even intervals; bursts are off. What the prefix cache
        saves of prompts makes room for more of them
attack: pay-per-token is offered {_ATTACK:g} · (saturated - promised, at least a tenth of saturated), at even intervals
delivered/promised = completion tokens that came within the phase / those of the requests due in it (the promised rate)
        under overload: completion tokens that came within the phase / (promised · seconds + what the bucket holds)
TTFT = first token - when the request was due; TPOT = (last - first token) / (tokens - 1); nearest-rank percentiles
TPOT ratio = p99 under attack / p99 alone on the same server
idle ratio = pay-per-token saturated, with an idle provisioned endpoint beside it / without one"""


@dataclass(frozen=True, slots=True)
class Server:
    """A started server."""

    url: str
    token: str

    def ask(self, endpoint: str, tokens: int) -> Ask:
        """Its endpoint, for answers of so many tokens."""
        return Ask(self.url, self.token, endpoint, tokens)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One management request. Raises RuntimeError with what it said where that failed."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        said = response.read()
        connection.close()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {said.decode()}")
        return dict(json.loads(said)) if said else {}


@contextmanager
def started(home: Path, models_dir: Path, *, has_precedence: bool) -> Iterator[Server]:
    """A server of this home."""
    flags = ["--home", str(home), "--models-dir", str(models_dir), "--port", "0"]
    environ = os.environ | {"OPENFM_ENGINE_PRECEDENCE": str(has_precedence).lower()}
    with (home / "output.log").open("wb") as output:
        command = [sys.executable, "-m", "openfm", "serve", *flags]
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
    try:
        yield _when_ready(home, process)
    finally:
        process.terminate()
        process.wait()


def _when_ready(home: Path, process: subprocess.Popen[bytes]) -> Server:
    log, give_up = home / "output.log", time.monotonic() + _START_LIMIT_S
    while time.monotonic() < give_up and process.poll() is None:
        if b"Ready after" in log.read_bytes():
            url = str(json.loads((home / "server.json").read_text(encoding="utf-8"))["url"])
            return Server(url, (home / "admin-token").read_text(encoding="utf-8").strip())
        time.sleep(0.1)
    raise RuntimeError("the server did not become ready:\n" + log.read_text(encoding="utf-8"))


def provision(server: Server) -> tuple[float, CostWeights]:
    """An endpoint with what one replica of the default chat model can be promised, READY: its work a second."""
    entity = server.call("GET", f"{_ENDPOINTS}/{_SHARED}")["config"]["served_entities"][0]
    name, version = entity["entity_name"], entity["entity_version"]
    wanted = {"entity_name": name, "entity_version": version}
    made = server.call("POST", _CALIBRATIONS, wanted | {"is_provisional": True})
    _wait(lambda: server.call("GET", f"{_CALIBRATIONS}/{made['id']}")["state"], "SUCCEEDED", "FAILED")
    profile = server.call("GET", f"/api/2.0/openfm/models/{name}/{version}/throughput-profiles")["profiles"][0]
    chunk = profile["throughput_chunk_size"]
    most = max(1, int(profile["knee_work_per_s"] // chunk)) * chunk
    served = wanted | {"max_provisioned_throughput": most, "burst_scaling_enabled": False}
    server.call("POST", _ENDPOINTS, {"name": _PROMISED, "config": {"served_entities": [served]}})
    _wait(lambda: server.call("GET", f"{_ENDPOINTS}/{_PROMISED}")["state"]["ready"], "READY", "")
    return float(most), CostWeights(**profile["weights"])


def _wait(state: Callable[[], str], until: str, never: str) -> None:
    give_up = time.monotonic() + _START_LIMIT_S
    while (now := state()) != until:
        if now == never or time.monotonic() > give_up:
            raise RuntimeError(f"waited for {until}, and it is {now}")
        time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long phases are, how many callers saturate an engine, and how long answers are."""

    seconds: float
    callers: int
    tokens: int


async def full(server: Server, endpoint: str, plan: Plan) -> Figures:
    """The endpoint with nothing beside it, saturated."""
    began = time.monotonic()
    answers = await saturated(server.ask(endpoint, plan.tokens), plan.callers, plan.seconds, began)
    return figures(answers, began, plan.seconds)


async def side_by_side(server: Server, plan: Plan, promised: float, offered: float) -> tuple[Figures, Figures | None]:
    """The provisioned endpoint at `promised` tokens/s, with `offered` to pay-per-token; nothing where that is 0."""
    began = time.monotonic() + 0.1
    loads = [constant(server.ask(_PROMISED, plan.tokens), promised / plan.tokens, plan.seconds, began)]
    if offered > 0:
        loads.append(constant(server.ask(_SHARED, plan.tokens), offered / plan.tokens, plan.seconds, began))
    found: Sequence[list[Answer]] = await asyncio.gather(*loads)
    measured = [figures(answers, began, plan.seconds) for answers in found]
    return measured[0], measured[1] if offered > 0 else None


@dataclass(frozen=True, slots=True)
class Round:
    """The phases of one server: alone, and under attack with what pay-per-token had then."""

    alone: Figures
    attacked: Figures
    attacker: Figures


async def attack_round(server: Server, plan: Plan, promised: float, rest: float) -> Round:
    """Both phases, one after the other."""
    alone, _ = await side_by_side(server, plan, promised, 0)
    await asyncio.sleep(1.0)
    attacked, attacker = await side_by_side(server, plan, promised, _ATTACK * rest)
    if attacker is None:
        raise AssertionError("there was an attack")
    return Round(alone, attacked, attacker)


async def overload(server: Server, plan: Plan, promised: float) -> dict[str, float]:
    """The provisioned endpoint offered three times its promise; who is refused comes back when told to."""
    began = time.monotonic() + 0.1
    ask = server.ask(_PROMISED, plan.tokens)
    answers = await persistent(ask, _ATTACK * promised / plan.tokens, plan.seconds, began)
    refused = [one for one in answers if one.status == _TOO_MANY]
    again = [one.again for one in refused if one.again is not None and one.again.status]
    admitted = figures([*answers, *again], began, plan.seconds)
    nan = float("nan")
    return {
        "offered": len(answers),
        "refused": len(refused),
        "refusal_p50_ms": 1000 * percentile([one.refused_s for one in refused], 0.5) if refused else nan,
        "refusal_p99_ms": 1000 * percentile([one.refused_s for one in refused], 0.99) if refused else nan,
        "came_back": len(again),
        "came_back_admitted": sum(one.status == _OK for one in again) / len(again) if again else nan,
        "delivered": admitted.tokens_per_s * plan.seconds / (promised * (plan.seconds + BucketPolicy().burst_s)),
        "tpot_p99_ms": admitted.tpot_p99_ms,
    }


def measure(models_dir: Path, plan: Plan) -> dict[str, Any]:
    """All phases, on one home."""
    warm_up = replace(plan, seconds=min(3.0, plan.seconds))
    with TemporaryDirectory() as folder:
        home = Path(folder)
        with started(home, models_dir, has_precedence=True) as server:
            asyncio.run(full(server, _SHARED, warm_up))
            before = asyncio.run(full(server, _SHARED, plan))
            bought, weights = provision(server)
            beside = asyncio.run(full(server, _SHARED, plan))
            promised = plan.tokens * bought / weights.work(TokenCounts(_PROMPT_TOKENS, plan.tokens))
            rest = max(before.tokens_per_s - promised, 0.1 * before.tokens_per_s)
            with_precedence = asyncio.run(attack_round(server, plan, promised, rest))
            overloaded = asyncio.run(overload(server, plan, promised))
        with started(home, models_dir, has_precedence=False) as server:
            _wait(lambda: server.call("GET", f"{_ENDPOINTS}/{_PROMISED}")["state"]["ready"], "READY", "")
            asyncio.run(side_by_side(server, warm_up, promised, 0))
            without = asyncio.run(attack_round(server, plan, promised, rest))
    return {
        "bought": bought,
        "promised_tokens_per_s": promised,
        "shared_without_provisioned": asdict(before),
        "shared_beside_idle_provisioned": asdict(beside),
        "idle_ratio": beside.tokens_per_s / before.tokens_per_s,
        "with_precedence": _judged(with_precedence, plan),
        "without_precedence": _judged(without, plan),
        "overload": overloaded,
    }


def _judged(one: Round, plan: Plan) -> dict[str, Any]:
    return {
        "delivered_alone": _delivered(one.alone, plan),
        "delivered_attacked": _delivered(one.attacked, plan),
        "tpot_ratio": one.attacked.tpot_p99_ms / one.alone.tpot_p99_ms,
        "alone": asdict(one.alone),
        "attacked": asdict(one.attacked),
        "attacker": asdict(one.attacker),
    }


def _delivered(measured: Figures, plan: Plan) -> float:
    return measured.tokens_per_s * plan.seconds / (measured.requests * plan.tokens)


def show(found: dict[str, Any]) -> None:
    """The table."""
    shared = found["shared_without_provisioned"]
    print(f"promised {found['promised_tokens_per_s']:.1f} tokens/s, saturated {shared['tokens_per_s']:.1f}\n")
    columns = ("delivered/promised", "TPOT p50 ms", "TPOT p99 ms", "TPOT ratio", "TTFT p95 ms", "others tokens/s")
    print(f"{'':28}" + "".join(f"{column:>20}" for column in columns))
    for name in ("with_precedence", "without_precedence"):
        judged = found[name]
        for phase in ("alone", "attacked"):
            row = judged[phase]
            is_attack = phase == "attacked"
            ratio = f"{judged['tpot_ratio']:.2f}" if is_attack else "-"
            others = f"{judged['attacker']['tokens_per_s']:.1f}" if is_attack else "-"
            cells = (
                f"{judged[f'delivered_{phase}']:.1%}",
                f"{row['tpot_p50_ms']:.1f}",
                f"{row['tpot_p99_ms']:.1f}",
                ratio,
                f"{row['ttft_p95_ms']:.0f}",
                others,
            )
            print(f"{name.replace('_', ' ') + ', ' + phase:28}" + "".join(f"{cell:>20}" for cell in cells))
    own = found["overload"]
    print(
        f"\nits own promise offered {_ATTACK:g} times: {own['refused']:.0f} of {own['offered']:.0f} refused, in "
        f"{own['refusal_p50_ms']:.1f} ms (p50), {own['refusal_p99_ms']:.1f} ms (p99);\nof {own['came_back']:.0f} who "
        f"came back as told {own['came_back_admitted']:.1%} were let in; delivered/promised {own['delivered']:.1%}, "
        f"TPOT p99 {own['tpot_p99_ms']:.1f} ms"
    )
    before, beside = found["shared_without_provisioned"], found["shared_beside_idle_provisioned"]
    print(
        f"\npay-per-token alone: {before['tokens_per_s']:.1f} tokens/s without a provisioned endpoint, "
        f"{beside['tokens_per_s']:.1f} beside an idle one: {found['idle_ratio']:.1%}"
    )


def main() -> None:
    """Measure and print; `--save` keeps the figures under benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    parser.add_argument("--callers", type=int, default=4, help="who saturate an engine")
    parser.add_argument("--tokens", type=int, default=48, help="of an answer")
    parser.add_argument("--models-dir", type=Path, default=ROOT / ".dev" / "models")
    parser.add_argument("--save", action="store_true")
    args = parser.parse_args()
    found = measure(args.models_dir, Plan(args.seconds, args.callers, args.tokens))
    show(found)
    print(f"\n{_FORMULAS}")
    if args.save:
        path = ROOT / "benchmarks" / "results" / f"promise-{time.strftime('%Y-%m-%d')}.json"
        record = {"machine": machine(), "seconds": args.seconds, "tokens": args.tokens, "figures": found}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"saved to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
