"""Child process: finds out which of llama.cpp's ways to cut text into words belongs to a tokenizer.

Run by `converter.py`, never by hand. A trial model (`convert_worker.py` writes it) is loaded with one name after the
other in its header; the first under which llama.cpp turns every text into the tokenizer's own token ids is the answer.
Reads one JSON line from stdin; writes {"pre": name} or {"pre": null, "closest": …} to stdout.
"""

import ctypes
import http.client
import json
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import xllamacpp

PLACEHOLDER = "default"
_WIDTH = 64
_KEY, _PADDING = "tokenizer.ggml.pre", "openfm.padding"
_STRING = 8
_TIMEOUT_S = 60
_PR_SET_PDEATHSIG = 1
# llama.cpp's names, one for each way that differs from the others, the commonest first (src/llama-vocab.cpp).
NAMES = (
    "llama-bpe", "gpt-2", "qwen2", "gpt-4o", "tekken", "smollm", "dbrx", "mpt", "olmo", "stablelm2", "smaug-bpe",
    "deepseek-v3", "deepseek-llm", "deepseek-coder", "deepseek-r1-qwen", "falcon", "falcon3", "starcoder", "refact",
    "command-r", "llama4", "pixtral", "chatglm-bpe", "glm4", "poro-chat", "bloom", "viking", "gpt3-finnish", "jais",
    "codeshell", "exaone", "exaone4", "chameleon", "minerva-7b", "megrez", "superbpe", "trillion", "bailingmoe",
    "seed-coder", "hunyuan", "kimi-k2", "grok-2", "afmoe", "minimax-m2", "gigachat", "phi-2", "roberta-bpe", "lfm2",
    "qwen35", "granite-docling", "youtu", "solar-open", "modern-bert", "jina-v2-code", "bert-bge", "default",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, its token ids, and those with the tokenizer's special tokens around."""

    text: str
    plain: list[int]
    special: list[int]


def padding(name: str) -> str:
    """What follows `name` in the header, so that every name takes as much of it."""
    return "x" * (_WIDTH - len(name.encode()))


def named(model: bytes, name: str) -> bytes:
    """The trial model with `name` in the place of the placeholder. Raises ValueError for another file."""
    if model.count(_block(PLACEHOLDER)) != 1:
        raise ValueError("no trial model")
    return model.replace(_block(PLACEHOLDER), _block(name))


def _block(name: str) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    kind = struct.pack("<I", _STRING)
    return text(_KEY) + kind + text(name) + text(_PADDING) + kind + text(padding(name))


def main() -> None:
    """Try every name."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    task = json.loads(sys.stdin.readline())
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ids = json.loads(Path(task["ids"]).read_text(encoding="utf-8"))
    samples = [Sample(text, *pair) for text, pair in zip(task["texts"], ids, strict=True)]
    file = Path(task["file"])
    model = file.read_bytes()
    closest = ("", "")
    most = -1
    for name in NAMES:
        file.write_bytes(named(model, name))
        num_equal, wrong = _try_in_child(file, samples)
        if wrong is None:
            json.dump({"pre": name}, output)
            return
        if num_equal > most:
            most, closest = num_equal, (name, wrong)
    json.dump({"pre": None, "closest": closest[0], "differs_at": closest[1]}, output)


def _try_in_child(file: Path, samples: list[Sample]) -> tuple[int, str | None]:
    """How many texts come out equal before one that does not, and that one; by a process that serves and exits."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _die_with_parent()
            signal.alarm(_TIMEOUT_S)
            _answer(file, samples, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        raw = answer.read()
    os.waitpid(child, 0)
    num_equal, wrong = json.loads(raw) if raw else (0, "everything")
    return int(num_equal), wrong


def _die_with_parent() -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _answer(file: Path, samples: list[Sample], writing: int) -> NoReturn:
    """Serve, compare, answer, and end with the server still running.

    xllamacpp's destructor waits for ever for a server that was stopped before its loop began: seen in one run of three.
    """
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_ctx, params.n_parallel, params.warmup, params.ui = 64, 1, False, False
    params.fit_params, params.n_threads_http = False, 1
    try:
        server = xllamacpp.Server(params)
    except (RuntimeError, ValueError):
        os._exit(0)  # this llama.cpp does not know the name
    os.write(writing, json.dumps(_compare(server.listening_address, samples)).encode())
    os._exit(0)


def _compare(url: str, samples: list[Sample]) -> tuple[int, str | None]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=_TIMEOUT_S)
    for number, sample in enumerate(samples):
        for is_special, ids in ((False, sample.plain), (True, sample.special)):
            if _tokenize(connection, sample.text, is_special=is_special) != ids:
                return number, sample.text
    return len(samples), None


def _tokenize(connection: http.client.HTTPConnection, text: str, *, is_special: bool) -> list[int]:
    body = json.dumps({"content": text, "add_special": is_special, "parse_special": False})
    connection.request("POST", "/tokenize", body, {"Content-Type": "application/json"})
    tokens: list[int] = json.loads(connection.getresponse().read())["tokens"]
    return tokens


if __name__ == "__main__":
    main()
