"""Child process that loads a model once: `python -m openfm.ops.engine_check ENGINE ROLE=PATH…`.

A process of its own, because a wrong build of an engine, or a damaged model, can end the process that loads it.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

_CONTEXT_TOKENS = 256


def main(arguments: Sequence[str]) -> None:
    """Load the model; an exception, or a crash, is the answer."""
    engine, *pairs = arguments
    files = dict(pair.split("=", 1) for pair in pairs)
    loaded = {"llama_cpp": _load_llama_cpp, "onnx": _load_onnx}[engine](files)
    # Not sys.exit: llama.cpp's threads, which `loaded` holds, would be waited for without end.
    os._exit(0 if loaded is not None else 1)


def _load_llama_cpp(files: Mapping[str, str]) -> object:
    xllamacpp = import_module("xllamacpp")
    if "model" not in files:
        return xllamacpp
    params = xllamacpp.CommonParams()
    params.model.path = files["model"]
    params.n_ctx, params.n_parallel, params.warmup = _CONTEXT_TOKENS, 1, False
    return xllamacpp.Server(params)


def _load_onnx(files: Mapping[str, str]) -> object:
    onnxruntime, tokenizers = import_module("onnxruntime"), import_module("tokenizers")
    loaded: list[object] = [onnxruntime]
    if "model" in files:
        loaded.append(onnxruntime.InferenceSession(files["model"], providers=["CPUExecutionProvider"]))
    if "tokenizer" in files:
        loaded.append(tokenizers.Tokenizer.from_file(files["tokenizer"]))
    return loaded


if __name__ == "__main__":
    main(sys.argv[1:])
