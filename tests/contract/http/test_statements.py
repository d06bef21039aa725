"""Databricks' SQL statements over plain HTTP, with `ai_query` on the real models."""

import asyncio
from typing import Any

import pytest

from tests.conftest import CHAT, EMBEDDING
from tests.contract.http.conftest import Http

SQL = "/api/2.0/openfm/sql"
STATEMENTS = "/api/2.0/sql/statements/"
ENDLESS = "SELECT sum(hash(x)) FROM range(10000000000000) t(x)"
SHORT = "modelParameters => named_struct('max_tokens', 4, 'temperature', 0)"
_FINAL = ("SUCCEEDED", "FAILED", "CANCELED")


async def begun(http: Http, statement: str, **fields: Any) -> Any:
    """What the route says of a statement."""
    answer = await http.post(STATEMENTS, {"statement": statement, "warehouse_id": "w", **fields})
    assert answer.status == 200, answer.raw
    return answer.json


async def ended(http: Http, shown: Any) -> Any:
    """What becomes of it, as databricks-sdk finds out."""
    while shown["status"]["state"] not in _FINAL:
        await asyncio.sleep(0.2)
        shown = (await http.get(f"{STATEMENTS}{shown['statement_id']}")).json
    return shown


async def rows(http: Http, statement: str, **fields: Any) -> list[list[str | None]]:
    """The rows of a statement that succeeds."""
    shown = await ended(http, await begun(http, statement, **fields))
    assert shown["status"] == {"state": "SUCCEEDED"}, shown
    found: list[list[str | None]] = shown["result"]["data_array"]
    return found


async def error(http: Http, statement: str, **fields: Any) -> tuple[str, str]:
    """Code and message of a statement that fails."""
    shown = await ended(http, await begun(http, statement, **fields))
    assert shown["status"]["state"] == "FAILED", shown
    told = shown["status"]["error"]
    return told["error_code"], told["message"]


async def ledger_rows(http: Http, statement_id: str) -> list[Any]:
    """What the ledger has of a statement now."""
    query = f"SELECT * FROM system.serving.endpoint_usage WHERE usage_context['openfm_statement'] = '{statement_id}'"
    return list((await http.post(SQL, {"query": query})).json["rows"])


async def billed(http: Http, statement_id: str, requests: int) -> list[Any]:
    """The ledger's rows of a statement, once there are so many."""
    async with asyncio.timeout(20):
        while len(found := await ledger_rows(http, statement_id)) < requests:  # noqa: ASYNC110  # a real server
            await asyncio.sleep(0.1)
    assert len(found) == requests
    return found


async def test_a_model_answers_each_row_and_each_is_billed_to_the_caller(http: Http) -> None:
    asked = f"SELECT word, ai_query('{CHAT}', 'Say ' || word, {SHORT}) AS said"
    text = f"{asked} FROM (VALUES ('one'), ('two'), ('one')) t(word)"
    shown = await ended(http, await begun(http, text, wait_timeout="30s"))
    assert shown["status"] == {"state": "SUCCEEDED"}, shown
    answers = shown["result"]["data_array"]
    assert [row[0] for row in answers] == ["one", "two", "one"]
    assert all(row[1] for row in answers)
    assert answers[0] == answers[2]
    columns = [(column["name"], column["type_name"]) for column in shown["manifest"]["schema"]["columns"]]
    assert columns == [("word", "STRING"), ("said", "STRING")]
    found = await billed(http, shown["statement_id"], 2)
    assert {(row["requester"], row["endpoint_name"], row["status_code"]) for row in found} == {("admin", CHAT, 200)}
    assert sum(row["output_token_count"] for row in found) <= 8


async def test_a_question_needs_no_table_and_parameters_have_types(http: Http) -> None:
    given = [{"name": "prompt", "value": "Say hi"}, {"name": "n", "value": "2", "type": "INT"}, {"name": "none"}]
    text = f"SELECT ai_query('{CHAT}', :prompt, {SHORT}), :n + 1, :none, ':n', :n::STRING -- :nobody"
    ((said, number, nothing, quoted, cast),) = await rows(http, text, parameters=given)
    assert said
    assert (number, nothing, quoted, cast) == ("3", None, ":n", "2")


async def test_an_embedding_is_an_array(http: Http) -> None:
    shown = await ended(http, await begun(http, f"SELECT ai_query('{EMBEDDING}', 'a cat') AS v"))
    assert shown["manifest"]["schema"]["columns"][0]["type_name"] == "ARRAY"
    assert shown["result"]["data_array"][0][0].startswith("[")


async def test_what_is_in_the_callers_usage_can_be_asked_about(http: Http) -> None:
    text = f"SELECT ai_query('{CHAT}', 'Say ' || count(*), {SHORT}) FROM system.serving.endpoint_usage"
    assert len(await rows(http, text)) == 1


async def test_with_fail_on_error_false_a_row_says_what_went_wrong(http: Http) -> None:
    text = f"ai_query('{CHAT}', word, failOnError => false, {SHORT})"
    shown = await ended(
        http, await begun(http, f"SELECT {text} AS a FROM (VALUES ('hi'), (repeat('long ', 20000))) t(word)")
    )
    assert shown["manifest"]["schema"]["columns"][0]["type_name"] == "STRUCT"
    good, bad = (row[0] for row in shown["result"]["data_array"])
    assert '"errorMessage": null' in good
    assert '"result": null' in bad
    assert "context length" in bad
    code, message = await error(http, f"SELECT ai_query('{CHAT}', repeat('long ', 20000))")
    assert code == "BAD_REQUEST"
    assert "context length" in message


async def test_answers_have_the_type_that_is_asked_for(http: Http) -> None:
    text = f"SELECT typeof(ai_query('{CHAT}', 'Say hi', returnType => 'STRING', {SHORT})), "
    text += f"ai_query('{EMBEDDING}', 'a', returnType => 'ARRAY<DOUBLE>')[1] < 1"
    assert await rows(http, text) == [["VARCHAR", "true"]]


@pytest.mark.parametrize(
    ("statement", "code", "part"),
    [
        ("SELECT ai_query('nobody-has-this', 'hi')", "NOT_FOUND", "does not exist"),
        ("SELECT ai_query('nobody-has-this', 'hi', failOnError => false)", "NOT_FOUND", "does not exist"),
        (f"SELECT ai_query('{CHAT}', 'n' || x) FROM range(1001) t(x)", "BAD_REQUEST", "openfm batch"),
        (f"SELECT ai_query('{CHAT}', random()::VARCHAR, {SHORT})", "BAD_REQUEST", "each time"),
        (f"SELECT ai_query('{CHAT}')", "BAD_REQUEST", "request"),
        (f"SELECT ai_query('{CHAT}', 'hi', files => 'x')", "BAD_REQUEST", "no option"),
        (f"SELECT ai_query('{CHAT}', 'hi', returnType => 'NONSENSE')", "BAD_REQUEST", "no type"),
        (f"SELECT ai_query('{CHAT}', 'hi', failOnError => 1 = 1)", "BAD_REQUEST", "written out"),
        (f"SELECT ai_query('{CHAT}', 'hi', modelParameters => 3)", "BAD_REQUEST", "struct"),
        (f"SELECT ai_query('{CHAT}', 'hi', modelParameters => {{'stream': true}})", "BAD_REQUEST", "stream"),
        (f"SELECT ai_query__('{CHAT}', 'hi', NULL, true)", "BAD_REQUEST", "cannot be used"),
        (f"SELECT ai_query_or_error('{CHAT}', 'hi')", "BAD_REQUEST", "cannot be used"),
        ("SELECT $missing", "BAD_REQUEST", ":missing has no value"),
        ("SELECT nope", "BAD_REQUEST", "nope"),
        ("DROP TABLE x", "BAD_REQUEST", "SELECT"),
    ],
)
async def test_what_cannot_be_answered_is_a_statement_that_failed(
    http: Http, statement: str, code: str, part: str
) -> None:
    found, message = await error(http, statement)
    assert found == code
    assert part in message


async def test_a_statement_is_waited_for_as_long_as_its_client_says(http: Http) -> None:
    shown = await begun(http, ENDLESS, wait_timeout="0s")
    assert shown == {"statement_id": shown["statement_id"], "status": {"state": "RUNNING"}}
    path = f"{STATEMENTS}{shown['statement_id']}"
    assert (await http.get(f"{path}/result/chunks/0")).status == 404
    assert (await http.post(f"{path}/cancel", {})).json == {}
    assert (await http.get(path)).json["status"] == {"state": "CANCELED"}
    shown = await begun(http, ENDLESS, wait_timeout="5s", on_wait_timeout="CANCEL")
    assert shown["status"] == {"state": "CANCELED"}
    shown = await ended(http, await begun(http, "SELECT 1 AS one", wait_timeout="0s"))
    path = f"{STATEMENTS}{shown['statement_id']}"
    assert (await http.get(f"{path}/result/chunks/0")).json["data_array"] == [["1"]]
    await http.post(f"{path}/cancel", {})
    assert (await http.get(path)).json["status"] == {"state": "SUCCEEDED"}


async def test_a_statement_that_is_cancelled_asks_no_more(http: Http) -> None:
    text = f"SELECT ai_query('{CHAT}', 'Tell a long story about ' || x) FROM range(300) t(x)"
    shown = await begun(http, text, wait_timeout="5s")
    assert shown["status"] == {"state": "RUNNING"}
    await http.post(f"{STATEMENTS}{shown['statement_id']}/cancel", {})
    counts = []
    for _ in range(3):
        counts.append(len(await ledger_rows(http, shown["statement_id"])))
        await asyncio.sleep(1.5)
    assert 0 < counts[1] == counts[2] < 300


@pytest.mark.parametrize(
    "fields",
    [
        {"wait_timeout": "1s"},
        {"wait_timeout": "51s"},
        {"wait_timeout": "soon"},
        {"on_wait_timeout": "PERHAPS"},
        {"format": "CSV"},
        {"disposition": "EXTERNAL_LINKS"},
        {"row_limit": 0},
        {"parameters": [{"value": "x"}]},
        {"parameters": [{"name": "a-b", "value": "x"}]},
        {"parameters": [{"name": "a"}, {"name": "a"}]},
        {"statement": " "},
    ],
)
async def test_a_request_that_is_none_is_refused(http: Http, fields: dict[str, Any]) -> None:
    answer = await http.post(STATEMENTS, {"statement": "SELECT 1"} | fields)
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


async def test_ai_query_is_not_for_pages_of_usage(http: Http) -> None:
    answer = await http.post(SQL, {"query": f"SELECT ai_query('{CHAT}', 'hi')"})
    assert (answer.status, "statements" in answer.json["message"]) == (400, True)


async def test_a_statement_is_its_owners_alone(http: Http) -> None:
    shown = await begun(http, "SELECT 1")
    unknown = await http.get(f"{STATEMENTS}00000000-0000-0000-0000-000000000000")
    assert (unknown.status, (await http.get(f"{STATEMENTS}{shown['statement_id']}")).status) == (404, 200)
