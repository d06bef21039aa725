"""The architectures that are served, with Databricks' word for each family, and how many bytes of context they take.

Those of `HUGGING_FACE` are converted, served and compared with transformers by
`tests/integration/test_conversion_architectures.py`, which writes `docs/reference/architectures.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from openfm.core.model import Task
from openfm.weights.errors import UnsupportedModel
from openfm.weights.folder import shown

BYTES_PER_CACHED_VALUE = 2
"""The KV cache holds 16-bit numbers."""


@dataclass(frozen=True, slots=True)
class Family:
    """What the name of an architecture tells: Databricks' word for it, and the task where it has only one."""

    model_type: str
    task: Task | None = None


HUGGING_FACE: Mapping[str, Family] = {
    "LlamaForCausalLM": Family("llama"),
    "MistralForCausalLM": Family("mistral"),
    "MixtralForCausalLM": Family("mixtral"),
    "MptForCausalLM": Family("mpt"),
    "MPTForCausalLM": Family("mpt"),
    "DbrxForCausalLM": Family("dbrx"),
    "BertModel": Family("bge", Task.EMBEDDINGS),
    "BertForMaskedLM": Family("bge", Task.EMBEDDINGS),
    "Qwen2ForCausalLM": Family("qwen"),
    "Qwen3ForCausalLM": Family("qwen"),
    "GemmaForCausalLM": Family("gemma"),
    "Gemma2ForCausalLM": Family("gemma"),
    "Gemma3ForCausalLM": Family("gemma"),
}
"""`architectures` in config.json."""

GGUF: Mapping[str, Family] = {
    "llama": Family("llama"), "llama4": Family("llama"), "mistral3": Family("mistral"), "mistral4": Family("mistral"),
    "mpt": Family("mpt"), "dbrx": Family("dbrx"),
    "qwen2": Family("qwen"), "qwen2moe": Family("qwen"), "qwen3": Family("qwen"), "qwen3moe": Family("qwen"),
    "qwen3next": Family("qwen"), "qwen35": Family("qwen"), "qwen35moe": Family("qwen"),
    "gemma": Family("gemma"), "gemma2": Family("gemma"), "gemma3": Family("gemma"), "gemma3n": Family("gemma"),
    "gemma4": Family("gemma"),
    "phi2": Family("phi"), "phi3": Family("phi"), "phimoe": Family("phi"), "falcon": Family("falcon"),
    "falcon-h1": Family("falcon"), "gpt2": Family("gpt2"), "gptneox": Family("gptneox"), "gpt-oss": Family("gpt-oss"),
    "starcoder": Family("starcoder"), "starcoder2": Family("starcoder"), "stablelm": Family("stablelm"),
    "olmo": Family("olmo"), "olmo2": Family("olmo"), "olmoe": Family("olmo"), "smollm3": Family("smollm"),
    "command-r": Family("command-r"), "cohere2": Family("command-r"), "deepseek": Family("deepseek"),
    "deepseek2": Family("deepseek"), "granite": Family("granite"), "granitemoe": Family("granite"),
    "granitehybrid": Family("granite"), "mamba": Family("mamba"), "mamba2": Family("mamba"), "jamba": Family("jamba"),
    "glm4": Family("glm"), "glm4moe": Family("glm"), "chatglm": Family("glm"), "exaone": Family("exaone"),
    "exaone4": Family("exaone"), "internlm2": Family("internlm"), "minicpm": Family("minicpm"), "lfm2": Family("lfm2"),
    "ernie4_5": Family("ernie"), "hunyuan-dense": Family("hunyuan"), "seed_oss": Family("seed"),
    "bert": Family("bge", Task.EMBEDDINGS), "nomic-bert": Family("nomic", Task.EMBEDDINGS),
    "nomic-bert-moe": Family("nomic", Task.EMBEDDINGS), "jina-bert-v2": Family("jina", Task.EMBEDDINGS),
    "jina-bert-v3": Family("jina", Task.EMBEDDINGS), "modern-bert": Family("modern-bert", Task.EMBEDDINGS),
    "gemma-embedding": Family("gemma", Task.EMBEDDINGS),
}  # fmt: skip
"""`general.architecture` in GGUF files: what llama.cpp reads."""


def family(architecture: str, known: Mapping[str, Family]) -> Family:
    """What is known of `architecture`. Raises `UnsupportedModel` with the list of those that are served."""
    if architecture not in known:
        raise UnsupportedModel(
            f"The architecture '{shown(architecture)}' is not served. These are: {', '.join(sorted(known))}."
        )
    return known[architecture]
