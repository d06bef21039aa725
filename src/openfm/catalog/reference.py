"""Writes `docs/reference/models.md`: `python -m openfm.catalog.reference > docs/reference/models.md`."""

import sys
from collections.abc import Iterable

from openfm.catalog.catalog import Catalog, CatalogModel, Standing, load_catalog
from openfm.catalog.fit import size_words

_INTRO = """\
# Models

Made from `src/openfm/catalog/foundation_models.toml` by `python -m openfm.catalog.reference`; do not edit.

`openfm models list` shows the same for your machine, with the reason where a model cannot run on it. A model answers
to its short name, its endpoint name and its entity name alike. Memory is RAM for llama.cpp and ONNX Runtime, and GPU
memory, all GPUs together, for vLLM. Sizes are decimal (1 GB = 10^9 bytes). Models whose source is gated need the
licence accepted on the hub and `HF_TOKEN` set.
"""
_HEADINGS = {
    Standing.DEFAULT: "Served from the first start",
    Standing.CURRENT: "On Databricks' list today",
    Standing.RETIRED: "Retired by Databricks",
}
_COLUMNS = ("Endpoint", "Task", "Context", "Output limit", "Download", "Memory", "Hardware", "Engine", "Licence")


def models_page(catalog: Catalog) -> str:
    """The whole page, as Markdown."""
    parts = [_INTRO]
    for standing, heading in _HEADINGS.items():
        models = [model for model in catalog.models if model.standing is standing]
        parts.append(f"## {heading}\n\n{_table(models)}\n\n{_details(models)}\n")
    return "\n".join(parts)


def _table(models: Iterable[CatalogModel]) -> str:
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *(_row(model) for model in models)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(model: CatalogModel) -> tuple[str, ...]:
    limit = model.profile.max_output_tokens
    return (
        f"`{model.endpoint_name}`",
        model.profile.task.value,
        f"{model.profile.context_length:,}",
        "" if limit is None else f"{limit:,}",
        size_words(model.size_bytes),
        size_words(model.memory_bytes),
        model.hardware,
        model.engine.value,
        f"[{model.license}]({model.license_url})",
    )


def _details(models: Iterable[CatalogModel]) -> str:
    return "\n".join(f"- **{model.profile.display_name}** (`{model.entity_name}`). {_facts(model)}" for model in models)


def _facts(model: CatalogModel) -> str:
    profile = model.profile
    facts = [profile.description, f"Source: {', '.join(f'`{source}`' for source in model.sources)}."]
    if profile.embedding:
        form = "normalised" if profile.embedding.is_normalized else "not normalised"
        facts.append(f"{profile.embedding.dimension} dimensions, {profile.embedding.pooling} pooling, {form}.")
    if model.embedding_instruction:
        facts.append(f"Instruction for queries: {model.embedding_instruction}")
    if profile.default_system_prompt:
        facts.append(f'Default system prompt: "{profile.default_system_prompt}"')
    if profile.prompt_template:
        facts.append("Prompts are put into its instruction template unless `use_raw_prompt` is set.")
    abilities = [("function calling", profile.has_function_calling), ("reasoning", profile.has_reasoning)]
    if named := [name for name, has_it in abilities if has_it]:
        facts.append(f"Has {' and '.join(named)}.")
    return " ".join(facts)


if __name__ == "__main__":
    sys.stdout.write(models_page(load_catalog()))
