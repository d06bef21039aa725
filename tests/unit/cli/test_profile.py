"""The command line finds the server, and gives each token to its own server only."""

import json
from pathlib import Path

import pytest

from openfm.cli.errors import CliError, ExitCode
from openfm.cli.profile import Given, Server, find_server

LOCAL = "http://127.0.0.1:8080"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "server.json").write_text(json.dumps({"url": LOCAL}))
    (tmp_path / "admin-token").write_text("admin\n")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "environ", "found"),
    [
        (Given(), {}, Server(LOCAL, "admin")),
        (Given(token="t"), {}, Server(LOCAL, "t")),
        (Given(url=LOCAL), {}, Server(LOCAL, "admin")),
        (Given(url="http://other"), {}, Server("http://other", None)),
        (Given(url="http://a/", token="t"), {"OPENFM_URL": "http://b"}, Server("http://a", "t")),
        (Given(), {"OPENFM_URL": "http://b", "OPENFM_TOKEN": "t"}, Server("http://b", "t")),
        (Given(), {"OPENFM_URL": "http://b", "DATABRICKS_TOKEN": "secret"}, Server("http://b", None)),
        (
            Given(),
            {"DATABRICKS_HOST": "x.databricks.com", "DATABRICKS_TOKEN": "d"},
            Server("https://x.databricks.com", "d"),
        ),
        (Given(), {"OPENFM_URL": "http://b", "DATABRICKS_HOST": "https://x"}, Server("http://b", None)),
        (Given(url="127.0.0.1:8080"), {}, Server(LOCAL, "admin")),
        (Given(url="localhost:9/"), {}, Server("http://localhost:9", None)),
        (Given(url="[::1]:9"), {}, Server("http://[::1]:9", None)),
        (Given(url="localhost.example:9"), {}, Server("https://localhost.example:9", None)),
    ],
)
def test_flags_win_over_variables_and_those_over_the_local_server(
    home: Path, given: Given, environ: dict[str, str], found: Server
) -> None:
    assert find_server(given, {**environ, "OPENFM_HOME": str(home)}) == found


def test_without_any_server_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(CliError) as caught:
        find_server(Given(home=tmp_path), {})
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert "openfm serve" in caught.value.hint


def test_a_damaged_server_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{")
    with pytest.raises(CliError):
        find_server(Given(home=tmp_path), {})


@pytest.mark.parametrize("url", ["ftp://x", "http:/x", "http://", "http://x:port", "http://x:99999", "/x", "http://[x"])
def test_what_is_no_url_is_said_before_anything_is_sent(tmp_path: Path, url: str) -> None:
    with pytest.raises(CliError, match="no server's URL") as caught:
        find_server(Given(url=url, home=tmp_path), {})
    assert "https://" in caught.value.hint
