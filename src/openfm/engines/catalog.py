"""The engines, by name. The only place that imports inside functions: an engine's libraries load when it is used."""

from collections.abc import Callable, Mapping

from openfm.core.errors import EngineFailed
from openfm.engines.base import Launcher
from openfm.engines.trial import TriedLauncher


def _llama_cpp(environment: Mapping[str, str]) -> Launcher:
    from openfm.engines.llama_cpp import LlamaCppLauncher

    return TriedLauncher(LlamaCppLauncher(environment))


def _onnx(environment: Mapping[str, str]) -> Launcher:
    from openfm.engines.onnx import OnnxLauncher

    return TriedLauncher(OnnxLauncher(environment))


def _scripted(_: Mapping[str, str]) -> Launcher:
    from openfm.engines.scripted import ScriptedLauncher

    return ScriptedLauncher()


ENGINES: Mapping[str, Callable[[Mapping[str, str]], Launcher]] = {
    "llama_cpp": _llama_cpp,
    "onnx": _onnx,
    "scripted": _scripted,
}


def make_launcher(name: str, environment: Mapping[str, str]) -> Launcher:
    """The launcher of the engine `name`; its workers get an allow-listed part of `environment`.

    Raises `EngineFailed` for a name that is not known.
    """
    if name not in ENGINES:
        raise EngineFailed(f"There is no engine '{name}'. Use one of: {', '.join(sorted(ENGINES))}.")
    return ENGINES[name](environment)
