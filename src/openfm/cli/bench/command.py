"""`openfm bench`: how an endpoint, or any server with OpenAI's API, does under load."""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer

from openfm.cli.bench.progress import shown_progress
from openfm.cli.bench.sender import Sender
from openfm.cli.bench.target import Target, endpoint_target, is_url, server_part, url_target
from openfm.cli.bench.text import print_run
from openfm.cli.client import connected
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import print_json
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption, environment, find_server
from openfm.core.errors import InvalidParameterValue
from openfm.core.objective import Objective
from openfm.load.arrivals import ArrivalKind, constant_arrivals, parse_trace, poisson_arrivals, trace_arrivals
from openfm.load.html_report import html_report
from openfm.load.lengths import parse_lengths
from openfm.load.prompts import shared_prefix
from openfm.load.report import Run, estimate_note, run_to_json
from openfm.load.runner import OpenLoop, Planned, Shapes, planned
from openfm.load.statistics import summarise

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_MOST_REQUESTS = 200_000
_LATE_MS = 50.0


@app.command()
def bench(
    target: Annotated[str, typer.Argument(help="An endpoint's name, or a base URL such as http://host:8000/v1.")],
    model: Annotated[str | None, typer.Option(help="The model to ask for; needed with a URL.")] = None,
    task: Annotated[str | None, typer.Option(help="chat, completions or embeddings; an endpoint's own.")] = None,
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 1.0,
    arrivals: Annotated[str, typer.Option(help="constant, poisson, or the file of a trace (a time in s a line).")] = (
        "poisson"
    ),
    speed: Annotated[float, typer.Option(help="A trace is played so many times as fast.")] = 1.0,
    prompt_tokens: Annotated[str, typer.Option(help="128, uniform:64-256 or lognormal:128,0.5.")] = "128",
    output_tokens: Annotated[str, typer.Option(help="Likewise.")] = "64",
    shared_tokens: Annotated[int, typer.Option(min=0, help="Tokens that all prompts begin with, for caches.")] = 0,
    duration: Annotated[float, typer.Option(help="Seconds for which requests are sent.")] = 60.0,
    warm_up: Annotated[float, typer.Option(min=0.0, help="Seconds before, which do not count.")] = 5.0,
    timeout: Annotated[float, typer.Option(help="Seconds until a request is given up.")] = 120.0,
    ttft: Annotated[float | None, typer.Option(help="Objective: ms to the first token.")] = None,
    tpot: Annotated[float | None, typer.Option(help="Objective: ms a token after it.")] = None,
    e2e: Annotated[float | None, typer.Option(help="Objective: ms to the end.")] = None,
    percentile: Annotated[float, typer.Option(help="The percentile that must keep the objective.")] = 95.0,
    seed: Annotated[int, typer.Option(help="The same seed sends the same requests at the same times.")] = 0,
    output: Annotated[
        list[str] | None, typer.Option("--output", "-o", help="text, json, or FILE.json, FILE.html; again for more.")
    ] = None,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Load an endpoint, or any server with OpenAI's API, and measure TTFT, TPOT, throughput, goodput and errors.

    An open loop: requests come when they are due, whether or not earlier ones were answered, and latency counts from
    the due time. Formulas are in the report. Exit status 1 when no request was answered.
    """
    outputs = output or ["text"]
    with reported(as_json="json" in outputs):
        _check_outputs(outputs)
        objective = Objective(ttft, tpot, e2e, percentile)
        shapes = _Shape(prompt_tokens, output_tokens, shared_tokens)
        schedule = _Schedule(rate, arrivals, speed, duration, warm_up, seed)
        requests = _requests(schedule, shapes)
        plan = _Plan(requests, warm_up, duration, timeout, objective)
        where = _Where(target, model, task, Given(url, token, home))
        run = asyncio.run(_measured(where, plan, _asked(where, schedule, shapes, timeout)))
        for wanted in outputs:
            _write(run, wanted)
        if not run.summary.answered:
            raise CliError(f"None of {run.summary.requests} requests was answered: {run.summary.errors_told}.")


@dataclass(frozen=True, slots=True)
class _Where:
    target: str
    model: str | None
    task: str | None
    given: Given


@dataclass(frozen=True, slots=True)
class _Shape:
    prompt_tokens: str
    output_tokens: str
    shared_tokens: int


@dataclass(frozen=True, slots=True)
class _Schedule:
    rate: float
    arrivals: str
    speed: float
    duration: float
    warm_up: float
    seed: int


@dataclass(frozen=True, slots=True)
class _Plan:
    requests: list[Planned]
    warm_up_s: float
    duration_s: float
    timeout_s: float
    objective: Objective


def _asked(where: _Where, schedule: _Schedule, shape: _Shape, timeout_s: float) -> dict[str, Any]:
    return {
        "target": where.target,
        "model": where.model,
        "rate": schedule.rate,
        "arrivals": schedule.arrivals,
        "prompt_tokens": shape.prompt_tokens,
        "output_tokens": shape.output_tokens,
        "shared_tokens": shape.shared_tokens,
        "duration_s": schedule.duration,
        "warm_up_s": schedule.warm_up,
        "timeout_s": timeout_s,
        "seed": schedule.seed,
    }


def _requests(schedule: _Schedule, shape: _Shape) -> list[Planned]:
    chance = random.Random(schedule.seed)  # noqa: S311  # to be repeated, not to be secret
    seconds = schedule.warm_up + schedule.duration
    if schedule.rate * seconds > _MOST_REQUESTS:
        raise InvalidParameterValue(f"That is more than {_MOST_REQUESTS} requests. Lower --rate or --duration.")
    due = _due(schedule, seconds, chance)
    shapes = Shapes(
        parse_lengths(shape.prompt_tokens),
        parse_lengths(shape.output_tokens),
        shared_prefix(shape.shared_tokens, chance),
    )
    return list(planned(due, shapes, chance))


def _due(schedule: _Schedule, seconds: float, chance: random.Random) -> list[float]:
    if schedule.arrivals == ArrivalKind.CONSTANT:
        return list(constant_arrivals(schedule.rate, seconds))
    if schedule.arrivals == ArrivalKind.POISSON:
        return list(poisson_arrivals(schedule.rate, seconds, chance))
    try:
        text = Path(schedule.arrivals).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(
            f"'{schedule.arrivals}' is neither constant nor poisson, nor the readable file of a trace ({error}).",
            ExitCode.USAGE,
        ) from error
    return list(trace_arrivals(parse_trace(text), seconds, schedule.speed))


async def _measured(where: _Where, plan: _Plan, asked: dict[str, Any]) -> Run:
    target = await _target(where)
    connector = aiohttp.TCPConnector(limit=0)  # a limit would be a queue of the tool's own
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with aiohttp.ClientSession(connector=connector, trust_env=True) as session:
        sender = Sender(session, target, plan.timeout_s)
        with shown_progress(len(plan.requests)) as on_change:
            origin_s = time.perf_counter()
            loop = OpenLoop(sender.send, time.perf_counter, on_change)
            outcomes = await loop.run(plan.requests, asyncio.sleep, plan.timeout_s + 1)
    counted = [outcome for outcome in outcomes if outcome.due_s >= origin_s + plan.warm_up_s]
    if not counted:
        raise CliError("No request was due after the warm-up. Raise --rate or --duration.", ExitCode.USAGE)
    summary = summarise(counted, plan.objective, plan.duration_s)
    run = Run(
        asked={**asked, "url": target.url, "task": str(target.task)},
        outcomes=counted,
        summary=summary,
        origin_s=origin_s,
        warm_up=len(outcomes) - len(counted),
        began_at=began_at,
    )
    return replace(run, notes=_notes(run))


async def _target(where: _Where) -> Target:
    if is_url(where.target):
        server = find_server(replace(where.given, url=server_part(where.target)), environment())
        return url_target(where.target, server, where.model, where.task)
    async with connected(find_server(where.given, environment())) as client:
        return await endpoint_target(where.target, client, where.model, where.task)


def _notes(run: Run) -> list[str]:
    estimated, late = estimate_note(run.summary), run.summary.late_ms.percentiles[99.0]
    notes = [] if estimated is None else [estimated]
    if late is None or late < _LATE_MS:
        return notes
    return [
        *notes,
        f"The load tool itself was late by {late:.0f} ms (p99): run it on another machine, or at a lower rate.",
    ]


def _check_outputs(outputs: list[str]) -> None:
    for wanted in outputs:
        if wanted not in ("text", "json") and not wanted.endswith((".json", ".html")):
            raise CliError(f"'{wanted}' is no output. Use text, json, FILE.json or FILE.html.", ExitCode.USAGE)
        if wanted not in ("text", "json") and not Path(wanted).parent.is_dir():
            raise CliError(f"There is no folder {Path(wanted).parent}.", ExitCode.USAGE)


def _write(run: Run, wanted: str) -> None:
    if wanted == "text":
        print_run(run)
    elif wanted == "json":
        print_json(run_to_json(run))
    else:
        text = html_report(run) if wanted.endswith(".html") else json.dumps(run_to_json(run), indent=1)
        Path(wanted).write_text(text, encoding="utf-8")
        sys.stderr.write(f"Written: {wanted}\n")
