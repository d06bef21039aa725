"""An environment is made again when what it was made from changed, and only then."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tools.environments import DEV, ROOT, RUNTIME, Environment, SetUpError, named


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    lock = tmp_path / "x.lock"
    lock.write_text("foo==1\n")
    made = Environment("x", tmp_path / "x", lock, has_package=False)
    made.python.parent.mkdir(parents=True)
    made.python.touch()
    made.stamp.write_text(made.recipe())
    return made


def test_what_was_made_is_current(environment: Environment) -> None:
    assert environment.is_current()


def test_a_changed_lock_makes_it_stale(environment: Environment) -> None:
    environment.lock.write_text("foo==2\n")
    assert not environment.is_current()


def test_one_that_was_moved_is_stale(environment: Environment, tmp_path: Path) -> None:
    environment.folder.rename(tmp_path / "y")
    assert not replace(environment, folder=tmp_path / "y").is_current()


def test_one_whose_interpreter_is_gone_is_stale(environment: Environment) -> None:
    environment.python.unlink()
    assert not environment.is_current()


def test_a_set_up_that_broke_off_is_stale(environment: Environment) -> None:
    environment.stamp.unlink()
    assert not environment.is_current()


def test_both_kinds_of_the_projects_own_share_a_folder() -> None:
    assert DEV.folder == RUNTIME.folder
    assert DEV.stamp != RUNTIME.stamp


def test_a_name_without_lock_is_refused() -> None:
    with pytest.raises(SetUpError, match=r"requirements/nothing\.lock does not exist"):
        named("nothing")


def test_dev_lists_its_verbs_and_refuses_others() -> None:
    asked = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True)
    assert all(f"\n  {verb} " in asked.stdout for verb in ("serve", "test", "check", "bench", "web"))
    wrong = subprocess.run([ROOT / "dev", "destroy"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "destroy" in wrong.stderr
