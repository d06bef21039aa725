"""Looks for what keeps openfm from running here, and says what to do about it."""

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import aiohttp

from openfm.catalog.catalog import CatalogModel, EngineName
from openfm.catalog.fit import Machine, size_words, why_not
from openfm.ops.machine import survey
from openfm.ops.pull import files_of, present_bytes, verified_path

_OLDEST_PYTHON = (3, 11)
_COMFORTABLE_MEMORY = 2_000_000_000
_ENGINE_TIMEOUT_S = 120
_PORT_TIMEOUT_S = 5


class Level(StrEnum):
    """How bad a finding is: WARN lets openfm run, FAIL does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `advice` says what to do, empty when nothing is to be done."""

    check: str
    level: Level
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: where the server would keep its state and weights, and listen."""

    home: Path
    weights_dir: Path
    host: str
    port: int
    models: tuple[CatalogModel, ...]


async def examine(patient: Patient) -> AsyncIterator[Finding]:
    """Every check's finding, as soon as it is known."""
    machine = survey(patient.weights_dir)
    yield check_python(sys.version_info[:3])
    yield check_home(patient.home)
    yield check_memory(machine)
    for model in patient.models:
        yield check_weights(model, patient.weights_dir, machine)
    yield await check_port(patient.host, patient.port)
    for model in patient.models:
        yield await check_engine(model, patient.weights_dir)


def check_python(version: tuple[int, int, int]) -> Finding:
    """Python is new enough."""
    text = ".".join(str(part) for part in version)
    if version[:2] >= _OLDEST_PYTHON:
        return Finding("Python", Level.OK, text)
    wanted = ".".join(str(part) for part in _OLDEST_PYTHON)
    return Finding("Python", Level.FAIL, f"{text} is too old.", f"Install Python {wanted} or newer.")


def check_home(home: Path) -> Finding:
    """The state folder can be written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        detail = f"{home} cannot be written: {error.strerror}."
        return Finding("home", Level.FAIL, detail, "Choose another folder with OPENFM_HOME.")
    return Finding("home", Level.OK, str(home))


def check_memory(machine: Machine) -> Finding:
    """There is room for the default models."""
    detail = f"{size_words(machine.memory_bytes)}, {len(machine.gpus)} GPU(s)"
    if machine.memory_bytes >= _COMFORTABLE_MEMORY:
        return Finding("memory", Level.OK, detail)
    return Finding("memory", Level.WARN, detail, f"Give openfm at least {size_words(_COMFORTABLE_MEMORY)}.")


def check_weights(model: CatalogModel, weights_dir: Path, machine: Machine) -> Finding:
    """The model's files are here, whole, or can be fetched."""
    check, here = f"files of {model.name}", present_bytes(model, weights_dir)
    if reason := why_not(model, machine, here):
        return Finding(check, Level.FAIL, reason, "Choose a smaller model, or another machine.")
    if here == model.size_bytes:
        return Finding(check, Level.OK, f"{size_words(here)}, checked")
    changed = [file.filename for file in model.files if (weights_dir / model.name / file.filename).exists()]
    detail = f"{', '.join(changed)} changed, or was never checked." if changed else "Not downloaded yet."
    return Finding(check, Level.WARN, detail, f"Run `openfm models pull {model.name}`; `openfm serve` does it too.")


async def check_port(host: str, port: int, timeout_s: float = _PORT_TIMEOUT_S) -> Finding:
    """The port is free, or openfm itself is on it."""
    check = f"port {port}"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if await _is_openfm(host, port, timeout_s):
            return Finding(check, Level.OK, f"openfm is running on {host}:{port}.")
        return Finding(check, Level.FAIL, f"{host}:{port}: {error.strerror}.", "Choose another with --port, or end it.")
    return Finding(check, Level.OK, f"free on {host}")


async def _is_openfm(host: str, port: int, timeout_s: float) -> bool:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    netloc = f"[{host}]" if ":" in host else host
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://{netloc}:{port}/health/live") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def check_engine(model: CatalogModel, weights_dir: Path) -> Finding:
    """The model's engine starts, with the model if it is here."""
    check = f"engine {model.engine}"
    if model.engine is EngineName.VLLM:
        return Finding(check, Level.WARN, "Not tried: it takes minutes.", "Start the server and look at its log.")
    paths = {file.role: verified_path(file, weights_dir / model.name) for file in files_of(model)}
    pairs = [f"{role}={path}" for role, path in paths.items() if path]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "openfm.ops.engine_check",
        model.engine.value,
        *pairs,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, log = await asyncio.wait_for(child.communicate(), _ENGINE_TIMEOUT_S)
    except TimeoutError:
        return Finding(check, Level.FAIL, f"It did not load in {_ENGINE_TIMEOUT_S} s.", "Free memory and try again.")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == 0:
        return Finding(check, Level.OK, f"loads {model.name}" if pairs else "installed")
    return Finding(check, Level.FAIL, *_why_it_failed(child.returncode or 0, log.decode("utf-8", "replace"), model))


def _why_it_failed(code: int, log: str, model: CatalogModel) -> tuple[str, str]:
    lines = [line for line in log.splitlines() if line.strip()]
    last = lines[-1] if lines else "it says nothing"
    if code < 0:
        return (
            f"It crashed with signal {-code}: {last}",
            "The processor may lack instructions that the wheel was built for; build xllamacpp from source.",
        )
    if "ModuleNotFoundError" in last:
        return f"It is not installed: {last}", "Install openfm again: `pip install --force-reinstall openfm`."
    return f"It does not load {model.name}: {last}", f"Run `openfm models pull {model.name}`, then this again."
