"""The catalogue is complete, and refuses to be wrong."""

import pytest

from openfm.catalog.catalog import (
    Catalog,
    CatalogModel,
    ModelFile,
    Standing,
    context_words,
    load_catalog,
    parse_catalog,
)
from openfm.catalog.source import HubSource, parse_source
from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.model import Pooling, Task

DATABRICKS = {
    "databricks-dbrx-instruct": (Task.CHAT, 32_768),
    "databricks-dbrx-base": (Task.COMPLETIONS, 32_768),
    "databricks-meta-llama-3-8b-instruct": (Task.CHAT, 8192),
    "databricks-meta-llama-3-70b-instruct": (Task.CHAT, 8192),
    "databricks-llama-2-70b-chat": (Task.CHAT, 4096),
    "databricks-mixtral-8x7b-instruct": (Task.CHAT, 32_768),
    "databricks-mpt-7b-instruct": (Task.COMPLETIONS, 8192),
    "databricks-mpt-30b-instruct": (Task.COMPLETIONS, 8192),
    "databricks-bge-large-en": (Task.EMBEDDINGS, 512),
    "databricks-gpt-oss-120b": (Task.CHAT, 131_072),
    "databricks-gpt-oss-20b": (Task.CHAT, 131_072),
    "databricks-llama-4-maverick": (Task.CHAT, 128_000),
    "databricks-meta-llama-3-3-70b-instruct": (Task.CHAT, 128_000),
    "databricks-meta-llama-3-1-8b-instruct": (Task.CHAT, 128_000),
    "databricks-meta-llama-3-1-405b-instruct": (Task.CHAT, 128_000),
    "databricks-gemma-3-12b": (Task.CHAT, 128_000),
    "databricks-qwen3-next-80b-a3b-instruct": (Task.CHAT, 262_144),
    "databricks-qwen35-122b-a10b": (Task.CHAT, 262_144),
    "databricks-qwen3-embedding-0-6b": (Task.EMBEDDINGS, 32_768),
    "databricks-gte-large-en": (Task.EMBEDDINGS, 8192),
}
MODELS = load_catalog().models


@pytest.mark.parametrize("name", DATABRICKS)
def test_every_model_of_databricks_is_there_with_task_and_context(name: str) -> None:
    model = load_catalog().find(name)
    assert (model.profile.task, model.profile.context_length) == DATABRICKS[name]
    assert all(isinstance(source, HubSource) for source in model.sources)


def test_the_defaults_are_one_chat_and_one_embedding_model() -> None:
    chat, embeddings = load_catalog().defaults
    assert (chat.endpoint_name, chat.entity_name, chat.entity_version) == (
        "openfm-smollm2-135m-instruct",
        "system.ai.smollm2_135m_instruct",
        "1",
    )
    assert (embeddings.endpoint_name, embeddings.entity_name) == ("openfm-minilm-l6-v2", "system.ai.minilm_l6_v2")
    assert load_catalog().default_for(Task.COMPLETIONS) is chat
    assert load_catalog().default_for(Task.EMBEDDINGS) is embeddings
    assert all(file.sha256 for model in load_catalog().defaults for file in model.files)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_an_entry_hangs_together(model: CatalogModel) -> None:
    profile = model.profile
    assert profile.name == model.entity_name
    assert f"context length of {context_words(profile.context_length)}" in profile.description
    assert (profile.embedding is not None) == (profile.task is Task.EMBEDDINGS)
    assert model.size_bytes < model.memory_bytes
    assert model.license_url.startswith("https://")
    assert "{prompt}" in (profile.prompt_template or "{prompt}")
    if profile.task is not Task.EMBEDDINGS and model.standing is not Standing.DEFAULT:
        assert profile.model_id[-6:].isdigit()


def test_bge_is_run_as_its_makers_say() -> None:
    bge = load_catalog().find("bge-large-en")
    assert bge.profile.embedding
    assert (bge.profile.embedding.dimension, bge.profile.embedding.pooling) == (1024, Pooling.CLS)
    assert bge.profile.embedding.is_normalized
    assert bge.embedding_instruction == "Represent this sentence for searching relevant passages:"


@pytest.mark.parametrize("name", ["dbrx-instruct", "databricks-dbrx-instruct", "system.ai.dbrx_instruct"])
def test_a_model_answers_to_three_names(name: str) -> None:
    assert load_catalog().find(name).endpoint_name == "databricks-dbrx-instruct"


@pytest.mark.parametrize(("typed", "meant"), [("dbrx-instuct", "dbrx-instruct"), ("smollm2", "smollm2-135m-instruct")])
def test_an_unknown_name_gets_the_nearest_ones(typed: str, meant: str) -> None:
    with pytest.raises(NotFound, match=meant):
        load_catalog().find(typed)


def test_a_name_may_not_stand_for_two_models() -> None:
    with pytest.raises(ValueError, match="twice"):
        Catalog((MODELS[0], MODELS[0]))


def test_a_value_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(TypeError, match="endpoint_name must be str"):
        parse_catalog("[[model]]\nendpoint_name = 3\n")


@pytest.mark.parametrize(
    ("filename", "uri", "sha256"),
    [
        ("a/b", "hf://a/b/c", None),
        ("..", "hf://a/b/c", None),
        ("b", "hf://a/b/c", "00"),
        ("b", "pypi://a==1/b", None),
    ],
)
def test_a_file_that_cannot_be_checked_or_kept_is_refused(filename: str, uri: str, sha256: str | None) -> None:
    with pytest.raises(ValueError, match=r"file name|SHA-256|sha256"):
        ModelFile("model", filename, parse_source(uri), 1, sha256)


@pytest.mark.parametrize(("tokens", "words"), [(512, "512 tokens"), (8192, "8K"), (128_000, "128K"), (131_072, "128K")])
def test_context_lengths_are_written_as_third_parties_read_them(tokens: int, words: str) -> None:
    assert context_words(tokens) == words


@pytest.mark.parametrize(
    "uri",
    [
        "hf://org/repo",
        "hf://org/repo@v1",
        "hf://org/repo/onnx/model.onnx",
        "hf://org/repo@v1/a.gguf",
        "pypi://pkg==1.0/pkg/a.gguf",
        "file:///a/b%20c",
    ],
)
def test_a_source_is_written_as_it_was_read(uri: str) -> None:
    assert str(parse_source(uri)) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "hf://repo",
        "hf://a/b/../c",
        "pypi://a/b",
        "pypi://a==1",
        "file://host/a",
        "file:a",
        "http://a/b",
        "s3://a/b",
    ],
)
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(InvalidParameterValue, match="source"):
        parse_source(uri)
