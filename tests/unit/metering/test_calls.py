"""What Databricks' users write, made into what DuckDB runs."""

import json
from collections.abc import Mapping

import duckdb
import pytest

from openfm.metering.sql.calls import bind, rewrite, with_markers
from openfm.metering.sql.judge import Node, Refused
from openfm.metering.sql.kinds import UnknownKind, duckdb_kind

EMBEDDINGS = {"vectors"}


def tree_of(text: str) -> Node:
    with duckdb.connect() as connection:
        ((found,),) = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [text]).fetchall()
    return dict(json.loads(found))


def text_of(tree: Node) -> str:
    with duckdb.connect() as connection:
        ((found,),) = connection.execute("SELECT json_deserialize_sql($1::JSON)", [json.dumps(tree)]).fetchall()
    return str(found)


def casting(kind: str) -> Node:
    return dict(tree_of(f"SELECT CAST(NULL AS {kind})")["statements"][0]["node"]["select_list"][0])


def rewritten(text: str) -> str:
    tree = tree_of(text)
    assert rewrite(tree, EMBEDDINGS, casting)
    return text_of(tree)


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("SELECT ai_query('e', x) AS a FROM t", "SELECT ai_query('e', x) AS a FROM t"),
        ("SELECT AI_QUERY('e', x, failOnError => true)", "SELECT ai_query('e', x)"),
        ("SELECT ai_query('e', x, failonerror => false)", "SELECT ai_query_or_error('e', x)"),
        (
            "SELECT ai_query('e', x, modelParameters => named_struct('n', 1), failOnError => false)",
            "SELECT ai_query_or_error('e', x, modelParameters := named_struct('n', 1))",
        ),
        ("SELECT ai_query('e', x, 'INT') AS n", "SELECT CAST(ai_query('e', x) AS INTEGER) AS n"),
        ("SELECT ai_query('e', x, returnType => 'array<int>')", "SELECT CAST(ai_query('e', x) AS INTEGER[])"),
        (
            "SELECT ai_query('e', x, 'DOUBLE', false)",
            "SELECT TRY_CAST(ai_query_or_error('e', x) AS STRUCT(result DOUBLE, errorMessage VARCHAR))",
        ),
        ("SELECT ai_query('vectors', x) AS v", "SELECT CAST(ai_query('vectors', x) AS FLOAT[]) AS v"),
        (
            "SELECT ai_query('e', ai_query('vectors', x), returnType => 'INT')",
            "SELECT CAST(ai_query('e', CAST(ai_query('vectors', x) AS FLOAT[])) AS INTEGER)",
        ),
    ],
)
def test_a_call_becomes_one_that_duckdb_has(written: str, run: str) -> None:
    found = rewritten(written)
    assert found.removeprefix("SELECT AI").lower() == run.lower()


def test_a_question_without_calls_stays_what_it_is() -> None:
    tree = tree_of("SELECT length(x) FROM t")
    assert not rewrite(tree, EMBEDDINGS, casting)
    assert text_of(tree) == "SELECT length(x) FROM t"


@pytest.mark.parametrize(
    "call",
    [
        "ai_query('e')",
        "ai_query('e', request => x)",
        "ai_query('e', x, temperature => 1)",
        "ai_query('e', x, 'INT', returnType => 'INT')",
        "ai_query('e', x, returnType => y)",
        "ai_query('e', x, returnType => 'SELECT 1')",
        "ai_query('e', x, failOnError => NULL)",
        "ai_query('e', x, 'INT', false, {'n': 1}, 'x', 1)",
    ],
)
def test_options_that_nobody_knows_are_refused(call: str) -> None:
    with pytest.raises(Refused):
        rewritten(f"SELECT {call}")


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("SELECT :a, :b", "SELECT $a, $b"),
        ("SELECT x::a, ':a', \":a\" -- :a\n, :a", "SELECT x::a, ':a', \":a\" -- :a\n, $a"),
        ("SELECT 'it''s :a' || :a /* :a */", "SELECT 'it''s :a' || $a /* :a */"),
        ("SELECT $$ :a $$, $t$ :a $t$", "SELECT $$ :a $$, $t$ :a $t$"),
        ("SELECT :c, x[1:y], :a::INT", "SELECT :c, x[1:y], $a::INT"),
    ],
)
def test_markers_of_parameters_are_found_where_they_are_none_of_a_text(text: str, marked: str) -> None:
    assert with_markers(text, {"a", "b"}) == marked


def test_values_take_the_place_of_their_names() -> None:
    tree = tree_of("SELECT $a AS one, length($b) FROM t WHERE x = $a")
    values: Mapping[str, Node] = {"a": casting("INTEGER"), "b": casting("VARCHAR")}
    bind(tree, values)
    wanted = (
        "SELECT CAST(NULL AS INTEGER) AS one, length(CAST(NULL AS VARCHAR)) FROM t WHERE (x = CAST(NULL AS INTEGER))"
    )
    assert text_of(tree) == wanted
    with pytest.raises(Refused, match=":c has no value"):
        bind(tree_of("SELECT $c"), values)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("string", "VARCHAR"),
        (" DECIMAL(12,2) ", "DECIMAL(12, 2)"),
        ("ARRAY<ARRAY<FLOAT>>", "FLOAT[][]"),
        ("MAP<STRING, DECIMAL(5, 1)>", "MAP(VARCHAR, DECIMAL(5, 1))"),
        ("STRUCT<a: INT, b ARRAY<STRUCT<c: DATE>>>", 'STRUCT("a" INTEGER, "b" STRUCT("c" DATE)[])'),
    ],
)
def test_types_have_their_names_in_duckdb(kind: str, found: str) -> None:
    assert duckdb_kind(kind) == found
    assert casting(found)["class"] == "CAST"


@pytest.mark.parametrize("kind", ["", "VARCHAR); DROP", "ARRAY<>", "MAP<INT>", "STRUCT<>", "DECIMAL(99)", "ARRAY<" * 9])
def test_what_is_no_type_is_none(kind: str) -> None:
    with pytest.raises(UnknownKind):
        duckdb_kind(kind)
    with pytest.raises(UnknownKind):
        duckdb_kind("ARRAY<" * 30 + "INT" + ">" * 30)
