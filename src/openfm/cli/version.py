"""`openfm version`."""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from openfm import __version__
from openfm.cli.output import Output, OutputOption, print_facts, print_json

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_ENGINES = {"llama.cpp (xllamacpp)": "xllamacpp", "ONNX Runtime": "onnxruntime"}


@app.command("version")
def show(output: OutputOption = Output.TEXT) -> None:
    """Show the versions of openfm, Python and the engines."""
    facts = {"openfm": __version__, "Python": platform.python_version(), "platform": platform.platform()}
    facts |= {name: _installed(package) for name, package in _ENGINES.items()}
    if output.is_json:
        print_json(facts)
    else:
        print_facts(facts.items())


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
