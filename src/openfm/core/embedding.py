"""Embedding requests and answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts, or texts already turned into token ids, to embed; `instruction` goes before each text."""

    inputs: tuple[str, ...] | tuple[tuple[int, ...], ...]
    instruction: str | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """One vector an input, in order. `vectors` are packed little-endian float32, `dimension` values each."""

    vectors: tuple[bytes, ...]
    dimension: int
    prompt_tokens: int
