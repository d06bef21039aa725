"""The doctor says what to do."""

import socket
from pathlib import Path

from openfm.catalog.catalog import EngineName, load_catalog
from openfm.catalog.fit import Machine
from openfm.ops.doctor import Level, check_home, check_memory, check_port, check_python, check_weights

SMALL = Machine(10**9, 10**10, (), frozenset({EngineName.LLAMA_CPP}))
CHAT = load_catalog().defaults[0]


def test_an_old_python_fails() -> None:
    assert check_python((3, 10, 4)).level is Level.FAIL
    assert check_python((3, 14, 0)).level is Level.OK


def test_little_memory_is_a_warning() -> None:
    assert check_memory(SMALL).level is Level.WARN


def test_a_home_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = check_home(tmp_path / "file")
    assert finding.level is Level.FAIL
    assert "OPENFM_HOME" in finding.advice


def test_missing_weights_are_a_warning_with_the_command(tmp_path: Path) -> None:
    finding = check_weights(CHAT, tmp_path, SMALL)
    assert finding.level is Level.WARN
    assert "openfm models pull smollm2-135m-instruct" in finding.advice


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / CHAT.name).mkdir()
    (tmp_path / CHAT.name / CHAT.files[0].filename).write_text("other")
    assert "SmolLM2-135M-Instruct.Q4_1.gguf changed" in check_weights(CHAT, tmp_path, SMALL).detail


async def test_a_port_in_use_by_another_program_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = await check_port("127.0.0.1", taken.getsockname()[1], timeout_s=0.1)
    assert finding.level is Level.FAIL
    assert "--port" in finding.advice


async def test_a_free_port_is_well() -> None:
    assert (await check_port("127.0.0.1", 0)).level is Level.OK
