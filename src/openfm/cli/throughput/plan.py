"""`openfm plan`: how much throughput a load needs, and what that costs."""

import sys
from typing import Annotated
from urllib.parse import urlencode

import typer

from openfm.cli.access_api import Facts, talk
from openfm.cli.client import Client
from openfm.cli.errors import CliError, ExitCode, reported
from openfm.cli.output import Output, print_facts, print_json
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption
from openfm.cli.text import neutral
from openfm.cli.throughput.versions import newest_version, split_version

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def plan(
    model: Annotated[str, typer.Option(help="MODEL or MODEL/VERSION, calibrated before.")],
    requests_per_minute: Annotated[float | None, typer.Option(help="How many requests come.")] = None,
    prompt: Annotated[float | None, typer.Option(help="Prompt tokens of each, on average.")] = None,
    output_tokens: Annotated[float | None, typer.Option("--output", help="Completion tokens of each.")] = None,
    cached: Annotated[float, typer.Option(help="Prompt tokens of each that a cache will have.")] = 0.0,
    from_ledger: Annotated[
        float | None, typer.Option(help="Replay what was asked in the last so many hours instead.")
    ] = None,
    output: Annotated[Output, typer.Option("--format", "-o", help="text for people, json for programs.")] = Output.TEXT,
    url: UrlOption = None,
    token: TokenOption = None,
    home: HomeOption = None,
) -> None:
    """Tell how much throughput a load needs, and what that costs."""
    with reported(as_json=output.is_json):
        if from_ledger is not None and (requests_per_minute, prompt, output_tokens) != (None, None, None):
            raise CliError(
                "--from-ledger knows the load: leave out --requests-per-minute, --prompt and --output.", ExitCode.USAGE
            )
        if from_ledger is None and None in (requests_per_minute, prompt, output_tokens):
            raise CliError("Say --requests-per-minute, --prompt and --output, or --from-ledger HOURS.", ExitCode.USAGE)
        asked = {
            "requests_per_minute": requests_per_minute,
            "prompt_tokens": prompt,
            "completion_tokens": output_tokens,
            "cached_tokens": cached,
            "ledger_hours": from_ledger,
        }
        found = talk(Given(url, token, home), lambda client: _plan(client, model, asked))
        if output.is_json:
            print_json(found)
        else:
            _print(found)


async def _plan(client: Client, model: str, asked: dict[str, float | None]) -> Facts:
    name, version = split_version(model)
    number = version or await newest_version(client, name)
    given = {key: value for key, value in asked.items() if value is not None}
    query = urlencode({"entity_name": name, "entity_version": number, **given})
    return await client.call("GET", f"/api/2.0/openfm/plan?{query}")


def _print(found: Facts) -> None:
    for problem in (found.get("warning"), found.get("shortage")):
        if problem:
            sys.stderr.write(f"Warning: {neutral(str(problem))}\n")
    price = found["price_per_hour"]
    print_facts(
        [
            ("model", f"{found['entity_name']}/{found['entity_version']}"),
            ("load", found["basis"]),
            ("work", f"{found['work_per_s']:.1f} tokens/s ({found['work_per_request']:.1f} a request)"),
            ("units", f"{found['units']} of {found['throughput_chunk_size']} tokens/s, on {_replicas(found)}"),
            ("provision", f"max_provisioned_throughput {found['max_provisioned_throughput']}"),
            ("this machine", f"{found['machine_throughput']} tokens/s, {found['left_throughput']} of them left"),
            ("used", f"{found['utilization']:.0%}; room for {found['spare_requests_per_minute']:.0f} more a minute"),
            ("price", "no price set" if price is None else f"{price['amount']} {price['currency']} an hour"),
        ]
    )


def _replicas(found: Facts) -> str:
    return "one replica" if found["replicas"] == 1 else f"{found['replicas']} replicas"
