"""Each house rule refuses what it is for, and nothing else."""

from pathlib import PurePosixPath
from textwrap import dedent

import pytest

from tools.lint.rules import MAX_FUNCTION_LINES, MAX_MODULE_LINES, RULES, parse

PRODUCT = "src/openfm/gateway/auth.py"


def broken(text: str, path: str = PRODUCT) -> list[str]:
    module = parse(PurePosixPath(path), dedent(text))
    return [finding.rule for rule in RULES for finding in rule.check(module)]


LATE_IMPORT = """
    def load():
        import numpy
"""


def test_an_import_in_a_function_is_refused() -> None:
    assert broken(LATE_IMPORT) == ["late-import"]


def test_an_import_in_a_function_is_refused_in_tests_too() -> None:
    assert broken(LATE_IMPORT, "tests/unit/test_x.py") == ["late-import"]


def test_the_list_of_engines_imports_late() -> None:
    assert broken(LATE_IMPORT, "src/openfm/engines/catalog.py") == []


@pytest.mark.parametrize("text", ["import os\nos.environ['A']", "import os\nos.getenv('A')", "from os import environ"])
def test_the_environment_is_read_in_two_places_only(text: str) -> None:
    assert broken(text) == ["environment"]
    assert broken(text, "src/openfm/settings.py") == []
    assert broken(text, "src/openfm/cli/profile.py") == []
    assert broken(text, "tools/environments.py") == []


@pytest.mark.parametrize("caught", ["", " Exception", " BaseException as error", " (OSError, Exception)"])
def test_a_broad_except_must_raise_again(caught: str) -> None:
    assert broken(f"try:\n    pass\nexcept{caught}:\n    pass") == ["broad-except"]
    assert broken(f"try:\n    pass\nexcept{caught}:\n    print('x')\n    raise") == []


def test_a_raise_that_another_function_would_do_is_none() -> None:
    text = """
        try:
            pass
        except Exception:
            def later():
                raise
    """
    assert broken(text) == ["broad-except"]


def test_the_place_that_makes_500s_catches_all() -> None:
    assert broken("try:\n    pass\nexcept Exception:\n    pass", "src/openfm/gateway/routes.py") == []


def test_a_named_exception_may_be_handled() -> None:
    assert broken("try:\n    pass\nexcept OSError:\n    pass") == []


def test_global_is_refused() -> None:
    assert broken("def count():\n    global total\n    total = 1") == ["global"]


def test_a_module_has_an_end() -> None:
    assert broken("x = 1\n" * MAX_MODULE_LINES) == []
    assert broken("x = 1\n" * (MAX_MODULE_LINES + 1)) == ["long-module"]
    assert broken("x = 1\n" * (MAX_MODULE_LINES + 1), "tests/unit/test_x.py") == []


def function(*, lines: int) -> str:
    body = ["def f():", '    """Says', "    something", '    long."""', "", "    # and a comment"]
    return "\n".join(body + ["    x = 1"] * lines)


def test_a_function_is_counted_without_signature_docstring_comments_and_blank_lines() -> None:
    assert broken(function(lines=MAX_FUNCTION_LINES)) == []
    assert broken(function(lines=MAX_FUNCTION_LINES + 1)) == ["long-function"]


@pytest.mark.parametrize("text", ["print('hello')", "x = 1", "def f(): ...", "if True:\n    x = 1"])
def test_an_init_does_nothing(text: str) -> None:
    assert broken(text, "src/openfm/wire/__init__.py") == ["init"]


def test_an_init_may_re_export() -> None:
    text = '"""Doc."""\nfrom openfm.wire import manner\n__all__ = ["manner"]\n__version__ = "1"'
    assert broken(text, "src/openfm/wire/__init__.py") == []


@pytest.mark.parametrize(
    "text", ["from typing import x\nif TYPE_CHECKING:\n    pass", "import typing\nif typing.TYPE_CHECKING:\n    pass"]
)
def test_type_checking_blocks_are_refused(text: str) -> None:
    assert broken(text) == ["type-checking"]
