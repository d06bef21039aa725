"""SQL statements with `ai_query`, judged by databricks-sdk, unmodified."""

import json

import pytest

from tests.clients.conftest import Story, Tell

pytestmark = pytest.mark.clients


@pytest.fixture
def told(story: Tell) -> Story:
    """What databricks-sdk did and saw."""
    return story("sql_story.sdk")


def test_a_statement_asks_a_model_about_each_row(told: Story) -> None:
    shown = told.value("rows")
    assert (shown["state"], shown["columns"]) == ("SUCCEEDED", ["word", "said"])
    assert [row[0] for row in shown["rows"]] == ["one", "two"]
    assert all(row[1] for row in shown["rows"])


def test_parameters_are_values(told: Story) -> None:
    ((said, number),) = told.value("parameters")["rows"]
    assert said
    assert number == "42"


def test_a_row_that_fails_says_why_and_so_does_a_statement(told: Story) -> None:
    ((cell,),) = told.value("errors")["rows"]
    row = json.loads(cell)
    assert row["result"] is None
    assert "context length" in row["errorMessage"]
    unknown = told.value("unknown")
    assert (unknown["state"], unknown["error"][0]) == ("FAILED", "NOT_FOUND")


def test_a_statement_is_cancelled(told: Story) -> None:
    assert told.value("cancelled") == ["RUNNING", "CANCELED"]
