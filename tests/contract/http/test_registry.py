"""The registry over plain HTTP and from the command line: bad input, uploads cut by a kill, real weights."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from tests.conftest import Server, StartServer
from tests.contract.http.conftest import Http
from tests.contract.http.test_bad_input import error_of

UC, MLFLOW, FS = "/api/2.1/unity-catalog", "/api/2.0/mlflow/unity-catalog", "/api/2.0/fs"
HUGE = "9" * 30
TINY_GGUF_HEADER = b"GGUF" + (3).to_bytes(4, "little") + (2**63).to_bytes(8, "little") * 2


async def ask(http: Http, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    """Any request with the token; JSON for what is no bytes."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body is not None else None
    data = None if raw is None else io.BytesIO(raw)
    merged = {"authorization": f"Bearer {http.token}", "content-type": "application/json"} | headers
    async with http.session.request(method, http.base + path, data=data, headers=merged) as response:
        return response.status, await response.read()


async def new_version(http: Http, name: str, **fields: object) -> int:
    """A model with a version that waits for files."""
    await ask(http, "POST", f"{UC}/models", {"full_name": name})
    catalog, schema, model = name.split(".")
    names = {"catalog_name": catalog, "schema_name": schema, "model_name": model}
    status, body = await ask(http, "POST", f"{UC}/models/versions", names | fields)
    assert status == 200, body
    number: int = json.loads(body)["version"]
    return number


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{UC}/models", {"name": "a b", "catalog_name": "main", "schema_name": "default"}, 400),
        ("POST", f"{UC}/models", {"name": "a", "catalog_name": "", "schema_name": "default"}, 400),
        ("POST", f"{UC}/models", {"full_name": "a.b"}, 400),
        ("POST", f"{UC}/models", {"full_name": "a.b." + "c" * 256}, 400),
        ("POST", f"{UC}/models", {"full_name": "system.ai.mine"}, 403),
        ("POST", f"{UC}/models", {"full_name": 7}, 400),
        ("POST", f"{UC}/models", [], 400),
        ("POST", f"{UC}/models", b"{not json", 400),
        ("POST", f"{UC}/models", b'{"full_name": "a.b.\xff"}', 400),
        ("GET", f"{UC}/models?max_results=-1", None, 400),
        ("GET", f"{UC}/models?max_results=many", None, 400),
        ("GET", f"{UC}/models?page_token=%25%25", None, 400),
        ("GET", f"{UC}/models?schema_name=default", None, 400),
        ("GET", f"{UC}/models/main.default.nothing", None, 404),
        ("GET", f"{UC}/models/main.default.nothing/versions", None, 404),
        ("GET", f"{UC}/models/system.ai.minilm_l6_v2/versions/2", None, 404),
        ("GET", f"{UC}/models/system.ai.minilm_l6_v2/versions/0", None, 400),
        ("GET", f"{UC}/models/system.ai.minilm_l6_v2/versions/{HUGE}", None, 400),
        ("GET", f"{UC}/models/system.ai.minilm_l6_v2/aliases/champion", None, 404),
        ("PUT", f"{UC}/models/system.ai.minilm_l6_v2/aliases/champion", {"version_num": 1}, 403),
        ("DELETE", f"{UC}/models/system.ai.minilm_l6_v2", None, 403),
        ("PATCH", f"{UC}/models/system.ai.minilm_l6_v2", {"comment": "mine"}, 403),
        ("POST", f"{UC}/temporary-model-version-credentials", {}, 501),
        ("POST", f"{MLFLOW}/model-versions/generate-temporary-credentials", {}, 501),
        ("GET", f"{MLFLOW}/model-versions/search?filter=run_id%3D'x'", None, 400),
        ("GET", f"{MLFLOW}/model-versions/get?name=main.default.nothing&version=1", None, 404),
        ("POST", f"{MLFLOW}/model-versions/finalize", {"name": "system.ai.minilm_l6_v2", "version": 1}, 403),
        ("GET", "/api/2.0/serving-endpoints/get-model-optimization-info/main.default.nothing/1", None, 404),
        ("GET", "/api/2.0/serving-endpoints/get-model-optimization-info/system.ai.minilm_l6_v2/7", None, 404),
        ("POST", "/api/2.0/openfm/models/main.default.x/register", {"source": "file:///etc/passwd"}, 400),
        ("POST", "/api/2.0/openfm/models/main.default.x/register", {}, 400),
        ("GET", f"{FS}/files/Volumes/a/b/c/d", None, 404),
        ("GET", f"{FS}/files/Models/system/ai/minilm_l6_v2/1/nothing", None, 404),
        ("GET", f"{FS}/files/Models/system/ai/minilm_l6_v2/1/%2e%2e/%2e%2e/admin-token", None, 400),
        ("PUT", f"{FS}/files/Models/system/ai/minilm_l6_v2/1/a", b"x", 403),
        ("PUT", f"{FS}/uploads/{'0' * 32}/parts/1", b"x", 404),
        ("PUT", f"{FS}/uploads/..%2f..%2fetc/parts/1", b"x", 404),
        ("DELETE", f"{FS}/uploads/{'0' * 32}", None, 404),
        ("POST", f"{FS}/create-download-url?path=/Models/a/b/c/1/d", None, 404),
    ],
)
async def test_bad_input_is_refused_with_a_sentence(
    http: Http, method: str, path: str, body: object, status: int
) -> None:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body is not None else None
    headers = {"authorization": f"Bearer {http.token}", "content-type": "application/json"}
    url = URL(http.base + path, encoded=True)
    async with http.session.request(method, url, data=raw, headers=headers) as response:
        answered, told = response.status, json.loads(await response.read())
    assert answered == status, told
    assert told.keys() == {"error_code", "message"}
    assert told["message"].endswith((".", ".'"))


async def test_every_route_of_the_registry_wants_a_token(http: Http) -> None:
    for path in (f"{UC}/models", f"{MLFLOW}/registered-models/search", f"{FS}/files/Models/a/b/c/1/d"):
        answer = await http.ask("GET", path, None)
        assert answer.status == 401
        assert "token" in error_of(answer, path)


# ---------------------------------------------------------------------------------------------------------------- files


async def test_a_file_can_be_read_in_ranges(http: Http) -> None:
    number = await new_version(http, "main.http.ranges")
    path = f"{FS}/files/Models/main/http/ranges/{number}/a/b.bin"
    content = bytes(range(256)) * 8192
    assert (await ask(http, "PUT", path, content))[0] == 204
    whole = await http.get(path)
    assert (whole.status, whole.raw) == (200, content)
    assert whole.headers["content-length"] == str(len(content))
    assert whole.headers["last-modified"].endswith("GMT")
    assert whole.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    piece = await http.get(path, range="bytes=100-199")
    assert (piece.status, piece.raw) == (206, content[100:200])
    assert (await http.get(path, range=f"bytes={len(content) - 5}-")).raw == content[-5:]
    assert (await http.get(path, range=f"bytes={len(content)}-")).status == 416
    head = await http.ask("HEAD", path, http.token)
    assert (head.status, head.headers["content-length"], head.raw) == (200, str(len(content)), b"")


async def test_a_body_that_breaks_off_leaves_no_file(http: Http) -> None:
    number = await new_version(http, "main.http.cut")
    path = f"{FS}/files/Models/main/http/cut/{number}/a.bin"

    async def half() -> Any:
        yield bytes(3 << 20)
        raise RuntimeError("cut")

    headers = {"authorization": f"Bearer {http.token}", "content-length": str(6 << 20)}
    with pytest.raises((RuntimeError, aiohttp.ClientError)):
        await http.session.put(http.base + path, data=half(), headers=headers)
    assert (await http.get(path)).status == 404


async def test_line_32_a_model_that_nothing_serves_is_not_optimizable(http: Http) -> None:
    number = await new_version(http, "main.http.pyfunc")
    await ask(http, "PUT", f"{FS}/files/Models/main/http/pyfunc/{number}/MLmodel", b"flavors:\n  python_function: {}\n")
    status, body = await ask(http, "PATCH", f"{UC}/models/main.http.pyfunc/versions/{number}/finalize")
    assert (status, json.loads(body)["status"]) == (200, "READY")
    info = await http.get(f"/api/2.0/serving-endpoints/get-model-optimization-info/main.http.pyfunc/{number}")
    assert info.json["optimizable"] is False
    assert info.json["reason"]


async def test_a_hostile_file_registered_by_openfm_fails_and_leaves_nothing(http: Http, server: Server) -> None:
    tags = [{"key": "openfm.source_kind", "value": "local"}]
    number = await new_version(http, "main.http.hostile", tags=tags)
    await ask(http, "PUT", f"{FS}/files/Models/main/http/hostile/{number}/m.gguf", TINY_GGUF_HEADER)
    status, body = await ask(http, "PATCH", f"{UC}/models/main.http.hostile/versions/{number}/finalize")
    done = json.loads(body)
    assert (status, done["status"]) == (200, "FAILED_REGISTRATION")
    assert done["status_message"]
    digest = hashlib.sha256(TINY_GGUF_HEADER).hexdigest()
    assert list(server.home.rglob(digest)) == []


# -------------------------------------------------------------------------------------------------- cut by kill -9


async def test_an_upload_goes_on_after_the_server_was_killed_between_parts(
    start_server: StartServer, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    first = start_server(home=tmp_path)
    http = Http(session, first.url, first.token)
    number = await new_version(http, "main.http.killed")
    path = f"/Models/main/http/killed/{number}/weights.bin"
    status, body = await ask(http, "POST", f"{FS}/files{path}?action=initiate-upload&overwrite=true")
    assert status == 200
    token = json.loads(body)["multipart_upload"]["session_token"]
    contents = [bytes([number]) * (5 << 20) for number in range(3)]
    await send_part(http, path, token, 1, contents[0])
    first.process.kill()
    first.process.wait()

    second = start_server(home=tmp_path)
    http = replace(http, base=second.url, token=second.token)
    sums = [{"path": "weights.bin", "digest": "0" * 64}]
    status, body = await ask(http, "POST", f"/api/2.0/openfm/models/main.http.killed/{number}/have", {"files": sums})
    upload = json.loads(body)["uploads"][0]
    assert (upload["session_token"], [part["part_number"] for part in upload["parts"]]) == (token, [1])
    for part, content in enumerate(contents[1:], 2):
        upload["parts"].append({"part_number": part, "etag": await send_part(http, path, token, part, content)})
    complete = f"{FS}/files{path}?action=complete-upload&upload_type=multipart&session_token={token}"
    for _ in range(2):
        assert await ask(http, "POST", complete, {"parts": upload["parts"]}) == (200, b"{}")
    assert (await http.get(f"{FS}/files{path}")).raw == b"".join(contents)


async def send_part(http: Http, path: str, token: str, number: int, content: bytes) -> str:
    """Send one part as databricks-sdk does; its ETag."""
    wanted = {"path": path, "session_token": token, "start_part_number": number, "count": 1, "expire_time": "x"}
    _, body = await ask(http, "POST", f"{FS}/create-upload-part-urls", wanted)
    url = json.loads(body)["upload_part_urls"][0]["url"]
    async with http.session.put(url, data=io.BytesIO(content)) as response:
        assert response.status == 200
        return response.headers["ETag"]


# --------------------------------------------------------------------------------------------------- the command line


def openfm(server: Server, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `openfm models …` as somebody on another machine would."""
    environ: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "OPENFM_URL": server.url,
        "OPENFM_TOKEN": server.token,
        **variables,
    }
    command = [sys.executable, "-m", "openfm", "models", *arguments]
    return subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=120, check=False)


def test_real_weights_are_registered_from_the_command_line(server: Server, chat_model_file: Path) -> None:
    done = openfm(server, "register", "main.cli.chat", str(chat_model_file), "--alias", "champion", "-o", "json")
    assert done.returncode == 0, done.stderr
    version = json.loads(done.stdout)
    assert (version["version"], version["status"]) == (1, "READY")
    assert version["facts"]["task"] == "llm/v1/chat"
    assert [alias["alias_name"] for alias in version["aliases"]] == ["champion"]
    assert "100 %" in done.stderr

    again = openfm(server, "register", "main.cli.chat", str(chat_model_file), "--comment", "again")
    assert again.returncode == 0, again.stderr
    listed = json.loads(openfm(server, "versions", "main.cli.chat", "-o", "json").stdout)
    assert [version["version"] for version in listed] == [2, 1]
    assert "main.cli.chat" in openfm(server, "list", "--registered").stdout
    assert "champion=1" in openfm(server, "get", "main.cli.chat").stdout
    blobs = [file for file in server.home.rglob("*") if file.is_file() and not file.is_symlink()]
    assert sum(file.stat().st_size == chat_model_file.stat().st_size for file in blobs) == 1

    assert openfm(server, "alias", "set", "main.cli.chat", "champion", "2").returncode == 0
    assert openfm(server, "alias", "delete", "main.cli.chat", "champion").returncode == 0
    assert openfm(server, "delete", "main.cli.chat", "--version", "1").returncode == 0
    assert openfm(server, "delete", "main.cli.chat").returncode == 0
    assert openfm(server, "get", "main.cli.chat").returncode == 4


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("register", "main.cli.bad", "/nowhere.gguf"), 4, "no file or folder"),
        (("register", "bad", __file__), 2, "no model name"),
        (("register", "main.cli.bad", __file__), 0, "no endpoint can serve it"),
        (("get", "main.cli.nothing"), 4, "does not exist"),
        (("delete", "system.ai.minilm_l6_v2"), 3, "comes with openfm"),
        (("alias", "set", "main.cli.nothing", "champion", "1"), 4, "does not exist"),
        (("register", "main.cli.bad", "https://example.com/a"), 1, "hub only"),
    ],
)
def test_the_command_line_says_what_is_wrong(server: Server, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = openfm(server, *arguments)
    assert told in done.stderr
    assert done.returncode == code
