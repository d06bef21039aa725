"""databricks-sdk drives the whole life of an endpoint; see `scripts/endpoint_story.py`."""

import math

import pytest

from tests.clients.conftest import Story, Tell

pytestmark = pytest.mark.clients

READY = {"ready": "READY", "config_update": "NOT_UPDATING"}
REQUESTS = 1000


@pytest.fixture(scope="module")
def life(story: Tell) -> Story:
    return story("endpoint_story.sdk")


def test_line_32_a_registered_model_says_in_what_its_throughput_is_sold(life: Story) -> None:
    found = life.value("optimization")
    assert found["optimizable"] is True
    assert found["throughput_chunk_size"] > 0
    assert "NotFound" in life.failure("no_optimization").bases


def test_line_20_an_endpoint_is_created_and_answers_once_the_client_stops_waiting(life: Story) -> None:
    created = life.value("create")
    assert created["state"] == READY
    assert (created["version"], created["entities"], created["routes"]) == (1, ["v1"], {"v1": 100})
    assert created["round_trip"]
    assert life.value("query") == 3


def test_line_23_an_update_is_the_next_version_of_the_config(life: Story) -> None:
    halves = life.value("half")
    assert (halves["state"], halves["version"], halves["routes"]) == (READY, 2, {"v1": 50, "v2": 50})
    whole = life.value("whole")
    assert (whole["version"], whole["entities"]) == (3, ["v2"])
    assert life.value("after") == {"v2": 20}


def test_line_79_a_thousand_requests_split_as_the_traffic_says(life: Story) -> None:
    counts = life.value("split")
    assert sum(counts.values()) == REQUESTS
    sigma = math.sqrt(REQUESTS * 0.25)
    assert abs(counts["v1"] - REQUESTS / 2) < 3 * sigma, counts


def test_lines_16_17_27_details_are_echoed_and_logs_and_metrics_read(life: Story) -> None:
    assert life.value("limits") == {"rate_limits": [{"calls": 9, "renewal_period": "minute"}]}
    assert life.value("no_limits").get("rate_limits", []) == []
    assert life.value("tags") == {"tags": [{"key": "team", "value": "nlp"}, {"key": "x", "value": ""}]}
    assert life.value("fewer_tags") == {"tags": [{"key": "team", "value": "nlp"}]}
    assert life.value("gateway") == {"fallback_config": {"enabled": True}}
    assert isinstance(life.value("logs"), str)
    assert "Checking its files" in life.value("build_logs")
    for name in ("cpu_usage_percentage", "mem_usage_percentage", "provisioned_concurrent_requests_total",
                 "request_count_total", "request_4xx_count_total", "request_5xx_count_total",
                 "request_latency_ms_bucket"):  # fmt: skip
        assert name in life.value("metrics")


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        ("taken_name", "ResourceAlreadyExists", "exists already"),
        ("reserved_name", "InvalidParameterValue", "reserved"),
        ("long_name", "InvalidParameterValue", "1 to 63"),
        ("sql_in_name", "InvalidParameterValue", "1 to 63"),
        ("unknown_model", "ResourceDoesNotExist", "main.story.none"),
        ("unknown_version", "ResourceDoesNotExist", "77"),
        ("traffic", "InvalidParameterValue", "99"),
        ("too_many", "InvalidParameterValue", "15"),
        ("two_tasks", "InvalidParameterValue", "tasks"),
        ("no_multiple", "InvalidParameterValue", "multiples"),
        ("min_over_max", "InvalidParameterValue", "above"),
        ("negative", "InvalidParameterValue", "must be 1 to"),
        ("served_model_deleted", "ResourceConflict", "story"),
    ],
)
def test_lines_19_22_33_what_may_not_be_is_refused_with_the_reason(
    life: Story, step: str, error: str, words: str
) -> None:
    failure = life.failure(step)
    assert error in (failure.error, *failure.bases), failure
    assert words in failure.message


def test_a_refused_change_changes_nothing(life: Story) -> None:
    assert life.value("unchanged") is True


def test_line_33_throughput_of_twice_to_three_times_the_chunk_is_ready(life: Story) -> None:
    assert life.value("throughput")["state"] == READY


def test_line_31_model_units_are_bought_and_changed_by_the_routes_of_their_own(life: Story) -> None:
    told = life.value("units")
    assert told["state"] == READY
    assert told["made"]["provisioned_model_units"] == 2
    assert (told["changed"]["provisioned_model_units"], told["changed"]["burst_scaling_enabled"]) == (1, False)
    assert told["answers"] == 1


def test_line_26_a_deleted_endpoint_is_gone(life: Story) -> None:
    assert life.value("delete") is None
    assert "NotFound" in life.failure("gone").bases
