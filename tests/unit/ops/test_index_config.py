"""The package index is the one that pip and uv use."""

from pathlib import Path

import pytest

from openfm.ops.index_config import PYPI, index_config

NO_FILES = {"PIP_CONFIG_FILE": "/dev/null", "XDG_CONFIG_HOME": "/nowhere"}


@pytest.mark.parametrize(
    ("environ", "urls"),
    [
        ({}, (PYPI,)),
        ({"PIP_INDEX_URL": "https://a/simple/"}, ("https://a/simple",)),
        ({"UV_DEFAULT_INDEX": "corp=https://b/simple"}, ("https://b/simple",)),
        ({"UV_INDEX_URL": "https://c/simple"}, ("https://c/simple",)),
        ({"PIP_EXTRA_INDEX_URL": "https://d file:///e"}, (PYPI, "https://d", "file:///e")),
        ({"PIP_NO_INDEX": "1", "PIP_EXTRA_INDEX_URL": "file:///e"}, ("file:///e",)),
        ({"UV_INDEX": "https://f"}, (PYPI, "https://f")),
        ({"OPENFM_PACKAGE_INDEX": "https://g/", "PIP_INDEX_URL": "https://a"}, ("https://g",)),
    ],
)
def test_variables_are_understood(environ: dict[str, str], urls: tuple[str, ...]) -> None:
    assert index_config({**NO_FILES, **environ}).urls == urls


def test_the_setting_wins() -> None:
    assert index_config({**NO_FILES, "PIP_INDEX_URL": "https://a"}, "https://mine").urls == ("https://mine",)


def test_pips_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a/simple\nextra-index-url =\n    https://b/simple\n    https://c\n")
    urls = index_config({"PIP_CONFIG_FILE": str(file), "XDG_CONFIG_HOME": "/nowhere"}).urls
    assert urls == ("https://a/simple", "https://b/simple", "https://c")


def test_uvs_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(
        '[[index]]\nurl = "https://a"\ndefault = true\n[[index]]\nurl = "https://b"\n'
    )
    urls = index_config({"PIP_CONFIG_FILE": "/dev/null", "XDG_CONFIG_HOME": str(tmp_path)}).urls
    assert urls == ("https://a", "https://b")


@pytest.mark.parametrize("text", ["[global\nnonsense", "\x00"])
def test_a_file_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(text)
    environ = {"PIP_CONFIG_FILE": str(file), "PIP_INDEX_URL": "https://a", "XDG_CONFIG_HOME": "/nowhere"}
    assert index_config(environ).urls[0] == "https://a"
