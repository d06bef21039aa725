"""Queries with `ai_query` in them, in the real DuckDB."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from openfm.batch.answers import Answers
from openfm.batch.cost import ASSUMED_COMPLETION, estimate
from openfm.batch.query import Query
from openfm.batch.question import BATCH_TAG, EMBEDDINGS, BatchError, Question, answer_in
from openfm.core.price import DBU, Price, PriceUnit, Target, TargetKind

SERVER = "http://server"


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    with closing(Answers(tmp_path / "state", "q", SERVER)) as opened:
        yield opened


def finished(
    text: str, output: Path, answers: Answers, rule: Callable[[Question], str] = lambda asked: f"<{asked.text}>"
) -> int:
    """Pass after pass; how many there were."""
    query = Query(text, output)
    for number in range(1, 9):
        query.write(answers)
        if not (waiting := answers.open()):
            query.draft.replace(output)
            return number
        for one in waiting:
            answers.keep(one.question, rule(one.question))
    raise AssertionError("it never ends")


def test_rows_of_a_file_are_answered_and_the_others_of_its_columns_kept(tmp_path: Path, answers: Answers) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("id,prompt\n1,a\n2,b\n3,\n4,a\n")
    text = f"SELECT id, ai_query('chat', prompt) AS answer FROM '{source}' ORDER BY id -- all of them\n;"
    assert finished(text, output, answers) == 2
    with output.open() as file:
        assert list(csv.reader(file)) == [["id", "answer"], ["1", "<a>"], ["2", "<b>"], ["3", ""], ["4", "<a>"]]


def test_a_question_may_depend_on_an_answer(tmp_path: Path, answers: Answers) -> None:
    text = "SELECT x, ai_query('chat', 'again ' || ai_query('chat', 'q' || x)) AS a FROM range(3) t(x)"
    assert finished(text, tmp_path / "out.json", answers) == 3
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [row["a"] for row in rows] == [f"<again <q{x}>>" for x in range(3)]
    assert answers.counts()[0] == 6


def test_an_answer_may_choose_the_rows(tmp_path: Path, answers: Answers) -> None:
    text = "SELECT x FROM range(10) t(x) WHERE ai_query('judge', 'Is it even? ' || x) = 'yes'"
    finished(text, tmp_path / "out.jsonl", answers, lambda asked: "yes" if asked.text[-1] in "02468" else "no")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["x"] for line in lines] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    "parameters",
    [
        "modelParameters => named_struct('max_tokens', 7, 'temperature', 0.5)",
        "modelParameters := {'max_tokens': 7, 'temperature': 0.5}",
        "failOnError => false, modelParameters => MAP {'max_tokens': 7, 'temperature': 0.5}",
    ],
)
def test_parameters_are_written_as_in_databricks_or_as_in_duckdb(
    tmp_path: Path, answers: Answers, parameters: str
) -> None:
    Query(f"SELECT ai_query('chat', 'x', {parameters})", tmp_path / "out.csv").write(answers)
    (one,) = answers.open()
    assert one.question.options == {"max_tokens": 7, "temperature": 0.5}
    assert one.question.may_fail == ("failOnError" in parameters)
    assert one.question.body("llm/v1/chat", {BATCH_TAG: "b1"}) == {
        "messages": [{"role": "user", "content": "x"}],
        "max_tokens": 7,
        "temperature": 0.5,
        "usage_context": {"openfm_batch": "b1"},
    }


def test_a_response_format_stands_beside_the_parameters(tmp_path: Path, answers: Answers) -> None:
    text = """SELECT ai_query('chat', 'x', responseFormat => '{"type": "json_object"}',
        modelParameters => {'max_tokens': 7})"""
    Query(text, tmp_path / "out.csv").write(answers)
    (one,) = answers.open()
    assert one.question.options == {"max_tokens": 7, "response_format": {"type": "json_object"}}


def test_an_embedding_is_read_as_numbers(tmp_path: Path, answers: Answers) -> None:
    text = "SELECT list_sum(ai_query('embed', 'x')::FLOAT[]) AS total"
    finished(text, tmp_path / "out.json", answers, lambda _: answer_in({"data": [{"embedding": [0.5, 1.5]}]}))
    assert json.loads((tmp_path / "out.json").read_text()) == [{"total": 2.0}]
    assert Question("embed", "x").body(EMBEDDINGS, {})["input"] == "x"
    assert Question("old", "x").body("llm/v1/completions", {})["prompt"] == "x"


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("DROP TABLE x", "out.csv"),
        ("SELECT 1; SELECT 2", "out.csv"),
        ("COPY (SELECT 1) TO 'other.csv'", "out.csv"),
        ("SELEC 1", "out.csv"),
        ("", "out.csv"),
        ("SELECT 1", "out.xlsx"),
        ("SELECT 1", "out"),
        ("SELECT * FROM 'no-such-file.parquet'", "out.csv"),
        ("SELECT ai_query('chat', 'x', modelParameters => 'hot')", "out.csv"),
        ("SELECT ai_query('chat', 'x', modelParameters => {'messages': []})", "out.csv"),
        ("SELECT ai_query('chat', 'x', modelParameters => {'stream': true})", "out.csv"),
        ("SELECT ai_query('chat', 'x', responseFormat => 'nonsense')", "out.csv"),
    ],
)
def test_what_is_no_batch_is_refused_before_anything_is_asked(
    tmp_path: Path, answers: Answers, text: str, output: str
) -> None:
    with pytest.raises(BatchError):
        Query(text, tmp_path / output).write(answers)
    assert not answers.open()


def test_a_batch_goes_on_where_it_stopped_and_no_other_takes_its_answers(tmp_path: Path) -> None:
    state, query = tmp_path / "state", Query("SELECT ai_query('chat', 'q' || x) FROM range(5) t(x)", tmp_path / "o.csv")
    with closing(Answers(state, query.text, SERVER)) as first:
        query.write(first)
        name = first.batch
    with closing(Answers(state, "another, for nothing was answered yet", SERVER)) as replaced:
        assert not replaced.open()
        assert replaced.batch != name
    with closing(Answers(state, query.text, SERVER)) as begun:
        query.write(begun)
        begun.keep(begun.open()[0].question, "yes")
        begun.fail(begun.open()[0].question, "no")
        with pytest.raises(BatchError, match="already"):
            Answers(state, query.text, SERVER)
    for other in (("SELECT 1", SERVER), (query.text, "http://elsewhere")):
        with pytest.raises(BatchError, match="another query or server"):
            Answers(state, *other)
    with closing(Answers(state, query.text, SERVER)) as again:
        assert again.batch == begun.batch
        assert len(again.open()) == 4
        again.discard()
    assert not state.exists()


def test_the_estimate_takes_the_dearest_price_and_all_of_max_tokens() -> None:
    cheap, dear = (
        Price(
            version,
            Target(TargetKind.ENDPOINT, "*"),
            DBU,
            {PriceUnit.PROMPT: amount, PriceUnit.COMPLETION: 1},
            0,
            0,
            "",
        )
        for version, amount in ((1, 10), (2, 20))
    )
    asked = [Question("chat", "x" * 400, '{"max_tokens": 10}'), Question("chat", "x" * 400)]
    found = estimate(asked, "llm/v1/chat", [cheap, dear])
    assert (found.questions, found.prompt_tokens, found.completion_tokens) == (2, 232, 10 + ASSUMED_COMPLETION)
    assert found.pico == 232 * 20 + 10 + ASSUMED_COMPLETION
    assert estimate(asked[1:], EMBEDDINGS, [cheap]).completion_tokens == 0


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"data": []}, {"choices": [{"message": {}}]}, {"choices": None}])
def test_a_body_without_an_answer_is_no_answer(body: dict[str, object]) -> None:
    with pytest.raises(BatchError, match="not with text"):
        answer_in(body)
