"""Child process of the `convert` environment: turns a Hugging Face folder, or a LoRA adapter, into a GGUF file.

Run as a file by `converter.py`, for the environment has torch and the converter but not openfm; never by hand. The
first line on stdin is the task as JSON; answers are JSON lines on stdout: progress, then `done`, `failed`, or
`unknown_tokenizer`, for which a trial model is left (see `tokenizer_trial.py`).
"""

import ctypes
import errno
import json
import math
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TextIO

import gguf
import numpy as np
import torch
from conversion import ModelBase, ModelType, TextModel, get_model_architecture, get_model_class
from safetensors.torch import load_file
from transformers import AutoTokenizer

# The converter's own, before `_know_tokenizer` puts others in their place.
_LlamaHfVocab: Any = gguf.LlamaHfVocab
_NAME_TOKENIZER: Any = TextModel.get_vocab_base_pre
_WRITE_PIECES: Any = TextModel._set_vocab_llama_hf  # noqa: SLF001 (the converter has no public way in)
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_SHORT_WRITE = "requested and"  # "8192 requested and 100 written": numpy's words, without an error number
_POLL_S = 0.2
_TYPES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
_TRIAL_WIDTH = 32
_TRIAL_CONTEXT = 64
_PEFT_PREFIX = "base_model.model."
_SAMPLES = 8


class _Refused(Exception):
    """The reason for the caller."""


class _UnknownTokenizer(BaseException):
    """The converter does not know how this tokenizer cuts text into words.

    Not an Exception: for some architectures the converter catches all of those and tries another vocabulary.
    """


@dataclass(frozen=True)
class _Channel:
    output: TextIO
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, **line: object) -> None:
        with self.lock:
            self.output.write(json.dumps(line) + "\n")
            self.output.flush()

    def end(self, **line: object) -> NoReturn:
        self.say(**line)
        os._exit(0)


def main() -> None:
    """Do the one task on stdin."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to stdout when they like
    channel = _Channel(output)
    task = json.loads(sys.stdin.readline())
    _limit(task)
    try:
        if task["mode"] == "adapter":
            _convert_adapter(task)
        else:
            _convert_model(task, channel)
    except _UnknownTokenizer:
        _write_trial(task)
        channel.end(unknown_tokenizer=True)
    except OSError as error:
        channel.end(failed=str(error), is_disk_full=error.errno in _NO_SPACE or _SHORT_WRITE in str(error))
    except _Refused as refused:
        channel.end(failed=str(refused))
    except (
        MemoryError, RuntimeError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError,
    ) as error:  # fmt: skip
        where = traceback.extract_tb(error.__traceback__)[-1].line
        channel.end(failed=f"{type(error).__name__}: {str(error) or where}")
    channel.end(done=True)


def _limit(task: dict[str, Any]) -> None:
    """Die with the parent, dump no core, take no more memory and disk than the task says."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != task["parent_pid"]:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, most in ((resource.RLIMIT_DATA, task["memory_bytes"]), (resource.RLIMIT_FSIZE, task["file_bytes"])):
        resource.setrlimit(kind, (most, most))


def _convert_model(task: dict[str, Any], channel: _Channel) -> None:
    out = Path(task["out"])
    expected = max(1, int(task["expected_bytes"]))
    threading.Thread(target=_watch, args=(out, expected, channel), daemon=True).start()
    with torch.inference_mode():
        _know_tokenizer(task.get("pre"))
        _model(task, out, _TYPES[task["quantization"]]).write()


def _watch(out: Path, expected: int, channel: _Channel) -> None:
    """Tell how much of the file is written: the writer itself does not say."""
    told = -1
    pause = threading.Event()
    while not pause.wait(_POLL_S):
        percent = min(99, 100 * out.stat().st_size // expected) if out.exists() else 0
        if percent > told:
            told = percent
            channel.say(fraction=percent / 100, stage="converting the weights")


def _model(task: dict[str, Any], out: Path, kind: gguf.LlamaFileType) -> TextModel:
    folder = Path(task["folder"])
    hparams = ModelBase.load_hparams(folder, is_mistral_format=False)
    architecture = get_model_architecture(hparams, ModelType.TEXT)
    made: TextModel = get_model_class(architecture)(folder, kind, out)
    return made


def _know_tokenizer(pre: str | None) -> None:
    """Make the converter take `pre` for a tokenizer that it does not know, or stop at one where there is none."""

    def name(model: TextModel, tokenizer: Any) -> str:
        if pre is not None:
            return pre
        try:
            return str(_NAME_TOKENIZER(model, tokenizer))
        except NotImplementedError as error:
            raise _UnknownTokenizer from error

    def pieces(model: TextModel) -> None:
        _RankedPieces(model.dir_model)  # raises what tells the converter to take it for another kind
        if pre is None:
            raise _UnknownTokenizer
        _WRITE_PIECES(model)

    gguf.LlamaHfVocab = _RankedPieces
    TextModel.get_vocab_base_pre = name
    TextModel._set_vocab_llama_hf = pieces  # noqa: SLF001 (as above)


class _RankedPieces(_LlamaHfVocab):  # type: ignore[misc, unused-ignore]
    """SentencePiece's vocabulary from tokenizer.json alone, where merges have an order but pieces no score.

    llama.cpp joins the pair whose piece scores highest; the converter gives all the same, under which texts come out
    in other tokens. With the order of merges as scores they come out the same.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        merges = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["merges"]
        self._ranks: dict[str, int] = {}
        for rank, merge in enumerate(merges):
            pair = merge.split(" ") if isinstance(merge, str) else merge
            self._ranks.setdefault("".join(pair), rank)
        self._num_merges = len(merges)

    def get_token_score(self, token_id: int) -> float:
        """The higher, the earlier joined."""
        piece = self.tokenizer.convert_ids_to_tokens(token_id)
        return float(-self._ranks.get(piece, self._num_merges))


def _write_trial(task: dict[str, Any]) -> None:
    """A model of one tiny layer with the vocabulary in question, and what the real tokenizer makes of some texts."""
    trial = task["trial"]
    path = Path(trial["file"])
    _know_tokenizer(trial["placeholder"])
    model = _model(task, path, gguf.LlamaFileType.ALL_F32)
    writer = gguf.GGUFWriter(path, "llama")
    model.gguf_writer = writer
    model.set_vocab()
    keys = writer.kv_data[0]
    # The name is tried by exchanging bytes: the padding after it keeps everything else in its place.
    padding = {"openfm.padding": gguf.GGUFValue(trial["padding"], gguf.GGUFValueType.STRING)}
    name = keys.pop("tokenizer.ggml.pre")
    writer.kv_data[0] = {
        "general.architecture": keys.pop("general.architecture"),
        "tokenizer.ggml.pre": name,
        **padding,
    }
    writer.kv_data[0] |= keys
    for add, value in (
        (writer.add_context_length, _TRIAL_CONTEXT), (writer.add_embedding_length, _TRIAL_WIDTH),
        (writer.add_block_count, 1), (writer.add_feed_forward_length, _TRIAL_WIDTH), (writer.add_head_count, 1),
        (writer.add_layer_norm_rms_eps, 1e-5),
    ):  # fmt: skip
        add(value)
    _add_trial_tensors(writer, len(writer.kv_data[0]["tokenizer.ggml.tokens"].value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tokenizer = AutoTokenizer.from_pretrained(task["folder"])
    ids = [[tokenizer.encode(text, add_special_tokens=False), tokenizer.encode(text)] for text in trial["texts"]]
    Path(trial["ids"]).write_text(json.dumps(ids), encoding="utf-8")


def _add_trial_tensors(writer: gguf.GGUFWriter, num_tokens: int) -> None:
    square = np.zeros((_TRIAL_WIDTH, _TRIAL_WIDTH), dtype=np.float16)
    flat = np.ones(_TRIAL_WIDTH, dtype=np.float32)
    writer.add_tensor("token_embd.weight", np.zeros((num_tokens, _TRIAL_WIDTH), dtype=np.float16))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", flat)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_down", "ffn_up"):
        writer.add_tensor(f"blk.0.{name}.weight", square)


def _convert_adapter(task: dict[str, Any]) -> None:
    """Write an adapter's matrices under the names, and in the order of rows, that the converted base has."""
    config = task["adapter"]
    out = Path(task["out"])
    with torch.inference_mode():
        base = _model(task, out, gguf.LlamaFileType.ALL_F32)
        writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[base.model_arch])
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["alpha"]))
        tensors = load_file(task["adapter_weights"])
        for name, a, b in _pairs(tensors):
            # The engine multiplies by alpha / rank: what else scales this matrix goes into it.
            scale = _scaling(config, name) * a.shape[0] / float(config["alpha"])
            for new_name, delta in _in_base(base, name, scale * (b.float() @ a.float())):
                left, right = _factors(delta, a.shape[0])
                writer.add_tensor(f"{new_name}.lora_a", right)
                writer.add_tensor(f"{new_name}.lora_b", left)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _pairs(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    ends = (".lora_A.weight", ".lora_B.weight")
    strange = [name for name in tensors if not name.endswith(ends) or tensors[name].dim() != 2]
    if strange or not tensors:
        what = f"it changes {strange[0]}" if strange else "it changes nothing"
        raise _Refused(f"LoRA on linear layers is the only kind served, but {what}. Merge it into its base.")
    for key in sorted(name for name in tensors if name.endswith(ends[0])):
        stem = key.removesuffix(ends[0])
        partner = tensors.get(stem + ends[1])
        if partner is None or partner.shape[1] != tensors[key].shape[0]:
            raise _Refused(f"{stem} has no two matrices that fit. Save the adapter again.")
        yield stem.removeprefix(_PEFT_PREFIX), tensors[key], partner


def _scaling(config: dict[str, Any], name: str) -> float:
    """What peft multiplies B A by: alpha / r, or with `use_rslora` alpha / sqrt(r), each also by pattern of name."""

    def by_pattern(patterns: dict[str, float], default: float) -> float:
        return next((value for end, value in patterns.items() if name == end or name.endswith("." + end)), default)

    rank = by_pattern(config["rank_pattern"], config["rank"])
    alpha = by_pattern(config["alpha_pattern"], config["alpha"])
    return float(alpha / (math.sqrt(rank) if config["is_rank_stabilized"] else rank))


def _in_base(base: TextModel, name: str, delta: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """The change as the converter would have written it, had it been the weight itself."""
    kept = base.filter_tensors((f"{name}.weight", lambda: delta))
    weight = base.model_tensors.get(kept[0]) if kept else None
    if kept is None or weight is None or tuple(weight().shape) != tuple(delta.shape):
        raise _Refused(f"the base has no matrix {name} of shape {tuple(delta.shape)}. Give the base it was trained on.")
    layer = next((int(part) for part in kept[0].split(".") if part.isdecimal()), None)
    for new_name, changed in base.modify_tensors(delta, kept[0], layer):
        if changed.dim() != 2:
            raise _Refused(f"{name} belongs to stacked experts, whose adapters are not served. Merge it into its base.")
        yield new_name, changed


def _factors(delta: torch.Tensor, rank: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Two thin matrices whose product is `delta`, whose rank is at most `rank`: a random sketch spans its columns.

    The converter permutes rows, and might columns; factors made from the result do not care which.
    """
    generator = torch.Generator().manual_seed(0)
    exact = delta.double()
    sketch = exact @ torch.randn(delta.shape[1], rank + _SAMPLES, generator=generator, dtype=torch.float64)
    left = torch.linalg.svd(sketch, full_matrices=False).U[:, :rank]
    return left.float().contiguous().numpy(), (left.T @ exact).float().contiguous().numpy()


if __name__ == "__main__":
    main()
