"""What the endpoint verbs send, wait for and show, without a server."""

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from openfm.cli.endpoints_body import EntityFlags, creation_body, seconds, tags_of
from openfm.cli.endpoints_show import facts, row, state_words
from openfm.cli.endpoints_wait import Patience, settled, shown_states
from openfm.cli.endpoints_watch import fresh
from openfm.cli.errors import CliError, ExitCode

READY = {"ready": "READY", "config_update": "NOT_UPDATING"}
UPDATING = {"ready": "NOT_READY", "config_update": "IN_PROGRESS"}
LINES = [f"{number:04} a line of an engine's log, longer than the least overlap that counts\n" for number in range(40)]


def endpoint(state: dict[str, str], deployment: str = "DEPLOYMENT_CREATING", message: str = "") -> dict[str, Any]:
    entity = {"name": "m-3", "entity_name": "a.b.m", "entity_version": "3"}
    shown = {**entity, "state": {"deployment": deployment, "deployment_state_message": message}}
    key = "config" if state["config_update"] == "NOT_UPDATING" else "pending_config"
    routes = [{"served_model_name": "m-3", "served_entity_name": "m-3", "traffic_percentage": 100}]
    return {"name": "mine", "state": state, key: {"served_entities": [shown], "traffic_config": {"routes": routes}}}


class Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def patience(self, timeout_s: float = 60.0) -> Patience:
        return Patience(timeout_s, lambda: self.now, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds


def looks(*endpoints: dict[str, Any]) -> Callable[[], Awaitable[dict[str, Any]]]:
    """What one sees, look by look; the last one for ever."""
    left = list(endpoints)

    async def look() -> dict[str, Any]:
        return left.pop(0) if len(left) > 1 else left[0]

    return look


async def test_waiting_ends_with_the_endpoint_once_nothing_is_rolled_out() -> None:
    seen: list[dict[str, str]] = []
    clock, ready = Clock(), endpoint(READY, "DEPLOYMENT_READY")
    steps = looks(endpoint(UPDATING), endpoint(UPDATING, message="Loading 40 %."), ready)
    assert await settled(steps, lambda now: seen.append(dict(now)), clock.patience()) == ready
    assert seen == [{"m-3": "creating"}, {"m-3": "creating: Loading 40 %."}, {"m-3": "ready"}]
    assert clock.now == 2.0


@pytest.mark.parametrize(("update", "word"), [("UPDATE_FAILED", "failed"), ("UPDATE_CANCELED", "canceled")])
async def test_an_update_that_fails_ends_with_1_and_the_reason(update: str, word: str) -> None:
    failed = endpoint({"ready": "READY", "config_update": update}, "DEPLOYMENT_FAILED", "It needs 9 GiB.")
    with pytest.raises(CliError, match=word) as caught:
        await settled(looks(endpoint(UPDATING), failed), lambda _: None, Clock().patience())
    assert caught.value.exit_code is ExitCode.FAILURE
    assert "m-3 failed: It needs 9 GiB." in caught.value.message


async def test_patience_ends_and_says_that_the_update_goes_on() -> None:
    clock = Clock()
    with pytest.raises(CliError, match="goes on") as caught:
        await settled(looks(endpoint(UPDATING)), lambda _: None, clock.patience(5.0))
    assert caught.value.exit_code is ExitCode.TIMED_OUT
    assert clock.now == 5.0


def test_off_a_terminal_each_change_is_one_line_and_obeys_no_escape() -> None:
    stream = io.StringIO()
    with shown_states(stream) as on_states:
        for state in ("creating", "creating", "creating: 40 %\x1b[2J", "ready"):
            on_states({"m-3": state})
    assert stream.getvalue() == "m-3: creating\nm-3: creating: 40 %\u241b[2J\nm-3: ready\n"


def test_flags_make_the_body_of_a_creation() -> None:
    flags = EntityFlags("a.b.m", "3", scale_to_zero=True, min_throughput=0)
    assert creation_body("mine", None, flags, {"tags": [], "description": "Mine."}) == {
        "name": "mine",
        "description": "Mine.",
        "config": {
            "served_entities": [
                {
                    "entity_name": "a.b.m",
                    "entity_version": "3",
                    "scale_to_zero_enabled": True,
                    "min_provisioned_throughput": 0,
                }
            ]
        },
    }


def test_json_is_the_whole_body_and_a_name_beside_it_wins() -> None:
    body = {"name": "theirs", "config": {"served_models": []}, "anything": 1}
    assert creation_body("mine", json.dumps(body), EntityFlags(), {}) == body | {"name": "mine"}
    assert creation_body(None, json.dumps(body), EntityFlags(), {}) == body


@pytest.mark.parametrize(
    ("name", "text", "flags"),
    [
        ("mine", None, EntityFlags()),
        ("mine", None, EntityFlags(version="3")),
        ("mine", "{}", EntityFlags(model="a.b.m")),
        (None, "{}", EntityFlags()),
        (None, None, EntityFlags(model="a.b.m")),
        ("mine", "[]", EntityFlags()),
        ("mine", "@/no/such/file", EntityFlags()),
    ],
)
def test_half_a_body_is_a_usage_error(name: str | None, text: str | None, flags: EntityFlags) -> None:
    with pytest.raises(CliError) as caught:
        creation_body(name, text, flags, {})
    assert caught.value.exit_code is ExitCode.USAGE


def test_tags_are_pairs_or_keys() -> None:
    assert tags_of(["team=nlp", "url=a=b", "bare"]) == [
        {"key": "team", "value": "nlp"},
        {"key": "url", "value": "a=b"},
        {"key": "bare", "value": ""},
    ]
    with pytest.raises(CliError):
        tags_of(["=x"])


@pytest.mark.parametrize(("text", "wanted"), [("90", 90.0), ("0.5", 0.5), ("20m", 1200.0), ("1h30m", 5400.0)])
def test_timeouts_are_seconds_or_written_as_databricks_does(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "0s", "nan", "inf", "20 m", "5d"])
def test_other_timeouts_are_usage_errors(text: str) -> None:
    with pytest.raises(CliError):
        seconds(text)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (READY, "READY"),
        (UPDATING, "NOT_READY (Updating)"),
        ({"ready": "READY", "config_update": "UPDATE_FAILED"}, "READY (Update failed)"),
        ({"ready": "NOT_READY", "config_update": "NOT_UPDATING", "suspend": "STOPPED"}, "NOT_READY (Stopped)"),
    ],
)
def test_states_are_told_in_databricks_words(state: dict[str, str], words: str) -> None:
    assert state_words({"state": state}) == words


def test_a_pending_config_is_shown_beside_the_active_one() -> None:
    both = endpoint(READY, "DEPLOYMENT_READY") | endpoint(UPDATING, message="Loading 40 %.")
    shown = dict(facts(both))
    assert shown["served entity"] == shown["pending entity"] == "m-3"
    assert shown["  traffic"] == "100 %"
    assert shown["  deployment"] == "DEPLOYMENT_CREATING Loading 40 %."
    assert row(endpoint(UPDATING)) == ("mine", "None", "NOT_READY (Updating)", "a.b.m")


@pytest.mark.parametrize(("gone", "come"), [(0, 0), (0, 3), (5, 5), (20, 1), (38, 1)])
def test_following_a_log_writes_each_line_once_though_its_beginning_goes(gone: int, come: int) -> None:
    old, new = "".join(LINES[: 40 - come]), "".join(LINES[gone:])
    assert fresh(old, new) == "".join(LINES[40 - come :])


def test_a_log_that_begins_anew_is_written_whole() -> None:
    assert fresh("".join(LINES[:5]), "".join(LINES[20:])) == "".join(LINES[20:])
    assert fresh("", LINES[0]) == LINES[0]
    assert fresh(LINES[0], "") == ""
