"""Request bodies from the command line: `--json`, or flags for the common case."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openfm.cli.errors import CliError, ExitCode

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[hms])+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)([hms])")


@dataclass(frozen=True, slots=True)
class EntityFlags:
    """One served entity, said by flags; None where a flag was not given."""

    model: str | None = None
    version: str | None = None
    workload_size: str | None = None
    scale_to_zero: bool | None = None
    min_throughput: int | None = None
    max_throughput: int | None = None
    units: int | None = None

    def entity(self) -> dict[str, object]:
        """The entity's body: what was given. Empty when nothing was."""
        named = {
            "entity_name": self.model,
            "entity_version": self.version,
            "workload_size": self.workload_size,
            "scale_to_zero_enabled": self.scale_to_zero,
            "min_provisioned_throughput": self.min_throughput,
            "max_provisioned_throughput": self.max_throughput,
            "provisioned_model_units": self.units,
        }
        return {name: value for name, value in named.items() if value is not None}

    def config(self, text: str | None) -> dict[str, object]:
        """A config of this entity, or the one in `--json`. Raises `CliError` for both and for neither."""
        entity = self.entity()
        if text is not None:
            if entity:
                raise _usage("Give the config either by --json or by flags.")
            return read_body(text)
        if self.model is None:
            raise _usage("Say what to serve: --model catalog.schema.model and --version, or --json.")
        return {"served_entities": [entity]}


def creation_body(
    name: str | None, text: str | None, flags: EntityFlags, details: Mapping[str, object]
) -> dict[str, object]:
    """The body of a creation. `--json` has the whole body; a name and details given beside it win."""
    body: dict[str, object] = {"config": flags.config(None)} if text is None else flags.config(text)
    if name is not None:
        body["name"] = name
    if not body.get("name"):
        raise _usage('The endpoint needs a name: as the first argument, or as "name" in --json.')
    return body | {key: value for key, value in details.items() if value}


def tags_of(given: Sequence[str]) -> list[dict[str, str]]:
    """Tags from `key=value`; a key alone is a tag too."""
    tags = []
    for text in given:
        key, _, value = text.partition("=")
        if not key:
            raise _usage(f"'{text}' is no tag. Write key=value.")
        tags.append({"key": key, "value": value})
    return tags


def read_body(text: str) -> dict[str, object]:
    """The JSON object in `text`, or in the file it names (@FILE, @- for standard input). Raises `CliError`."""
    try:
        if text == "@-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        body = json.loads(text)
    except (OSError, ValueError) as error:
        raise CliError(f"--json cannot be read: {error}.", ExitCode.USAGE) from error
    if not isinstance(body, dict):
        raise _usage("--json must be a JSON object.")
    return body


def seconds(text: str) -> float:
    """Seconds from "90", "20m" or "1h30m". Raises `CliError`."""
    try:
        value = float(text)
    except ValueError:
        if _DURATION.fullmatch(text) is None:
            raise _usage(f"--timeout is '{text}'. Write seconds, or like 20m or 1h30m.") from None
        value = sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION_PART.findall(text))
    if not 0 < value < float("inf"):
        raise _usage("--timeout must be more than nothing and less than for ever.")
    return value


def _usage(message: str) -> CliError:
    return CliError(message, ExitCode.USAGE)
