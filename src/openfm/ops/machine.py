"""What this machine has: memory, disk, GPUs and engines."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import psutil
import pynvml

from openfm.catalog.catalog import EngineName
from openfm.catalog.fit import Gpu, Machine

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_ENGINE_MODULES = {EngineName.LLAMA_CPP: ("xllamacpp",), EngineName.ONNX: ("onnxruntime", "tokenizers")}


def survey(models_dir: Path) -> Machine:
    """This machine, with the disk that `models_dir` is, or will be, on."""
    return Machine(
        memory_bytes=memory_bytes(),
        disk_free_bytes=disk_free_bytes(models_dir),
        gpus=gpus(),
        engines=installed_engines(),
    )


def memory_bytes() -> int:
    """The memory this process may use: the container's limit where there is one."""
    total = int(psutil.virtual_memory().total)
    for file in _CGROUP_LIMITS:
        if file.is_file() and (limit := file.read_text().strip()).isdigit():
            total = min(total, int(limit))
    return total


def available_memory_bytes() -> int:
    """The memory that is free, or could be at once, within this process's limit."""
    return min(memory_bytes(), int(psutil.virtual_memory().available))


def disk_free_bytes(folder: Path) -> int:
    """Bytes free for this user where `folder` is, or would be made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def gpus() -> tuple[Gpu, ...]:
    """NVIDIA's GPUs; none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(str(pynvml.nvmlDeviceGetName(handle)), int(pynvml.nvmlDeviceGetMemoryInfo(handle).total))
            for handle in handles
        )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def installed_engines() -> frozenset[EngineName]:
    """The engines that are installed. vLLM counts by its command: it lives in an environment of its own."""
    found = {name for name, modules in _ENGINE_MODULES.items() if all(find_spec(module) for module in modules)}
    if shutil.which("vllm"):
        found.add(EngineName.VLLM)
    return frozenset(found)
