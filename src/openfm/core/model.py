"""Models as endpoints serve them: the facts that requests are checked against."""

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What an endpoint does, in Databricks' words."""

    CHAT = "llm/v1/chat"
    COMPLETIONS = "llm/v1/completions"
    EMBEDDINGS = "llm/v1/embeddings"


class Pooling(StrEnum):
    """How token vectors become one text vector."""

    MEAN = "mean"
    CLS = "cls"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class EmbeddingTraits:
    """How an embedding model is meant to be run (its `1_Pooling` and `modules.json`)."""

    dimension: int
    pooling: Pooling
    is_normalized: bool


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """One model version, as far as serving it goes.

    `model_id` is the dated name in the `model` field of answers ("Generative AI models maintenance policy").
    `context_length` counts prompt and completion tokens together. `prompt_template` is for completion models:
    a text with `{prompt}`, applied unless `use_raw_prompt`.
    """

    name: str
    model_id: str
    display_name: str
    description: str
    docs: str
    task: Task
    context_length: int
    max_output_tokens: int | None = None
    default_system_prompt: str | None = None
    prompt_template: str | None = None
    embedding: EmbeddingTraits | None = None
    has_function_calling: bool = False
    has_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class ServableModel:
    """A registered version that can be served.

    `version_ids` are the ids of the versions whose files it needs: its own, and of a LoRA adapter its base's.
    """

    profile: ModelProfile
    version_ids: frozenset[str]
