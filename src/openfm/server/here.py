"""This machine as calibrations see it: its hardware, and the versions of its engines."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from openfm import __version__
from openfm.ops.machine import gpus, memory_bytes
from openfm.scheduling.profile import Hardware

_CPU_INFO = Path("/proc/cpuinfo")
_PACKAGES = {"llama_cpp": "xllamacpp", "onnx": "onnxruntime"}


def this_hardware() -> Hardware:
    """What replicas may use of this machine."""
    return Hardware(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=memory_bytes(),
        gpus=tuple(gpu.name for gpu in gpus()),
    )


def engine_version(name: str) -> str:
    """The version of what an engine's adapter runs; our own where the engine is ours."""
    package = _PACKAGES.get(name)
    if package is None:
        return __version__
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """The model as the kernel names it."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
