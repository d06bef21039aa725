"""`openfm doctor`."""

import asyncio
import dataclasses
import sys
from typing import Annotated

import typer

from openfm.catalog.catalog import load_catalog
from openfm.cli.errors import ExitCode, reported
from openfm.cli.local import load_settings
from openfm.cli.models import ModelsDirOption
from openfm.cli.output import Output, OutputOption, print_json
from openfm.cli.profile import HomeOption
from openfm.cli.text import neutral
from openfm.ops.doctor import Finding, Level, Patient, examine

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def doctor(
    home: HomeOption = None,
    models_dir: ModelsDirOption = None,
    host: Annotated[str | None, typer.Option(help="Address the server would listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check Python, memory, disk, port, model files and engines, and say what to do.

    Works without a server. Ends with 8 when something keeps openfm from running.
    """
    with reported(as_json=output.is_json):
        settings = load_settings({"home": home, "models_dir": models_dir, "host": host, "port": port})
        patient = Patient(settings.home, settings.weights_dir, settings.host, settings.port, load_catalog().defaults)
        findings = asyncio.run(_examine(patient, output))
        if output.is_json:
            print_json([dataclasses.asdict(finding) for finding in findings])
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(ExitCode.UNHEALTHY)


async def _examine(patient: Patient, output: Output) -> list[Finding]:
    findings = []
    async for finding in examine(patient):
        findings.append(finding)
        if not output.is_json:
            _print(finding)
    return findings


def _print(finding: Finding) -> None:
    sys.stdout.write(f"{finding.level.upper():<5} {finding.check}: {neutral(finding.detail)}\n")
    if finding.advice:
        sys.stdout.write(f"      {neutral(finding.advice)}\n")
    sys.stdout.flush()
