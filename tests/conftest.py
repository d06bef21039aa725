"""What every kind of test shares: the real weights, fetched once, and a server started as a user would."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from openfm.catalog.catalog import load_catalog
from openfm.ops.index_config import index_config
from openfm.ops.pull import PullTools, pull

_ROOT = Path(__file__).parent.parent
_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 30.0

# How long an example takes says more of who else uses the machine than of the code.
_PARENT = settings.get_profile(settings.get_current_profile_name())
settings.register_profile("shared machine", _PARENT, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

CHAT = "openfm-smollm2-135m-instruct"
EMBEDDING = "openfm-minilm-l6-v2"


@dataclass(frozen=True, slots=True)
class Server:
    """A started `openfm serve`."""

    url: str
    token: str
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What it printed so far."""
        return (self.home / "output.log").read_text(encoding="utf-8")

    def end(self) -> None:
        """Tell it to end and wait: its engines' memory is for others now."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The default models' weights, pulled by the product's own code and kept between runs."""
    folder = _ROOT / ".dev" / "models"
    tools = PullTools(index_config(dict(os.environ)))

    async def fetch() -> None:
        for model in load_catalog().defaults:
            await pull(model, folder, lambda _: None, tools)

    asyncio.run(fetch())
    return folder


@pytest.fixture(scope="session")
def chat_model_file(models_dir: Path) -> Path:
    """SmolLM2-135M-Instruct as GGUF."""
    return models_dir / "smollm2-135m-instruct" / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def embedding_files(models_dir: Path) -> dict[str, Path]:
    """all-MiniLM-L6-v2 as int8 ONNX, and its tokenizer."""
    folder = models_dir / "minilm-l6-v2"
    return {"model": folder / "model.onnx", "tokenizer": folder / "tokenizer.json"}


@pytest.fixture(scope="session")
def server(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with the real small models, and stand-ins for all others, for tests that only ask it questions."""
    with _starter(models_dir, tmp_path_factory) as start:
        yield start("--alias-missing")


@pytest.fixture(scope="module")
def start_server(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start `openfm serve` with these flags and wait until `path` answers; all are stopped when the module ends."""
    with _starter(models_dir, tmp_path_factory) as start:
        yield start


@contextmanager
def _starter(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    with ExitStack() as stack:

        def start(*flags: str, home: Path | None = None, path: str = "/health/ready", **settings: str) -> Server:
            folder = home or tmp_path_factory.mktemp("home")
            given = ["--models-dir", str(models_dir), *flags]
            return stack.enter_context(_started(folder, given, settings, path))

        yield start


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, but of openfm's and Databricks' variables only these settings."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENFM_", "DATABRICKS_"))}
    return environ | {f"OPENFM_{name.upper()}": value for name, value in settings.items()}


@contextmanager
def _started(home: Path, flags: list[str], settings: dict[str, str], path: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "openfm", "serve", "--home", str(home), "--port", "0", *flags]
    environ = clean_environment(settings)
    (home / "server.json").unlink(missing_ok=True)
    with (home / "output.log").open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)
    server = Server("", "", home, process)
    try:
        url = _wait_ready(process, home, path)
        token = settings.get("admin_token") or (home / "admin-token").read_text(encoding="utf-8").strip()
        yield replace(server, url=url, token=token)
    finally:
        server.end()


def _wait_ready(process: subprocess.Popen[bytes], home: Path, path: str) -> str:
    give_up, why = time.monotonic() + _START_LIMIT_S, "it told no address"
    while time.monotonic() < give_up and process.poll() is None:
        if (home / "server.json").exists():
            url: str = json.loads((home / "server.json").read_text(encoding="utf-8"))["url"]
            why = _unready(url + path)
            if not why:
                return url
        time.sleep(0.05)
    output = (home / "output.log").read_text(encoding="utf-8")
    raise AssertionError(f"the server did not become ready: {why}\n{output}")


def _unready(url: str) -> str:
    """What the server says of why it is not ready; nothing once it is."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own server
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        return str(error)
