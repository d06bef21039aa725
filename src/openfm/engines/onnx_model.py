"""Embedding models on ONNX Runtime: tokens in, vectors out. Blocking; `onnx_worker.py` runs it off the loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from openfm.core.errors import ContextTooLong, InvalidRequest
from openfm.core.model import Pooling

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """How to run one model: the parts of `ModelProfile` and `EngineSpec` that matter here."""

    context_length: int
    pooling: Pooling
    is_normalized: bool
    threads: int


class TextEncoder:
    """Turns texts into token ids with the model's special tokens, and never cuts them."""

    def __init__(self, tokenizer_file: Path, context_length: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        # The file may ask for both (all-MiniLM's does, at 128): a text would lose its end silently.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._context_length = context_length
        self._prefix, self._suffix = _special_tokens(self._tokenizer)
        self._vocabulary = self._tokenizer.get_vocab_size(with_added_tokens=True)

    def encode(self, texts: Sequence[str], instruction: str | None = None) -> list[list[int]]:
        """Token ids of each text. Raises `InvalidRequest` for an empty text, `ContextTooLong` for a long one."""
        for text in texts:
            if not text:
                raise InvalidRequest("An input is empty. Send at least one character in each.", param="input")
        wanted = texts if not instruction else [f"{instruction} {text}" for text in texts]
        return [self._fitting(encoding.ids) for encoding in self._tokenizer.encode_batch(list(wanted))]

    def encode_ids(self, inputs: Sequence[Sequence[int]], instruction: str | None = None) -> list[list[int]]:
        """Token ids that came as such, with special tokens put around them where they are missing."""
        before = self._tokenizer.encode(instruction, add_special_tokens=False).ids if instruction else []
        return [self._fitting(self._around(before, ids)) for ids in inputs]

    def _around(self, before: list[int], ids: Sequence[int]) -> list[int]:
        if not ids:
            raise InvalidRequest("An input is empty. Send at least one token in each.", param="input")
        if not all(0 <= token < self._vocabulary for token in ids):
            raise InvalidRequest(f"A token id is outside the model's vocabulary of {self._vocabulary}.", param="input")
        has_prefix = bool(self._prefix) and list(ids[: len(self._prefix)]) == self._prefix
        has_suffix = bool(self._suffix) and list(ids[-len(self._suffix) :]) == self._suffix
        body = list(ids[len(self._prefix) if has_prefix else 0 : len(ids) - (len(self._suffix) if has_suffix else 0)])
        return [*self._prefix, *before, *body, *self._suffix]

    def _fitting(self, ids: list[int]) -> list[int]:
        if len(ids) > self._context_length:
            raise ContextTooLong(prompt_tokens=len(ids), max_tokens=None, context_length=self._context_length)
        return ids


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    full = tokenizer.encode("a").ids
    size = len(bare)
    start = next((at for at in range(len(full) - size + 1) if full[at : at + size] == bare), 0)
    return full[:start], full[start + size :]


class EmbeddingModel:
    """One ONNX session. `run` may be called from one thread at a time."""

    def __init__(self, model_file: Path, settings: EmbeddingSettings) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        # Threads that spin while waiting would take the cores from the chat engine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(model_file), options, providers=["CPUExecutionProvider"])
        self._inputs = {item.name for item in self._session.get_inputs()}
        self._output = self._session.get_outputs()[0].name
        self._settings = settings

    def run(self, batch: Sequence[Sequence[int]]) -> list[bytes]:
        """Packed little-endian float32 vectors, one for each sequence."""
        ids, mask = padded(batch)
        offered = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feed = {name: value for name, value in offered.items() if name in self._inputs}
        (hidden,) = self._session.run([self._output], feed)
        vectors = pooled(np.asarray(hidden, dtype=np.float32), mask, self._settings.pooling)
        if self._settings.is_normalized:
            vectors = normalized(vectors)
        return [row.astype("<f4").tobytes() for row in vectors]


def padded(batch: Sequence[Sequence[int]]) -> tuple[Integers, Integers]:
    """Ids and attention mask, both (sequences, longest), zero where there is no token."""
    longest = max(len(ids) for ids in batch)
    ids = np.zeros((len(batch), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def pooled(hidden: Floats, mask: Integers, pooling: Pooling) -> Floats:
    """One vector a sequence; a model that pools itself (two dimensions) is left alone."""
    if hidden.ndim == 2:
        return hidden
    if pooling is Pooling.CLS:
        return hidden[:, 0, :]
    weights = mask[:, :, None].astype(np.float32)
    mean: Floats = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
    return mean


def normalized(vectors: Floats) -> Floats:
    """Vectors of length 1; the zero vector stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = (vectors / np.maximum(lengths, np.float32(1e-12))).astype(np.float32)
    return unit


def pick_batch(lengths: Sequence[int], token_budget: int) -> list[int]:
    """Which of the waiting sequences (oldest first) run next: the oldest, and those closest to it in length.

    Padding makes a batch cost its longest times its size, so that product stays within `token_budget`; the oldest runs
    even if it alone is longer.
    """
    if not lengths:
        return []
    oldest = lengths[0]
    chosen, longest = [0], oldest
    for index in sorted(range(1, len(lengths)), key=lambda at: (abs(lengths[at] - oldest), at)):
        reach = max(longest, lengths[index])
        if reach * (len(chosen) + 1) > token_budget:
            break
        chosen.append(index)
        longest = reach
    return chosen
