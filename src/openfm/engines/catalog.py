"""The engines, by name. The only place that imports inside functions: an engine's libraries load when it is used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openfm.core.errors import EngineFailed
from openfm.engines.base import Launcher
from openfm.engines.checked import CheckedLauncher
from openfm.engines.trial import TriedLauncher


@dataclass(frozen=True, slots=True)
class Means:
    """What launchers are made with: the server's environment, and where models of other providers may be."""

    environment: Mapping[str, str]
    egress_allow: str = ""


def _llama_cpp(means: Means) -> Launcher:
    from openfm.engines.llama_cpp import LlamaCppLauncher

    return TriedLauncher(CheckedLauncher(LlamaCppLauncher(means.environment)))


def _onnx(means: Means) -> Launcher:
    from openfm.engines.onnx import OnnxLauncher

    return TriedLauncher(CheckedLauncher(OnnxLauncher(means.environment)))


def _scripted(_: Means) -> Launcher:
    from openfm.engines.scripted import ScriptedLauncher

    return ScriptedLauncher()


def _external(means: Means) -> Launcher:
    from openfm.engines.egress import EgressGuard
    from openfm.engines.external import ExternalLauncher

    return ExternalLauncher(EgressGuard.parse(means.egress_allow))


ENGINES: Mapping[str, Callable[[Means], Launcher]] = {
    "external": _external,
    "llama_cpp": _llama_cpp,
    "onnx": _onnx,
    "scripted": _scripted,
}


def make_launcher(name: str, environment: Mapping[str, str], egress_allow: str = "") -> Launcher:
    """The launcher of the engine `name`; its workers get an allow-listed part of `environment`.

    `egress_allow` is the list that `EgressGuard.parse` reads. Raises `EngineFailed` for a name that is not known.
    """
    if name not in ENGINES:
        raise EngineFailed(f"There is no engine '{name}'. Use one of: {', '.join(sorted(ENGINES))}.")
    return ENGINES[name](Means(environment, egress_allow))
