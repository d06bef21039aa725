"""ONNX Runtime: embedding models, in a worker process (`onnx_worker.py`) on a Unix socket."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from openfm.core.errors import EngineFailed
from openfm.engines.base import EngineLink, EngineSpec, LoadProgress, RunningEngine
from openfm.engines.dialect import ONNX
from openfm.engines.openai_http import Address, OpenAiHttpEngine
from openfm.engines.process import RunningWorker, WorkerCommand, start_worker

_LONGEST_SOCKET_PATH = 107
_STEP_S = 0.5
# Measured: 5,000 tokens a second for 23 MB of int8 weights on 2 threads.
_BYTES_A_SECOND_AND_THREAD = 5000 * 23_000_000 / 2
_SMALLEST_BATCH, _LARGEST_BATCH = 64, 8192


def token_budget(weight_bytes: int, threads: int) -> int:
    """Padded tokens a run, such that one takes about 0.5 s at most."""
    tokens = int(_STEP_S * _BYTES_A_SECOND_AND_THREAD * threads / max(weight_bytes, 1))
    return min(max(tokens, _SMALLEST_BATCH), _LARGEST_BATCH)


class OnnxLauncher:
    """Starts ONNX workers. `environment` is the server's own; only an allow-list of it is handed on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def launch(self, spec: EngineSpec, on_progress: Callable[[LoadProgress], None]) -> RunningEngine:
        """See `Launcher.launch`."""
        traits = spec.model.embedding
        if traits is None:
            raise EngineFailed(f"{spec.model.name} is no embedding model. Serve it with another engine.")
        model, tokenizer = spec.files["model"], spec.files["tokenizer"]
        for file in (model, tokenizer):
            if not file.is_file():
                raise EngineFailed(f"{file} is not there. Pull the model again: `openfm models pull`.")
        socket = spec.runtime_dir / f"{secrets.token_hex(4)}.sock"
        if len(str(socket).encode()) > _LONGEST_SOCKET_PATH:
            raise EngineFailed(f"The path {socket} is too long for a socket. Choose a shorter runtime folder.")
        secret = secrets.token_urlsafe(32)
        config = {
            "model": str(model),
            "tokenizer": str(tokenizer),
            "secret": secret,
            "socket": str(socket),
            "threads": spec.threads,
            "cores": list(spec.cores),
            "is_yielding": spec.is_yielding,
            "context_length": spec.model.context_length,
            "pooling": traits.pooling.value,
            "is_normalized": traits.is_normalized,
            "batch": token_budget(model.stat().st_size, spec.threads),
        }
        command = WorkerCommand("openfm.engines.onnx_worker", config, self._environment, spec.log_file)
        process = await start_worker(command, on_progress)
        on_progress(LoadProgress(1.0, "ready"))
        return RunningWorker(OpenAiHttpEngine(Address(process.url, secret), ONNX), process)


def linked(link: EngineLink) -> OpenAiHttpEngine:
    """A client of a worker that another process started. The worker's counters are not its own alone: it reads none."""
    return OpenAiHttpEngine(Address(link.url, link.secret), replace(ONNX, counters=None))
