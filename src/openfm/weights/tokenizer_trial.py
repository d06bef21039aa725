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
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import xllamacpp

from openfm.weights.trial_header import NAMES, named

_TIMEOUT_S = 60
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, its token ids, and those with the tokenizer's special tokens around."""

    text: str
    plain: list[int]
    special: list[int]


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
