"""The engines, by name. The only place that imports inside functions: an engine's libraries load when it is used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openfm.core.errors import EngineFailed
from openfm.engines.base import Engine, EngineLink, Launcher
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


def _linked_llama_cpp(link: EngineLink) -> Engine:
    from openfm.engines.llama_cpp import linked

    return linked(link)


def _linked_onnx(link: EngineLink) -> Engine:
    from openfm.engines.onnx import linked

    return linked(link)


_LINKED: Mapping[str, Callable[[EngineLink], Engine]] = {"llama_cpp": _linked_llama_cpp, "onnx": _linked_onnx}


def linked_engine(link: EngineLink) -> Engine:
    """A client of an engine that another process of ours started. Raises `EngineFailed` for a kind that has none."""
    if link.engine not in _LINKED:
        raise EngineFailed(
            f"This gateway does not know the engine '{link.engine}'. Update it to the control's version."
        )
    return _LINKED[link.engine](link)


def make_launcher(name: str, environment: Mapping[str, str], egress_allow: str = "") -> Launcher:
    """The launcher of the engine `name`; its workers get an allow-listed part of `environment`.

    `egress_allow` is the list that `EgressGuard.parse` reads. Raises `EngineFailed` for a name that is not known.
    """
    if name not in ENGINES:
        raise EngineFailed(f"There is no engine '{name}'. Use one of: {', '.join(sorted(ENGINES))}.")
    return ENGINES[name](Means(environment, egress_allow))
