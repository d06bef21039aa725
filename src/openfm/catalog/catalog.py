"""The catalogue: every model openfm knows by name, with what it takes to run it.

The data are `foundation_models.toml` beside this file; here they become frozen values that refuse to be wrong.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TypeVar

from openfm.catalog.source import HubSource, Source, parse_source
from openfm.core.errors import NotFound
from openfm.core.model import EmbeddingTraits, ModelProfile, Pooling, Task

_ALIAS_PREFIX = "databricks-"
_DEFAULT_PREFIX = "openfm-"
ValueT = TypeVar("ValueT")


class Standing(StrEnum):
    """What a model is in the catalogue.

    DEFAULT models are served as soon as openfm starts. CURRENT ones are on Databricks' list of today, RETIRED
    ones were: their names still answer here where the hardware allows it.
    """

    DEFAULT = "default"
    CURRENT = "current"
    RETIRED = "retired"


class EngineName(StrEnum):
    """The engine a model is meant for."""

    LLAMA_CPP = "llama_cpp"
    ONNX = "onnx"
    VLLM = "vllm"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file a model needs.

    `role` is its key in an engine's `files`. `sha256` is None where the hub's own checksum, fetched with the
    file, is what there is to check against.
    """

    role: str
    filename: str
    source: Source
    size_bytes: int
    sha256: str | None

    def __post_init__(self) -> None:
        """Refuse names with folders in them and hashes that are none."""
        if "/" in self.filename or self.filename in {"", ".", ".."}:
            raise ValueError(f"{self.filename!r} is no plain file name")
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.sha256!r} is no SHA-256")
        if self.sha256 is None and not isinstance(self.source, HubSource):
            raise ValueError(f"{self.filename}: only the hub has checksums of its own; give sha256")


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model with its source, licence and needs.

    `size_bytes` is what is downloaded, `memory_bytes` what serving takes with one sequence at full context: of
    RAM for the CPU engines, of GPU memory, all GPUs together, for vLLM. Without `files` the first source is a
    whole repository, fetched as it is.
    """

    profile: ModelProfile
    endpoint_name: str
    entity_name: str
    entity_version: str
    sources: tuple[Source, ...]
    files: tuple[ModelFile, ...]
    size_bytes: int
    memory_bytes: int
    hardware: str
    license: str
    license_url: str
    standing: Standing
    engine: EngineName
    embedding_instruction: str | None = None
    architecture: str | None = None

    @property
    def name(self) -> str:
        """The short name: of its folder, and on the command line."""
        return self.endpoint_name.removeprefix(_ALIAS_PREFIX).removeprefix(_DEFAULT_PREFIX)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models, defaults first. Names are unique."""

    models: tuple[CatalogModel, ...]

    def __post_init__(self) -> None:
        """Refuse a name that stands for two models."""
        for names in ([m.endpoint_name for m in self.models], [m.name for m in self.models]):
            if doubles := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"in the catalogue twice: {', '.join(sorted(doubles))}")

    @property
    def defaults(self) -> tuple[CatalogModel, ...]:
        """What is served when nothing is configured."""
        return tuple(model for model in self.models if model.standing is Standing.DEFAULT)

    def find(self, name: str) -> CatalogModel:
        """The model of that short, endpoint or entity name. Raises `NotFound` with the nearest names."""
        for model in self.models:
            if name in {model.name, model.endpoint_name, model.entity_name}:
                return model
        names = [model.name for model in self.models]
        near = [known for known in names if name and name in known][:3] or difflib.get_close_matches(name, names)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`openfm models list` shows all names."
        raise NotFound(f"The catalogue has no model '{name}'. {hint}")

    def default_for(self, task: Task) -> CatalogModel | None:
        """The default model of a task; a chat model also serves completions."""
        wanted = Task.CHAT if task is Task.COMPLETIONS else task
        return next((model for model in self.defaults if model.profile.task is wanted), None)


@cache
def load_catalog() -> Catalog:
    """The catalogue that ships with openfm."""
    return parse_catalog(files(__package__).joinpath("foundation_models.toml").read_text(encoding="utf-8"))


def parse_catalog(text: str) -> Catalog:
    """The catalogue written in `text` (TOML). Raises ValueError, KeyError or an ApiError for one that is wrong."""
    tables: Sequence[Mapping[str, object]] = tomllib.loads(text)["model"]
    return Catalog(tuple(_model(_Table(table)) for table in tables))


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file, read with the type that is expected."""

    values: Mapping[str, object]

    def text(self, key: str) -> str:
        return _expect(str, self.values[key], key)

    def maybe_text(self, key: str) -> str | None:
        return self.text(key) if key in self.values else None

    def number(self, key: str) -> int:
        return _expect(int, self.values[key], key)

    def maybe_number(self, key: str) -> int | None:
        return self.number(key) if key in self.values else None

    def flag(self, key: str) -> bool:
        return _expect(bool, self.values.get(key, False), key)

    def tables(self, key: str) -> list["_Table"]:
        return [_Table(item) for item in _expect(list, self.values.get(key, []), key)]


def _expect(kind: type[ValueT], value: object, key: str) -> ValueT:
    if not isinstance(value, kind):
        raise TypeError(f"{key} must be {kind.__name__}, not {value!r}")
    return value


def _model(table: _Table) -> CatalogModel:
    endpoint_name = table.text("endpoint_name")
    model_files = tuple(_file(item) for item in table.tables("files"))
    return CatalogModel(
        profile=_profile(table),
        endpoint_name=endpoint_name,
        entity_name=_entity_name(endpoint_name),
        entity_version=table.text("entity_version"),
        sources=tuple(parse_source(_expect(str, uri, "sources")) for uri in _expect(list, table.values["sources"], "")),
        files=model_files,
        size_bytes=sum(file.size_bytes for file in model_files) or table.number("size_bytes"),
        memory_bytes=table.number("memory_bytes"),
        hardware=table.text("hardware"),
        license=table.text("license"),
        license_url=table.text("license_url"),
        standing=Standing(table.text("standing")),
        engine=EngineName(table.text("engine")),
        embedding_instruction=table.maybe_text("embedding_instruction"),
        architecture=table.maybe_text("architecture"),
    )


def _entity_name(endpoint_name: str) -> str:
    short = endpoint_name.removeprefix(_ALIAS_PREFIX).removeprefix(_DEFAULT_PREFIX)
    return f"system.ai.{short.replace('-', '_')}"


def _profile(table: _Table) -> ModelProfile:
    traits = None
    if "dimension" in table.values:
        traits = EmbeddingTraits(
            table.number("dimension"), Pooling(table.text("pooling")), is_normalized=table.flag("is_normalized")
        )
    context_length = table.number("context_length")
    description = f"{table.text('description')} It has a context length of {context_words(context_length)}."
    return ModelProfile(
        name=_entity_name(table.text("endpoint_name")),
        model_id=table.text("model_id"),
        display_name=table.text("display_name"),
        description=description,
        docs=table.text("docs"),
        task=Task(table.text("task")),
        context_length=context_length,
        max_output_tokens=table.maybe_number("max_output_tokens"),
        default_system_prompt=table.maybe_text("default_system_prompt"),
        prompt_template=table.maybe_text("prompt_template"),
        embedding=traits,
        has_function_calling=table.flag("has_function_calling"),
        has_reasoning=table.flag("has_reasoning"),
    )


def context_words(tokens: int) -> str:
    """`8K`, `128K`, `512 tokens`: third parties read the context length out of descriptions in this form."""
    if tokens < 1024:
        return f"{tokens} tokens"
    return f"{tokens // 1000}K" if tokens % 1000 == 0 else f"{tokens // 1024}K"


def _file(table: _Table) -> ModelFile:
    return ModelFile(
        role=table.text("role"),
        filename=table.text("filename"),
        source=parse_source(table.text("source")),
        size_bytes=table.number("size_bytes"),
        sha256=table.maybe_text("sha256"),
    )
