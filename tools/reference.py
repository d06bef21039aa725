"""Writes the pages under docs/reference/ that come from the code: `python tools/reference.py`.

`tests/docs` fails when a page is not what this writes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from openfm.core import errors
from openfm.settings import Settings
from openfm.wire import fields

ROOT = Path(__file__).parent.parent


def fields_page() -> str:
    """The field policy of every data-plane route."""
    parts = [
        "# Request fields\n",
        "What every field of a data-plane request means. Written from `src/openfm/wire/fields.py`.\n",
        "**Implemented** fields do what the API references say, within the bounds named. An **alias** is another name",
        "for a field. A **refused** field would change the answer but is not there: 400, unless its value asks for",
        "nothing. An **ignored** field is accepted and changes nothing. A field that is in no table is ignored and",
        "never reaches an engine. With `OPENFM_STRICT=1` every field without a mark under *Databricks* is refused with",
        "400, as old Databricks endpoints did.\n",
    ]
    paths = {"chat": "chat/completions", "completions": "completions", "embeddings": "embeddings"}
    for name, table in fields.TABLES.items():
        routes = (f"/v1/{paths[name]}", f"/serving-endpoints/{paths[name]}", "/serving-endpoints/{name}/invocations")
        parts += [
            f"## {name.capitalize()}\n\n{', '.join(f'`{route}`' for route in routes)}\n",
            "| field | policy | Databricks | note |",
        ]
        parts.append("|---|---|---|---|")
        parts += [f"| `{f.name}` | {f.policy} | {'yes' if f.is_databricks else ''} | {f.note} |" for f in table]
        parts.append("")
    return "\n".join(parts)


def errors_page() -> str:
    """Every error, by its codes."""
    rows = ["# Errors\n", "Bodies: `/v1` has only `error`, `/invocations` and `/api` only `error_code` and `message`,"]
    rows += ["the OpenAI-like routes under `/serving-endpoints` both. Written from `src/openfm/core/errors.py`.\n"]
    rows += ["| status | `error_code` | `error.code` | meaning |", "|---|---|---|---|"]
    tree = [kind for kind in _descendants(errors.ApiError) if kind.__module__ == errors.__name__]
    kinds = sorted(tree, key=lambda kind: (kind.status, kind.__name__))
    for kind in kinds:
        meaning = (kind.__doc__ or "").strip().splitlines()[0]
        code = f"`{kind.openai_code}`" if kind.openai_code else ""
        rows.append(f"| {kind.status} | `{kind.error_code}` | {code} | {meaning} |")
    return "\n".join(rows) + "\n"


def example_config() -> str:
    """`config/example.toml`: every setting with its default."""
    lines = [
        "# Every setting with its default. Copy what you change to HOME/openfm.toml (or OPENFM_CONFIG).",
        "",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(f"# {field.description} (OPENFM_{name.upper()})")
        default = field.default
        is_unset = default is None or field.default_factory is not None
        lines.append(f"# {name} =" if is_unset else f"{name} = {_toml(default)}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def _descendants(kind: type[errors.ApiError]) -> set[type[errors.ApiError]]:
    return {sub for child in kind.__subclasses__() for sub in {child, *_descendants(child)}}


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/fields.md": fields_page,
    "docs/reference/errors.md": errors_page,
    "config/example.toml": example_config,
}

if __name__ == "__main__":
    for path, page in PAGES.items():
        (ROOT / path).write_text(page())
