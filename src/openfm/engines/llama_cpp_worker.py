"""Worker process: the llama.cpp server, through `xllamacpp`.

Run as `python -m openfm.engines.llama_cpp_worker` by `llama_cpp.py`, never by hand.
"""

import threading
from pathlib import Path

import xllamacpp

from openfm.engines.worker import WorkerChannel, become_worker

_CHUNK_BYTES = 8 * 1024 * 1024
_READ_SHARE = 0.8
_PROMPT_CACHE_MIB = 256
_NEVER = -1
_EUCLIDEAN, _NONE = 2, -1
_POOLINGS = {
    "mean": xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN,
    "cls": xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_CLS,
    "last": xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST,
}


def main() -> None:
    """Load the model, serve it, and sleep until killed."""
    channel = become_worker()
    try:
        _read_weights(channel, Path(channel.text("model")))
        channel.progress("starting", _READ_SHARE)
        server = xllamacpp.Server(_parameters(channel))
    except (OSError, RuntimeError, ValueError) as error:
        channel.fail(str(error))
    channel.ready(server.listening_address)
    threading.Event().wait()


def _read_weights(channel: WorkerChannel, path: Path) -> None:
    """Bring the file into the page cache, telling how far.

    Loading itself cannot report: xllamacpp holds the interpreter's lock until it is done, and reading from the
    disk is what takes long.
    """
    size = path.stat().st_size
    done, told = 0, 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            done += len(chunk)
            if (percent := 100 * done // size) > told:
                told = percent
                channel.progress("reading the weights", _READ_SHARE * done / size)


def _parameters(channel: WorkerChannel) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = channel.text("model")
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.api_keys = [channel.text("secret")]
    params.endpoint_metrics = params.endpoint_slots = True
    params.ui = False
    slots, context = channel.number("slots"), channel.number("context_length")
    # Not unified: each sequence owns its whole context, so that neighbours cannot crowd it out.
    params.n_parallel, params.n_ctx, params.kv_unified = slots, slots * context, False
    params.fit_params = False
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = channel.number("threads")
    params.n_batch = params.n_ubatch = channel.number("batch")
    params.use_jinja = True
    if channel.config.get("chat_template"):
        params.chat_template = channel.text("chat_template")
    params.sse_ping_interval = _NEVER
    if channel.config.get("lora"):
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = channel.text("lora"), 1.0
        params.lora_adapters = [adapter]
    if channel.config.get("pooling"):
        params.embedding, params.pooling_type = True, _POOLINGS[channel.text("pooling")]
        params.embd_normalize = _EUCLIDEAN if channel.config["is_normalized"] else _NONE
    return params


if __name__ == "__main__":
    main()
