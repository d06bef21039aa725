"""Registered models: three-level names, versions, aliases and the files of a version. Unity Catalog's words."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from openfm.core.errors import InvalidParameterValue, NotFound

LONGEST_NAME = 255
SYSTEM_CATALOG = "system"
SOURCE_KIND_TAG = "openfm.source_kind"
"""Version tag: the version came from `openfm models register`, so a file that cannot be trusted fails it."""
HUB_KIND = "hub"
"""Value of `SOURCE_KIND_TAG`: the server fetches the version's files by itself, and nobody else adds to them."""
QUANTIZATION_TAG = "openfm.quantization"
"""Version tag: how Hugging Face weights are converted before they are served, `f16` or `q8_0`."""
BASE_TAG = "openfm.base"
"""Version tag: the model and version that a LoRA adapter belongs to, like `main.default.base/1`."""

_LEVELS = ("catalog", "schema", "model")
_FORBIDDEN = frozenset("./\\ ")
_ALIAS = re.compile(r"[\w-]{1,255}")
_RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)
_VERSION = re.compile(r"0*[1-9][0-9]{0,8}")


class VersionStatus(StrEnum):
    """How far the registration of a version has come."""

    PENDING = "PENDING_REGISTRATION"
    READY = "READY"
    FAILED = "FAILED_REGISTRATION"


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """`catalog.schema.model`, in lower case as Unity Catalog keeps names."""

    catalog: str
    schema: str
    model: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name in `text`. Raises `InvalidParameterValue` that says which level is wrong and why."""
        levels = text.split(".")
        if len(levels) != len(_LEVELS):
            raise InvalidParameterValue(
                f"'{_shown(text)}' is no model name; write three levels, as in catalog.schema.model.", param="name"
            )
        return cls(*(_level(kind, level) for kind, level in zip(_LEVELS, levels, strict=True)))

    @property
    def full_name(self) -> str:
        """The three levels with dots between."""
        return f"{self.catalog}.{self.schema}.{self.model}"

    @property
    def is_system(self) -> bool:
        """Whether the platform offers it: such models cannot be changed."""
        return self.catalog == SYSTEM_CATALOG

    def __str__(self) -> str:
        return self.full_name


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a version: the SHA-256 of its content, its bytes, and when it came (ms since the epoch)."""

    digest: str
    size: int
    modified_at: int


Manifest = Mapping[str, FileEntry]
"""Path inside the version (forward slashes, relative) -> file."""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A name under which versions are kept. Times are ms since the epoch; `aliases` maps an alias to a version."""

    name: ModelName
    id: str
    comment: str
    owner: str
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    aliases: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a model.

    `facts` are those of `weights.inspection.ModelFacts` (of the catalogue's own models, what it says of them), or None
    where nothing can serve it; `unservable_reason` then says why. `digest` is over the manifest, None until the version
    is final. `aliases` are those that point to it.
    """

    name: ModelName
    version: int
    id: str
    status: VersionStatus
    status_message: str
    source: str
    run_id: str
    comment: str
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    aliases: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None
    unservable_reason: str | None = None
    digest: str | None = None

    @property
    def storage_location(self) -> str:
        """The folder of its files, as the Files API names it."""
        return f"/Models/{self.name.catalog}/{self.name.schema}/{self.name.model}/{self.version}"


def version_number(text: str | int) -> int:
    """The version that a client means by 3 or "3". Raises `InvalidParameterValue`."""
    if not _VERSION.fullmatch(str(text)):
        raise InvalidParameterValue(
            f"'{_shown(str(text))}' is no model version; write a whole number from 1.", param="version"
        )
    return int(text)


def checked_alias(alias: str) -> str:
    """The alias. Raises `InvalidParameterValue` for one that could be mistaken for a version."""
    if not _ALIAS.fullmatch(alias) or _RESERVED_ALIAS.fullmatch(alias):
        raise InvalidParameterValue(
            f"'{_shown(alias)}' is no alias; use letters, digits, _ and -, but not 'latest' nor 'v' and a number.",
            param="alias",
        )
    return alias


def manifest_digest(manifest: Manifest) -> str:
    """A SHA-256 over paths and contents: equal files give equal digests, whenever they came."""
    listed = [[path, manifest[path].digest, manifest[path].size] for path in sorted(manifest)]
    return hashlib.sha256(json.dumps(listed, ensure_ascii=True).encode()).hexdigest()


def model_not_found(name: ModelName, param: str = "name") -> NotFound:
    """No model of that name, which the request has in `param`."""
    return NotFound(
        f"The registered model '{name}' does not exist. "
        "List the models with GET /api/2.1/unity-catalog/models or `openfm models list --registered`.",
        param=param,
    )


def version_not_found(name: ModelName, version: int | str, param: str = "version") -> NotFound:
    """The model has no such version, which the request has in `param`."""
    return NotFound(
        f"The registered model '{name}' has no version {version}. List its versions with `openfm models versions`.",
        param=param,
    )


def _level(kind: str, text: str) -> str:
    level = text.lower()
    if not level:
        reason = "is empty"
    elif len(level) > LONGEST_NAME:
        reason = f"is longer than {LONGEST_NAME} characters"
    elif not level.isprintable() or _FORBIDDEN & set(level):
        reason = "has a space, a dot, a slash or a control character"
    else:
        return level
    raise InvalidParameterValue(f"The {kind} in a model name {reason}: '{_shown(text)}'.", param="name")


def _shown(text: str) -> str:
    """The text, short and harmless enough to be told back."""
    short = text if len(text) <= LONGEST_NAME else text[:40] + "…"
    return short.encode("unicode_escape").decode("ascii") if not short.isprintable() else short
