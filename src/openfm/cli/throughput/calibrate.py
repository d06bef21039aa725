"""`openfm calibrate`: what a model version can do on the server's machine."""

import asyncio
import sys
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from openfm.cli.access_api import Facts, talk
from openfm.cli.client import Client
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, OutputOption, print_json, print_table
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption
from openfm.cli.text import neutral
from openfm.cli.throughput.profile_text import print_profile, shown_objective
from openfm.cli.throughput.versions import newest_version, split_version

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_PATH = "/api/2.0/openfm/calibrations"
_INTERVAL_S = 1.0
_OPEN = ("PENDING", "RUNNING")


@app.command()
def calibrate(
    model: Annotated[str | None, typer.Argument(help="MODEL or MODEL/VERSION; the newest version by default.")] = None,
    ttft: Annotated[float | None, typer.Option(help="Objective: ms to the first token.")] = None,
    tpot: Annotated[float | None, typer.Option(help="Objective: ms a token after it.")] = None,
    e2e: Annotated[float | None, typer.Option(help="Objective: ms to the end.")] = None,
    percentile: Annotated[float | None, typer.Option(help="The percentile that must keep the objective.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed sends the same requests.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Less than a minute; the profile is provisional.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Measure nothing; show what was measured.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End what is being measured of it, or waits.")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List the calibrations of all models, or of this one.")
    ] = False,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Measure what a model version can do on the server's machine, and keep it with the version.

    Takes about four minutes on two cores; the model is loaded once more for it. The server goes on when this command
    is interrupted, and after a restart of its own; the same command then watches again. With another objective, seed
    or kind it waits until that one is done.
    """
    given = Given(url, token, home)
    with reported(as_json=output.is_json):
        if listed:
            _print_list(talk(given, lambda client: _all(client, model)), output)
            return
        if model is None:
            raise CliError("Say which model, as in main.default.model/1.", ExitCode.USAGE)
        name, version = split_version(model)
        if cancel:
            talk(given, lambda client: _cancel(client, name, version))
            return
        if show:
            found = talk(given, lambda client: _profiles(client, name, version))
        else:
            bounds = {"ttft_ms": ttft, "tpot_ms": tpot, "e2e_ms": e2e, "percentile": percentile}
            wanted = {
                "entity_name": name,
                "entity_version": version,
                "objective": {key: value for key, value in bounds.items() if value is not None},
                "seed": seed,
                "is_provisional": quick,
            }
            found = talk(given, lambda client: _calibrated(client, wanted))
        if output.is_json:
            print_json(found)
        else:
            for profile in found:
                print_profile(profile)


async def _calibrated(client: Client, wanted: Facts) -> list[Facts]:
    before = await _open(client, str(wanted["entity_name"]), None)
    one = await client.call("POST", _PATH, wanted)
    others = [other for other in before if other["entity_version"] == one["entity_version"]]
    if any(other["id"] == one["id"] for other in others):
        _say("Just this is being measured already; this watches.")
    elif others:
        shown = "; ".join(_wish(other) for other in others)
        _say(f"It is being measured otherwise ({shown}); this begins when that is done.")
    one = await _watched(client, one)
    if one["state"] != "SUCCEEDED":
        raise CliError(f"The calibration failed: {one['message']}", ExitCode.UNHEALTHY)
    if one["message"]:
        _say(str(one["message"]))
    return await _profiles(client, str(one["entity_name"]), str(one["entity_version"]))


async def _watched(client: Client, one: Facts) -> Facts:
    """The calibration when it is over; what it does is told meanwhile."""
    told = ""
    while one["state"] in _OPEN:
        line = f"{float(one['progress']):4.0%}  {one['message']}"
        if line != told:
            _say(line)
            told = line
        await asyncio.sleep(_INTERVAL_S)
        one = await client.call("GET", f"{_PATH}/{one['id']}")
    return one


async def _profiles(client: Client, name: str, version: str | None) -> list[Facts]:
    number = version or await newest_version(client, name)
    path = f"/api/2.0/openfm/models/{quote(name, safe='')}/{quote(number, safe='')}/throughput-profiles"
    found = list((await client.call("GET", path))["profiles"])
    if not found:
        raise CliError(
            f"'{name}' version {number} was not calibrated.", ExitCode.NOT_FOUND, hint=f"openfm calibrate {name}"
        )
    return [{"entity_name": name, "entity_version": number, **profile} for profile in found]


async def _all(client: Client, model: str | None) -> list[Facts]:
    asked = "" if model is None else f"?{urlencode({'entity_name': split_version(model)[0]})}"
    return list((await client.call("GET", _PATH + asked))["calibrations"])


async def _open(client: Client, name: str, version: str | None) -> list[Facts]:
    """What is being measured of the model, or waits; the newest first."""
    found = await _all(client, name)
    return [one for one in found if one["state"] in _OPEN and version in (None, one["entity_version"])]


async def _cancel(client: Client, name: str, version: str | None) -> None:
    found = await _open(client, name, version)
    if not found:
        raise CliError(f"'{name}' is not being calibrated.", ExitCode.NOT_FOUND)
    for one in found:
        await client.call("DELETE", f"{_PATH}/{one['id']}")


def _say(line: str) -> None:
    sys.stderr.write(neutral(line) + "\n")
    sys.stderr.flush()


def _wish(one: Facts) -> str:
    return f"{_kind(one)}, {shown_objective(one['objective'])}, seed {one['seed']}"


def _kind(one: Facts) -> str:
    return "quick" if one["is_provisional"] else "full"


def _print_list(found: list[Facts], output: Output) -> None:
    if output.is_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['entity_name']}/{one['entity_version']}",
            _kind(one),
            one["state"],
            f"{float(one['progress']):.0%}",
            one["message"],
        )
        for one in found
    ]
    print_table(("MODEL", "KIND", "STATE", "DONE", "MESSAGE"), rows)
