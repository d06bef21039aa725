"""`openfm endpoints report`: promised against delivered, minute by minute."""

import sys
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

import typer

from openfm.cli.access_api import Facts, talk
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table, print_text
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption
from openfm.cli.text import neutral


def report(
    name: Annotated[str, typer.Argument(help="The endpoint's name.")],
    minutes: Annotated[int, typer.Option(help="How far back.")] = 60,
    output: OutputOption = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Show promised against delivered throughput, and latency against the objective, minute by minute."""
    with reported(as_json=output.is_json):
        path = f"/api/2.0/openfm/endpoints/{quote(name, safe='')}/report?minutes={minutes}"
        found = talk(Given(url, token, home), lambda client: client.call("GET", path))
        if output.is_json:
            print_json(found)
        else:
            _print(found)


def _print(found: Facts) -> None:
    if found.get("warning"):
        sys.stderr.write(f"Warning: {neutral(str(found['warning']))}\n")
    objective = found["objective"]
    bounds = [(name.upper(), objective[f"{name}_ms"]) for name in ("ttft", "tpot", "e2e")]
    shown = ", ".join(f"{name} ≤ {bound:g} ms" for name, bound in bounds if bound is not None)
    promised = found["promised_throughput"]
    print_facts(
        [
            ("endpoint", found["endpoint"]),
            ("promised", f"{promised:g} tokens/s" if promised else "nothing: it is not provisioned"),
            ("objective", f"{shown} at p{objective['percentile']:g}"),
            ("in breach", f"{found['minutes_in_breach']} of {found['minutes_with_requests']} minutes with requests"),
        ]
    )
    print_text("")
    columns = (
        "MINUTE (UTC)",
        "REQUESTS",
        "REFUSED",
        "PROMISED tok/s",
        "DELIVERED tok/s",
        "TTFT ms",
        "TPOT ms",
        "E2E ms",
        "WHY",
    )
    print_table(columns, [_row(minute) for minute in found["minutes"]])


def _row(minute: Facts) -> tuple[str, ...]:
    start = datetime.fromtimestamp(minute["start_timestamp"] / 1000, UTC)
    values = ("-" if minute[name] is None else f"{minute[name]:.0f}" for name in ("ttft_ms", "tpot_ms", "e2e_ms"))
    return (
        f"{start:%m-%d %H:%M}",
        str(minute["requests"]),
        str(minute["refused"]),
        f"{minute['promised_throughput']:g}" if minute["promised_throughput"] else "-",
        f"{minute['delivered_throughput']:.1f}",
        *values,
        "; ".join(minute["breaches"]),
    )
