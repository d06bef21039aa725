"""What inspection finds out about a model version, as values that fit into a database row."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from openfm.core.model import EmbeddingTraits, Pooling, Task


class ModelFormat(StrEnum):
    """How the weights are stored."""

    GGUF = "gguf"
    HUGGING_FACE = "hugging_face"
    ONNX = "onnx"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model version as its own files describe it; nothing of it has run.

    `architecture` is "LlamaForCausalLM" in a Hugging Face folder, "llama" in a GGUF file; `model_type` Databricks' word
    for the family. `context_length` is in tokens, `weight_bytes` is what the files hold, `kv_bytes_per_token` what one
    token of context takes at 16 bits. A LoRA adapter has `adapter_of`, the name of its base model, and zeros for what
    only the base knows.
    """

    format: ModelFormat
    architecture: str
    model_type: str
    task: Task
    context_length: int
    parameters: int
    weight_bytes: int
    kv_bytes_per_token: int
    chat_template: str | None = None
    embedding: EmbeddingTraits | None = None
    has_function_calling: bool = False
    adapter_of: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values; `from_json` reads them."""
        return asdict(self) | {"format": self.format.value, "task": self.task.value, "embedding": _traits(self)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The facts that `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        traits = stored["embedding"]
        embedding = None
        if traits is not None:
            embedding = EmbeddingTraits(
                int(traits["dimension"]), Pooling(traits["pooling"]), bool(traits["is_normalized"])
            )
        own = {"format": ModelFormat(stored["format"]), "task": Task(stored["task"]), "embedding": embedding}
        return cls(**(dict(stored) | own))


def _traits(facts: ModelFacts) -> dict[str, Any] | None:
    traits = facts.embedding
    return None if traits is None else asdict(traits) | {"pooling": traits.pooling.value}
