"""Usage in SQL over plain HTTP."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from tests.conftest import CHAT
from tests.contract.http.conftest import Http

SQL = "/api/2.0/openfm/sql"
STATEMENTS = "/api/2.0/sql/statements/"
EXPORT = "/api/2.0/openfm/usage/export"


async def test_a_request_is_in_the_usage_table_within_two_seconds_of_its_end(http: Http) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    tagged = body | {"usage_context": {"team": "nlp"}, "client_request_id": "mine"}
    answer = await http.post("/serving-endpoints/chat/completions", tagged)
    ended, request_id = time.monotonic(), answer.headers["x-request-id"]
    query = f"SELECT * FROM system.serving.endpoint_usage WHERE databricks_request_id = '{request_id}'"
    async with asyncio.timeout(20):
        while not (rows := (await http.post(SQL, {"query": query})).json["rows"]):
            asked = time.monotonic()
            assert asked - ended < 2.0
    (row,) = rows
    usage = answer.json["usage"]
    assert (row["input_token_count"], row["output_token_count"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert (row["usage_context"], row["client_request_id"], row["requester"]) == ({"team": "nlp"}, "mine", "admin")
    assert (row["status_code"], row["request_streaming"], row["state"]) == (200, False, "SETTLED")


async def test_rows_come_page_by_page(http: Http) -> None:
    body = {"query": "SELECT x FROM range(25) t(x) ORDER BY x", "max_rows": 10}
    pages = []
    tokens = [""]
    while tokens:
        page = (await http.post(SQL, body | {"page_token": tokens.pop()})).json
        pages.append([row["x"] for row in page["rows"]])
        tokens += [page["next_page_token"]] if "next_page_token" in page else []
    assert pages == [list(range(10)), list(range(10, 20)), list(range(20, 25))]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": " "},
        {"query": "SELECT 1", "max_rows": 0},
        {"query": "SELECT 1", "max_rows": 10**9},
        {"query": "SELECT 1", "page_token": "nonsense"},
        {"query": "SELECT " + "1+" * 60_000 + "1"},
        {"query": "DROP TABLE system.serving.endpoint_usage"},
        {"query": "SELECT * FROM '/etc/passwd'"},
    ],
)
async def test_what_cannot_be_asked_is_refused_with_a_sentence(http: Http, body: dict[str, object]) -> None:
    answer = await http.post(SQL, body)
    assert answer.status == 400
    assert answer.json["message"].endswith(".")


async def test_a_statement_is_answered_as_databricks_does(http: Http) -> None:
    statement = "SELECT 1 AS one, 'x' AS word, NULL AS nothing, 1.50 AS amount, [1, 2] AS list"
    answer = (await http.post(STATEMENTS, {"statement": statement, "warehouse_id": "w", "wait_timeout": "10s"})).json
    assert answer["status"] == {"state": "SUCCEEDED"}
    assert answer["result"]["data_array"] == [["1", "x", None, "1.50", "[1, 2]"]]
    columns = answer["manifest"]["schema"]["columns"]
    assert [(column["name"], column["type_name"]) for column in columns] == [
        ("one", "INT"),
        ("word", "STRING"),
        ("nothing", "STRING"),
        ("amount", "DECIMAL"),
        ("list", "ARRAY"),
    ]
    failed = (await http.post(STATEMENTS, {"statement": "SELECT nope"})).json
    assert failed["status"]["state"] == "FAILED"
    again = await http.get(f"{STATEMENTS}{answer['statement_id']}")
    assert again.json == answer


@pytest.mark.parametrize(("path", "field"), [(SQL, "query"), (STATEMENTS, "statement")])
async def test_a_client_that_hangs_up_ends_its_question(http: Http, path: str, field: str) -> None:
    endless = "SELECT sum(hash(x)) FROM range(10000000000000) t(x)"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await http.post(path, {field: endless})
    async with asyncio.timeout(10):  # a caller's questions take turns: the first would have had 30 s
        assert (await http.post(SQL, {"query": "SELECT 42 AS n"})).json["rows"] == [{"n": 42}]


async def test_usage_is_exported_day_by_day(http: Http) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    span = f"from={today}&to={today}"
    written = await http.get(f"{EXPORT}?{span}")
    assert (written.status, written.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert written.raw.decode().startswith("account_id,workspace_id,client_request_id,databricks_request_id,")
    assert (await http.get(f"{EXPORT}?{span}&format=parquet")).raw[:4] == b"PAR1"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "from=2026-11-01",
        "from=2026-11-02&to=2026-11-01",
        "from=2026-11&to=2026-12",
        "from=20261101&to=20261102",
        "from=2026-11-01&to=2026-11-02&format=xlsx",
        "from=2026-11-01&to=2026-11-02'; DROP TABLE x",
    ],
)
async def test_an_export_of_no_days_or_format_is_refused(http: Http, query: str) -> None:
    answer = await http.get(f"{EXPORT}?{query}")
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
