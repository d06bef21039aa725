"""May this model run on this machine? Pure; what the machine has is measured in `ops/machine.py`."""

from dataclasses import dataclass

from openfm.catalog.catalog import CatalogModel, EngineName

_INSTALL = {
    EngineName.LLAMA_CPP: "install it with `pip install xllamacpp`",
    EngineName.ONNX: "install it with `pip install onnxruntime tokenizers`",
    EngineName.VLLM: "install it with `pip install 'openfm[vllm]'`",
}
_PRODUCT = {EngineName.LLAMA_CPP: "llama.cpp", EngineName.ONNX: "ONNX Runtime", EngineName.VLLM: "vLLM"}
_GPU_ENGINES = frozenset({EngineName.VLLM})


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU and its whole memory."""

    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine has.

    `memory_bytes` is all it has (a container's limit where there is one), `disk_free_bytes` what is free where
    weights are kept.
    """

    memory_bytes: int
    disk_free_bytes: int
    gpus: tuple[Gpu, ...]
    engines: frozenset[EngineName]


def why_not(model: CatalogModel, machine: Machine, present_bytes: int = 0) -> str | None:
    """The sentence why `model` cannot run on `machine`, or None if it can.

    `present_bytes` of its files are on disk already. Hardware comes first: what cannot be bought is not cured by
    installing an engine.
    """
    return (
        _why_no_memory(model, machine) or _why_no_disk(model, machine, present_bytes) or _why_no_engine(model, machine)
    )


def _why_no_memory(model: CatalogModel, machine: Machine) -> str | None:
    needed = size_words(model.memory_bytes)
    if model.engine not in _GPU_ENGINES:
        if machine.memory_bytes < model.memory_bytes:
            return f"It needs {needed} of memory; this machine has {size_words(machine.memory_bytes)}."
        return None
    if not machine.gpus:
        return f"It needs {model.hardware} ({needed} of GPU memory); this machine has no GPU that openfm can see."
    total = sum(gpu.memory_bytes for gpu in machine.gpus)
    if total < model.memory_bytes:
        return f"It needs {model.hardware} ({needed} of GPU memory); the GPUs here have {size_words(total)} together."
    return None


def _why_no_disk(model: CatalogModel, machine: Machine, present_bytes: int) -> str | None:
    missing = max(0, model.size_bytes - present_bytes)
    if machine.disk_free_bytes >= missing:
        return None
    return f"Its download needs {size_words(missing)} of disk; {size_words(machine.disk_free_bytes)} are free."


def _why_no_engine(model: CatalogModel, machine: Machine) -> str | None:
    if model.engine in machine.engines:
        return None
    return f"Its engine, {_PRODUCT[model.engine]}, is not installed; {_INSTALL[model.engine]}."


def size_words(size_bytes: int) -> str:
    """A size for people, in decimal units: `98 MB`, `1.3 GB`."""
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.0f} kB"
    if size_bytes < 1_000_000_000:
        return f"{size_bytes / 1_000_000:.0f} MB"
    gigabytes = size_bytes / 1_000_000_000
    return f"{gigabytes:.1f} GB" if gigabytes < 100 else f"{gigabytes:.0f} GB"
