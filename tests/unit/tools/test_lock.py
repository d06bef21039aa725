"""The locks say names, versions and hashes, and everything that was asked for."""

from pathlib import Path

import pytest

from tools.lock import Lock, all_locks, problems

HASH = "--hash=sha256:" + "a" * 64


def found(tmp_path: Path, *, asked: str, locked: str) -> list[str]:
    source, lock = tmp_path / "x.in", tmp_path / "x.lock"
    source.write_text(asked)
    lock.write_text(locked)
    return list(problems(Lock(lock, (source,))))


def test_a_complete_lock_has_no_problem(tmp_path: Path) -> None:
    assert found(tmp_path, asked="# why\nFoo_bar>=1", locked=f"foo-bar==1.2 \\\n    {HASH}\n") == []


@pytest.mark.parametrize(
    ("asked", "locked", "said"),
    [
        ("foo\nbar", f"foo==1 \\\n    {HASH}\n", "bar of x.in is not in it"),
        ("foo>=2", f"foo==1 \\\n    {HASH}\n", "foo>=2 of x.in is not in it"),
        ("foo", "foo==1\n", "foo has no hash"),
        ("foo", f"--index-url http://example.test\nfoo==1 \\\n    {HASH}\n", "holds an address"),
    ],
)
def test_each_defect_is_named(tmp_path: Path, asked: str, locked: str, said: str) -> None:
    assert any(said in problem for problem in found(tmp_path, asked=asked, locked=locked))


def test_a_lock_that_was_never_made_is_named(tmp_path: Path) -> None:
    assert list(problems(Lock(tmp_path / "x.lock", ()))) == ["x.lock does not exist"]


def test_the_projects_own_locks_are_complete() -> None:
    assert [problem for lock in all_locks() for problem in problems(lock)] == []
