"""Which files of a folder are a model's."""

from pathlib import Path

import pytest

from openfm.cli.errors import CliError
from openfm.cli.upload import find_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "deep").mkdir(parents=True)
    (made / "model.gguf").write_bytes(b"weights")
    (made / "deep" / "config.json").write_bytes(b"{}")
    (tmp_path / "secret").write_bytes(b"secret")
    return made


def test_files_go_under_their_paths_and_hidden_ones_stay(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"x")
    (folder / ".git" / "link").symlink_to(folder.parent / "secret")
    assert list(find_files(folder)) == ["deep/config.json", "model.gguf"]
    assert list(find_files(folder / "model.gguf")) == ["model.gguf"]


def test_a_link_inside_the_folder_is_the_file_it_leads_to(folder: Path) -> None:
    (folder / "again.gguf").symlink_to("deep/../model.gguf")
    assert find_files(folder)["again.gguf"].read_bytes() == b"weights"


@pytest.mark.parametrize("target", ["../secret", "/etc/hostname", "deep/../../secret"])
def test_a_link_out_of_the_folder_is_not_uploaded(folder: Path, target: str) -> None:
    (folder / "tokenizer.json").symlink_to(target)
    with pytest.raises(CliError, match="leads out of the folder"):
        find_files(folder)


@pytest.mark.parametrize("target", ["nothing", "self", "deep", ".."])
def test_a_link_to_no_file_is_not_left_out_in_silence(folder: Path, target: str) -> None:
    (folder / "self").symlink_to(target)
    with pytest.raises(CliError, match="leads to no file"):
        find_files(folder)


def test_a_folder_that_is_a_link_itself_is_the_users_choice(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    assert list(find_files(folder.parent / "link")) == ["deep/config.json", "model.gguf"]


def test_the_cache_of_the_hubs_library_can_be_registered(tmp_path: Path) -> None:
    repo = tmp_path / "models--org--name"
    for part in ("blobs", "snapshots/abc", "snapshots/def"):
        (repo / part).mkdir(parents=True)
    (repo / "blobs" / "1234").write_bytes(b"weights")
    (repo / "snapshots" / "abc" / "model.safetensors").symlink_to("../../blobs/1234")
    assert list(find_files(repo / "snapshots" / "abc")) == ["model.safetensors"]
    (repo / "snapshots" / "abc" / "stolen").symlink_to("../../../secret")
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(CliError, match="leads out"):
        find_files(repo / "snapshots" / "abc")
