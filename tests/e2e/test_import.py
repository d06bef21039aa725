"""Models of one's own, from a folder on disk to an answer: registered by the command line, converted and served."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Server, StartServer
from tests.e2e.load import Management
from tests.integration.tiny_models.conversion import build, make_converter

pytestmark = [pytest.mark.convert, pytest.mark.slow]

_ROOT = "/api/2.0/serving-endpoints"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(make_converter().python, tmp_path_factory.mktemp("tiny"), "Llama 3", "BGE")


@pytest.fixture(scope="module")
def own(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose home has the converter, as `openfm convert install` leaves it."""
    home = tmp_path_factory.mktemp("home")
    (home / "convert").symlink_to(make_converter().python.parents[1])
    server = start_server(home=home)
    yield server
    server.end()


@pytest.fixture
async def management(own: Server) -> AsyncIterator[Management]:
    async with aiohttp.ClientSession() as session:
        yield Management(own, session)


def openfm(own: Server, *words: str) -> str:
    command = [sys.executable, "-m", "openfm", *words, "--url", own.url, "--token", own.token]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def answer(management: Management, model: str, **body: object) -> Any:
    """What a new endpoint of version 1 of the model answers."""
    name = model.rpartition(".")[2]
    entity = {"entity_name": model, "entity_version": "1"}
    await management.ask("POST", _ROOT, {"name": name, "config": {"served_entities": [entity]}})
    shown: Any = await management.settled(name)
    assert shown["state"]["ready"] == "READY", shown
    return await management.ask("POST", f"/serving-endpoints/{name}/invocations", body)


async def test_a_folder_and_its_adapter_are_registered_converted_and_answer(
    own: Server, management: Management, tiny: Path
) -> None:
    folder = tiny / "Llama 3"
    openfm(own, "models", "register", "main.tiny.llama", str(folder / "base"), "--quantization", "q8_0")
    info: Any = await management.ask("GET", f"{_ROOT}/get-model-optimization-info/main.tiny.llama/1")
    assert (info["optimizable"], info["model_type"]) == (True, "llama")
    asked = {"prompt": "Hello", "max_tokens": 5, "temperature": 0, "use_raw_prompt": True}
    plain = await answer(management, "main.tiny.llama", **asked)
    assert plain["usage"]["completion_tokens"] > 0
    openfm(own, "models", "register", "main.tiny.adapter", str(folder / "adapter"), "--base", "main.tiny.llama/1")
    tuned = await answer(management, "main.tiny.adapter", **asked)
    assert tuned["choices"][0]["text"] != plain["choices"][0]["text"]
    logs: Any = await management.ask("GET", f"{_ROOT}/adapter/served-models/adapter-1/build-logs")
    assert "Converting" in logs["logs"]


async def test_an_embedding_folder_is_converted_and_embeds(own: Server, management: Management, tiny: Path) -> None:
    openfm(own, "models", "register", "main.tiny.bge", str(tiny / "BGE" / "base"))
    found = await answer(management, "main.tiny.bge", input=["one", "two"])
    first, second = (item["embedding"] for item in found["data"])
    assert len(first) == len(second) > 0
    assert abs(sum(value * value for value in first) - 1) < 1e-3
