"""What is read from model folders of every kind."""

import json
from pathlib import Path

import pytest

from openfm.core.model import EmbeddingTraits, Pooling, Task
from openfm.weights.errors import CorruptModel, RefusedModel, UnsupportedModel
from openfm.weights.facts import ModelFacts, ModelFormat
from openfm.weights.inspection import inspect
from tests.unit.weights.files import CHATML, LLAMA_KEYS, gguf, onnx, safetensors, write_llama

CLS = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}


def without(*names: str) -> dict[str, object]:
    return {key: value for key, value in LLAMA_KEYS.items() if key not in names}


def test_a_gguf_file_tells_all_that_serving_needs(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf())
    facts = inspect(tmp_path)
    assert facts == ModelFacts(
        ModelFormat.GGUF, "llama", "llama", Task.CHAT, 128, 192, 768, 2 * 2 * 2 * 16 * 2, chat_template=CHATML
    )
    assert ModelFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_a_gguf_file_without_template_completes_text(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf(without("tokenizer.chat_template")))
    assert inspect(tmp_path).task is Task.COMPLETIONS


def test_heads_may_differ_by_layer(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf({**LLAMA_KEYS, "llama.attention.head_count_kv": [2, 0]}))
    assert inspect(tmp_path).kv_bytes_per_token == 2 * 2 * 16 * 2


@pytest.mark.parametrize(
    ("keys", "model_type"),
    [({"general.name": "Mistral 7B"}, "mistral"), ({"llama.expert_count": 8}, "mixtral"), ({}, "llama")],
)
def test_mistral_is_told_from_llama(tmp_path: Path, keys: dict[str, object], model_type: str) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf({**LLAMA_KEYS, **keys}))
    assert inspect(tmp_path).model_type == model_type


def test_a_bert_in_gguf_makes_embeddings(tmp_path: Path) -> None:
    keys = {"general.architecture": "bert", "bert.context_length": 512, "bert.embedding_length": 384}
    (tmp_path / "model.gguf").write_bytes(gguf({**keys, "bert.pooling_type": 2}))
    facts = inspect(tmp_path)
    assert facts.task is Task.EMBEDDINGS
    assert facts.embedding == EmbeddingTraits(384, Pooling.CLS, is_normalized=True)
    assert ModelFacts.from_json(facts.to_json()) == facts


def test_a_gguf_adapter_names_its_base(tmp_path: Path) -> None:
    keys = {"general.architecture": "llama", "general.type": "adapter", "adapter.type": "lora"}
    (tmp_path / "a.gguf").write_bytes(gguf({**keys, "general.base_model.0.repo_url": "https://huggingface.co/meta/x"}))
    assert inspect(tmp_path).adapter_of == "meta/x"


def test_a_split_gguf_counts_all_parts(tmp_path: Path) -> None:
    (tmp_path / "m-00001-of-00002.gguf").write_bytes(gguf())
    (tmp_path / "m-00002-of-00002.gguf").write_bytes(gguf({"split.no": 1}))
    assert inspect(tmp_path).parameters == 2 * 192
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    with pytest.raises(CorruptModel, match="1 of the 2 parts"):
        inspect(tmp_path)


def test_two_gguf_models_in_a_folder_are_one_too_many(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(gguf())
    with pytest.raises(UnsupportedModel, match="Keep the one"):
        inspect(tmp_path)


def test_an_unknown_architecture_is_answered_with_the_list(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf({**LLAMA_KEYS, "general.architecture": "clippy"}))
    with pytest.raises(UnsupportedModel, match=r"'clippy' is not served\. These are: .*llama"):
        inspect(tmp_path)


def test_a_hugging_face_folder(tmp_path: Path) -> None:
    facts = inspect(write_llama(tmp_path))
    assert (facts.format, facts.architecture, facts.task) == (ModelFormat.HUGGING_FACE, "LlamaForCausalLM", Task.CHAT)
    assert (facts.parameters, facts.weight_bytes, facts.kv_bytes_per_token) == (384, 768, 2 * 2 * 2 * 16 * 2)
    assert (facts.context_length, facts.has_function_calling) == (128, False)


def test_a_template_that_shows_tools_can_call_functions(tmp_path: Path) -> None:
    folder = write_llama(tmp_path)
    (folder / "chat_template.jinja").write_text("{{ tools | tojson if tools }}" + CHATML)
    assert inspect(folder).has_function_calling


def test_mpt_says_its_sizes_in_other_words(tmp_path: Path) -> None:
    write_llama(tmp_path)
    config = {"architectures": ["MptForCausalLM"], "d_model": 64, "n_heads": 4, "n_layers": 3, "max_seq_len": 99}
    (tmp_path / "config.json").write_text(json.dumps({**config, "attn_config": {"kv_n_heads": None}}))
    facts = inspect(tmp_path)
    assert (facts.model_type, facts.context_length, facts.kv_bytes_per_token) == ("mpt", 99, 3 * 2 * 64 * 2)


def test_a_bge_folder_is_pooled_as_sentence_transformers_says(tmp_path: Path) -> None:
    write_llama(tmp_path, architectures=["BertModel"])
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling/config.json").write_text(json.dumps(CLS))
    assert inspect(tmp_path).embedding == EmbeddingTraits(64, Pooling.CLS, is_normalized=False)
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Normalize"}]')
    assert inspect(tmp_path).embedding == EmbeddingTraits(64, Pooling.CLS, is_normalized=True)


def test_shards_must_hold_what_the_index_says(tmp_path: Path) -> None:
    write_llama(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    for number, name in ((1, "embed"), (2, "head")):
        (tmp_path / f"model-0000{number}-of-00002.safetensors").write_bytes(safetensors({name: (3, 64)}))
    with pytest.raises(CorruptModel, match=r"no model\.safetensors\.index"):
        inspect(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    shards = {"embed": "model-00001-of-00002.safetensors", "head": "model-00002-of-00002.safetensors"}
    index.write_text(json.dumps({"weight_map": shards}))
    assert inspect(tmp_path).parameters == 384
    for wrong in ("model-00001-of-00002.safetensors", "../secret.safetensors", 7):
        index.write_text(json.dumps({"weight_map": {**shards, "head": wrong}}))
        with pytest.raises(CorruptModel, match="head is not in"):
            inspect(tmp_path)


def test_a_lora_adapter_names_its_base(tmp_path: Path) -> None:
    config = {"peft_type": "LORA", "base_model_name_or_path": "meta/x", "r": 4}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapter_model.safetensors").write_bytes(safetensors({"a.lora_A.weight": (4, 8)}))
    assert inspect(tmp_path).adapter_of == "meta/x"


def test_an_onnx_folder_makes_embeddings(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx())
    (tmp_path / "tokenizer.json").write_text("{}")
    facts = inspect(tmp_path)
    assert (facts.format, facts.task, facts.parameters, facts.context_length) == ("onnx", Task.EMBEDDINGS, 32, 512)
    assert facts.embedding == EmbeddingTraits(8, Pooling.CLS, is_normalized=True)
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 16, "max_position_embeddings": 64}))
    assert inspect(tmp_path).context_length == 64


def write_mlflow(folder: Path, mlmodel: str) -> Path:
    write_llama(folder / "model")
    tokenizer = folder / "components" / "tokenizer"
    tokenizer.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / "model" / name).rename(tokenizer / name)
    (folder / "MLmodel").write_text(mlmodel)
    return folder


def test_an_mlflow_model_says_its_task(tmp_path: Path) -> None:
    mlmodel = "flavors:\n  transformers:\n    model_binary: model\nmetadata:\n  task: llm/v1/completions\n"
    facts = inspect(write_mlflow(tmp_path, mlmodel))
    assert (facts.task, facts.chat_template) == (Task.COMPLETIONS, CHATML)


@pytest.mark.parametrize(
    ("mlmodel", "reason"),
    [
        ("flavors: {sklearn: {}}", "no transformers flavor"),
        ("flavors: {transformers: {task: text-generation}}", "metadata.task is text-generation"),
        ("flavors: {transformers: {model_binary: model}}\nmetadata: {task: llm/v1/embeddings}", "no embeddings"),
        ("[" * 100_000, "not YAML"),
        ("a: [1", "not YAML"),
        ("!!python/object/apply:os.system [ls]", "not YAML"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]", "no transformers flavor"),
    ],
)
def test_other_mlflow_models_are_refused(tmp_path: Path, mlmodel: str, reason: str) -> None:
    with pytest.raises((UnsupportedModel, CorruptModel), match=reason):
        inspect(write_mlflow(tmp_path, mlmodel))


def test_weights_that_mlflow_left_on_the_hub_are_missing(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {transformers: {x: y}}\nmetadata: {task: llm/v1/chat}")
    with pytest.raises(UnsupportedModel, match="save_pretrained=True"):
        inspect(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl"])
def test_pickles_are_refused(tmp_path: Path, name: str) -> None:
    write_llama(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / name)
    with pytest.raises(RefusedModel, match="pickle"):
        inspect(tmp_path)


def test_a_folder_with_neither_is_answered_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="There is no model here"):
        inspect(tmp_path)
    with pytest.raises(CorruptModel, match="not a folder"):
        inspect(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_that_came_with_the_model_is_refused(tmp_path: Path, name: str) -> None:
    write_llama(tmp_path)
    config = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(RefusedModel, match="auto_map"):
        inspect(tmp_path)


def test_the_default_models_are_understood(models_dir: Path) -> None:
    chat = inspect(models_dir / "smollm2-135m-instruct")
    assert (chat.model_type, chat.task, chat.parameters) == ("llama", Task.CHAT, 134_515_008)
    embedding = inspect(models_dir / "minilm-l6-v2")
    assert embedding.embedding is not None
    assert (embedding.task, embedding.embedding.dimension) == (Task.EMBEDDINGS, 384)
