"""Runs each client's script once a session, in the environment that `requirements/clients-*.lock` describes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest

from tools.environments import ensure, named

_SCRIPTS = Path(__file__).parent / "scripts"
_ENVIRONMENTS = {
    "current": "clients-current",
    "access_story": "clients-current",
    "endpoint_story": "clients-current",
    "sql_story": "clients-current",
    "registry_story": "clients-registry",
    "registry_big": "clients-registry",
    "openai2": "clients-openai2",
    "openai1": "clients-openai1",
    "genai_inference": "clients-genai-inference",
    "litellm_story": "clients-litellm",
    "spring2024": "clients-2024",
}
# Nothing of this machine's may help a client or lead it elsewhere, and nothing may leave this machine.
_QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "LANGCHAIN_TRACING_V2": "false",
    "PYTHONWARNINGS": "ignore",
}


class Server(Protocol):
    """A started server with the real small models (`tests/conftest.py`); it answers aliases (`--alias-missing`)."""

    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str: ...


@dataclass(frozen=True)
class Failure:
    """An exception that a client raised: its class, the classes above it, and the HTTP status it knows."""

    error: str
    bases: tuple[str, ...]
    status: int | None
    message: str


@dataclass(frozen=True)
class Story:
    """What one client did and saw: a step's name to its result."""

    name: str
    steps: Mapping[str, Mapping[str, Any]]

    def value(self, step: str) -> Any:
        """What the step returned; fails the test if it raised."""
        told = self.steps[step]
        assert "value" in told, f"{self.name}.{step} raised {told.get('error')}: {told.get('message')}"
        return told["value"]

    def failure(self, step: str) -> Failure:
        """What the step raised; fails the test if it returned."""
        told = self.steps[step]
        assert "error" in told, f"{self.name}.{step} returned {told.get('value')!r}"
        return Failure(told["error"], tuple(told["bases"]), told["status"], told["message"])


Tell = Callable[[str], Story]


@pytest.fixture(scope="session")
def story(server: Server, models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Tell:
    """`story("current.sdk")`: what the part `sdk` of the script `current` told. Scripts run when first asked for."""

    @cache
    def run(script: str) -> subprocess.CompletedProcess[str]:
        return _run(script, server, models_dir, tmp_path_factory.mktemp(script))

    def find(name: str) -> Story:
        script, part = name.split(".")
        if script == "spring2024" and sys.version_info >= (3, 13):
            pytest.skip("the numpy of spring 2024 has no wheel for this Python")
        done = run(script)
        assert done.returncode == 0, f"{script}.py failed:\n{done.stderr[-6000:]}"
        return Story(name, json.loads(done.stdout.splitlines()[-1])[part])

    return find


def _run(script: str, server: Server, models_dir: Path, home: Path) -> subprocess.CompletedProcess[str]:
    (home / ".databrickscfg").write_text(f"[openfm]\nhost = {server.url}/\ntoken = {server.token}\n")
    return subprocess.run(
        [ensure(named(_ENVIRONMENTS[script])), _SCRIPTS / f"{script}.py"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OPENFM_TEST_URL": server.url,
            "OPENFM_TEST_TOKEN": server.token,
            "OPENFM_TEST_MODELS": str(models_dir),
            **_QUIET,
        },
        cwd=home,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
