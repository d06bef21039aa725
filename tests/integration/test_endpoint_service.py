"""What may happen to endpoints, in a real database."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from openfm.control.endpoints import events
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.inputs import ConfigInput, EndpointInput
from openfm.control.endpoints.loading import load_endpoints
from openfm.control.endpoints.parsing import Workshop
from openfm.control.endpoints.rollout import Commit, GiveUp, Rollouts, Wait, judge
from openfm.control.endpoints.service import EndpointService, Office
from openfm.core.endpoint import (
    Deployment,
    DeploymentState,
    EndpointType,
    ServedEntity,
    ServingEndpoint,
    UpdateState,
)
from openfm.core.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    EndpointNotFound,
    InvalidParameterValue,
    InvalidRequest,
    NoReplicaReady,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from openfm.core.event import EventKind
from openfm.core.principal import PermissionLevel, Principal
from openfm.scheduling.profile import ThroughputProfile
from openfm.server.capacity import PromisedCapacity
from openfm.server.overcommitment import Overcommitment
from openfm.server.promises import measured as measured_by
from openfm.store.database import Database
from openfm.store.tables import endpoint_configs
from tests.unit.control.endpoints.fakes import ANN, CHUNK, FakeGrants, FakeKeys, FakeModels, version_id
from tests.unit.scheduling.test_profile import FULL

BOB = Principal("8", "bob@example.org")
READY = Deployment(DeploymentState.READY, "")
LOADING = Deployment(DeploymentState.CREATING, "Loading.")
BROKEN = Deployment(DeploymentState.FAILED, "It has no head.")


@dataclass
class Desk:
    """A service on a database of its own."""

    database: Database
    grants: FakeGrants = field(default_factory=FakeGrants)
    models: FakeModels = field(default_factory=FakeModels)
    profiles: dict[str, ThroughputProfile] = field(default_factory=dict)
    now: int = 1000

    def __post_init__(self) -> None:
        self.directory = EndpointDirectory(self.grants)
        workshop = Workshop(self.models, FakeKeys())
        office = Office(
            self.database, self.directory, workshop, self.grants, self.capacity, lambda: self.now, lambda: None
        )
        self.service = EndpointService(office)

    @property
    def capacity(self) -> PromisedCapacity:
        return PromisedCapacity(measured_by(self, self.models.throughput))

    def best(self, version_ids: Iterable[str]) -> ThroughputProfile | None:
        """What was measured, as the account of capacity asks for it."""
        return next((self.profiles[one] for one in version_ids if one in self.profiles), None)

    def create(self, name: str = "mine", **change: Any) -> ServingEndpoint:
        return self.service.create(ANN, EndpointInput.model_validate({"name": name, "config": config()} | change))

    def update(self, version: str = "2", caller: Principal = ANN) -> ServingEndpoint:
        return self.service.update_config(caller, "mine", ConfigInput.model_validate(config(version)))

    @property
    def mine(self) -> ServingEndpoint:
        return self.directory.get("mine")

    @property
    def stored(self) -> list[ServingEndpoint]:
        return load_endpoints(self.database, self.models)


def config(version: str = "1") -> dict[str, Any]:
    return {"served_entities": [{"entity_name": "main.a.llama", "entity_version": version}]}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database(f"sqlite:///{tmp_path / 'openfm.db'}")
    database.migrate()
    yield Desk(database)
    database.close()


def serving(desk: Desk) -> ServingEndpoint:
    """An endpoint whose first config answers."""
    desk.create()
    desk.service.commit(desk.mine)
    return desk.mine


def test_a_new_endpoint_answers_once_its_first_config_does(desk: Desk) -> None:
    made = desk.create(tags=[{"key": "a", "value": "b"}], description="Mine.")
    assert (made.config, made.update) == (None, UpdateState.IN_PROGRESS)
    with pytest.raises(NoReplicaReady):
        _ = made.active
    assert desk.grants.levels == {(ANN.name, made.id): PermissionLevel.CAN_MANAGE}
    desk.service.commit(desk.mine)
    assert desk.mine.active.version == 1
    assert (desk.mine.pending_config, desk.mine.update) == (None, UpdateState.NOT_UPDATING)
    assert desk.mine.details.tags == {"a": "b"}
    assert desk.stored == [desk.mine]


def test_a_name_is_taken_once(desk: Desk) -> None:
    desk.create()
    with pytest.raises(AlreadyExists):
        desk.create()
    assert len(desk.stored) == 1


def test_an_update_leaves_the_old_config_answering_until_it_is_committed(desk: Desk) -> None:
    serving(desk)
    changed = desk.update("2")
    assert (changed.active.version, changed.update) == (1, UpdateState.IN_PROGRESS)
    assert {entity.entity_version for entity in changed.wanted_entities} == {"1", "2"}
    with pytest.raises(Conflict):
        desk.update("3")
    desk.service.commit(desk.mine)
    assert desk.mine.active.served_entities[0].entity_version == "2"
    assert {entity.entity_version for entity in desk.mine.wanted_entities} == {"2"}
    assert desk.stored == [desk.mine]


def test_an_update_that_fails_leaves_the_old_config_and_says_why(desk: Desk) -> None:
    serving(desk)
    desk.update("2")
    desk.service.fail(desk.mine, {"llama-2": "It has no head."})
    assert (desk.mine.active.version, desk.mine.update) == (1, UpdateState.FAILED)
    assert desk.mine.failures == {"llama-2": "It has no head."}
    assert {entity.entity_version for entity in desk.mine.wanted_entities} == {"1"}
    assert desk.stored == [desk.mine]
    assert desk.update("3").pending_config is not None
    desk.service.commit(desk.mine)
    assert (desk.mine.active.version, desk.mine.failures) == (3, {})


def test_a_verdict_about_a_config_that_is_not_pending_any_more_changes_nothing(desk: Desk) -> None:
    serving(desk)
    desk.update("2")
    judged = desk.mine
    desk.service.cancel_update("mine")
    before = desk.mine
    assert not desk.service.commit(judged)
    assert not desk.service.fail(judged, {})
    assert not desk.service.commit(replace(judged, name="no-such-endpoint"))
    assert desk.mine == before


def test_a_verdict_about_an_endpoint_that_was_deleted_is_none_about_the_next_of_its_name(desk: Desk) -> None:
    judged = desk.create()
    desk.service.delete("mine")
    again = desk.create()
    assert not desk.service.commit(judged)
    assert not desk.service.fail(judged, {"llama-1": "It has no head."})
    assert desk.mine == again


def test_stopping_refuses_queries_and_starting_is_a_new_version(desk: Desk) -> None:
    serving(desk)
    stopped = desk.service.stop("mine")
    assert stopped.wanted_entities == ()
    with pytest.raises(InvalidRequest, match="stopped"):
        _ = stopped.active
    with pytest.raises(InvalidParameterValue):
        desk.service.stop("mine")
    with pytest.raises(InvalidParameterValue):
        desk.update("2")
    started = desk.service.start("mine")
    assert started.pending_config is not None
    assert started.pending_config.version == 2
    desk.service.commit(desk.mine)
    assert desk.mine.active.version == 2
    with pytest.raises(InvalidParameterValue):
        desk.service.start("mine")
    assert desk.stored == [desk.mine]


def test_an_update_can_be_cancelled_by_itself_or_by_stopping(desk: Desk) -> None:
    serving(desk)
    desk.update("2")
    assert desk.service.cancel_update("mine").update is UpdateState.CANCELED
    assert desk.mine.pending_config is None
    with pytest.raises(InvalidParameterValue):
        desk.service.cancel_update("mine")
    desk.update("3")
    assert desk.service.stop("mine").update is UpdateState.CANCELED
    assert desk.stored == [desk.mine]


def test_an_endpoint_whose_first_config_was_cancelled_can_be_updated(desk: Desk) -> None:
    desk.create()
    desk.service.cancel_update("mine")
    assert desk.mine.wanted_entities == ()
    desk.update("2")
    desk.service.commit(desk.mine)
    assert desk.mine.active.version == 2


def test_what_is_deleted_is_gone_with_its_permissions(desk: Desk) -> None:
    serving(desk)
    desk.service.delete("mine")
    with pytest.raises(EndpointNotFound):
        _ = desk.mine
    assert (desk.stored, desk.grants.levels) == ([], {})
    with pytest.raises(EndpointNotFound):
        desk.service.delete("mine")
    assert desk.create().pending_config is not None


def test_levels_decide_who_sees_and_changes(desk: Desk) -> None:
    endpoint = serving(desk)
    with pytest.raises(EndpointNotFound):
        desk.directory.permitted("mine", BOB, PermissionLevel.CAN_VIEW)
    assert desk.directory.visible(BOB) == ()
    desk.grants.levels[BOB.name, endpoint.id] = PermissionLevel.CAN_VIEW
    assert desk.directory.visible(BOB) == (endpoint,)
    with pytest.raises(PermissionDenied, match="CAN_QUERY"):
        desk.directory.queryable("mine", BOB)
    with pytest.raises(PermissionDenied):
        desk.update("2", caller=BOB)
    assert desk.directory.level(endpoint, replace(BOB, is_admin=True)) is PermissionLevel.CAN_MANAGE


def test_a_model_is_served_as_long_as_a_config_has_it(desk: Desk) -> None:
    serving(desk)
    desk.update("2")
    ids = [version_id("main.a.llama", number) for number in "123"]
    serving_it = [desk.directory.serving(frozenset({one})) for one in ids]
    assert serving_it == [("mine",), ("mine",), ()]
    assert desk.directory.serving(frozenset(ids)) == ("mine",)
    desk.service.commit(desk.mine)
    assert desk.directory.serving(frozenset(ids[:1])) == ()


def test_an_endpoint_whose_model_is_gone_after_a_restart_is_shown_and_can_be_updated_or_deleted(desk: Desk) -> None:
    serving(desk)
    desk.models.lost.add(version_id("main.a.llama", "1"))
    (found,) = desk.stored
    desk.directory.publish([found])
    assert (found.update, found.wanted_entities) == (UpdateState.FAILED, ())
    assert found.pending_config is not None
    (entity,) = found.pending_config.served_entities
    assert "gone" in found.failures[entity.name]
    assert desk.directory.serving(frozenset({version_id("main.a.llama", "1")})) == ("mine",)
    with pytest.raises(AlreadyExists):
        desk.create()
    desk.update("2")
    desk.service.commit(desk.mine)
    assert desk.mine.active.served_entities[0].entity_version == "2"
    desk.service.delete("mine")
    assert desk.stored == []


def test_a_version_that_was_deleted_meanwhile_is_not_served(desk: Desk) -> None:
    """The registry and the endpoints change at the same time; whoever comes second sees the other."""
    desk.models.deleted.add(version_id("main.a.llama", "1"))
    with pytest.raises(NotFound, match="just deleted"):
        desk.create()
    assert desk.stored == []
    desk.models.deleted.clear()
    serving(desk)
    desk.models.deleted.add(version_id("main.a.llama", "2"))
    with pytest.raises(NotFound, match="just deleted"):
        desk.update("2")
    assert desk.stored == [desk.mine]
    assert desk.mine.pending_config is None


def test_another_version_of_the_same_name_and_number_is_not_served(desk: Desk) -> None:
    """A model was deleted and somebody reused its name: the endpoint is not his to serve, nor to be served by."""
    serving(desk)
    with desk.database.transaction() as connection:
        entities = connection.execute(select(endpoint_configs.c.served_entities)).scalar_one()
        entities[0]["version_ids"] = ["the one before"]
        connection.execute(update(endpoint_configs).values(served_entities=entities))
    (found,) = desk.stored
    assert (found.config, found.wanted_entities) == (None, ())
    assert "not the one" in found.failures["llama-1"]


bad_configs = st.fixed_dictionaries(
    {
        "served_entities": st.lists(
            st.fixed_dictionaries(
                {"entity_name": st.sampled_from(["main.a.llama", "main.secret.m", "other.a.b"])},
                optional={"entity_version": st.sampled_from(["1", "9"]), "name": st.sampled_from(["a", "a", "b c"])},
            ),
            min_size=2,
            max_size=4,
        )
    }
)


@given(bad_configs)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_change_that_is_refused_leaves_everything_as_it_was(desk: Desk, body: dict[str, Any]) -> None:
    if not desk.directory.endpoints:
        serving(desk)
    before = desk.mine
    with pytest.raises(ApiError):
        desk.service.update_config(ANN, "mine", ConfigInput.model_validate(body))
    assert desk.mine == before
    assert desk.stored == [before]


def test_an_update_is_committed_when_all_answer_and_given_up_when_one_cannot() -> None:
    assert judge({"a": READY, "b": READY}) == Commit()
    assert judge({"a": READY, "b": LOADING}) == Wait()
    assert judge({"a": LOADING, "b": BROKEN}) == GiveUp({"b": "It has no head."})


def test_an_update_to_cores_of_its_own_makes_new_replicas_beside_the_old_ones(desk: Desk) -> None:
    shared = serving(desk).active.served_entities[0]
    asked = config()
    asked["served_entities"][0]["max_provisioned_throughput"] = CHUNK
    desk.service.update_config(ANN, "mine", ConfigInput.model_validate(asked))
    pending = desk.mine.pending_config
    assert pending is not None
    assert pending.served_entities[0].settings.is_provisioned
    assert pending.served_entities[0].deployment_id != shared.deployment_id


@dataclass
class FakeDeployments:
    states: dict[str, Deployment]

    def deployment(self, entity: ServedEntity) -> Deployment:
        return self.states[entity.entity_version]

    trial = deployment


async def test_rollouts_end_updates_and_keep_what_they_committed_awake(desk: Desk) -> None:
    desk.create()
    woken: list[str] = []
    begun: list[ServedEntity] = []
    deployments = FakeDeployments({"1": LOADING, "2": BROKEN})
    rollouts = Rollouts(desk.directory, deployments, desk.service, woken.append, begun.append)
    await rollouts.step()
    assert desk.mine.update is UpdateState.IN_PROGRESS
    deployments.states["1"] = READY
    await rollouts.step()
    assert desk.mine.active.version == 1
    assert woken == [desk.mine.active.served_entities[0].deployment_id]
    desk.update("2")
    await rollouts.step()
    assert (desk.mine.update, desk.mine.active.version) == (UpdateState.FAILED, 1)
    assert desk.mine.failures == {"llama-2": "It has no head."}
    desk.update("2")
    await rollouts.step()
    assert [entity.entity_version for entity in begun] == ["1", "2", "2"]


@dataclass
class BusyDeployments(FakeDeployments):
    """Raises what it is given, one a question, before it answers."""

    errors: list[Exception] = field(default_factory=list)

    def trial(self, entity: ServedEntity) -> Deployment:
        if self.errors:
            raise self.errors.pop()
        return self.deployment(entity)


async def test_an_update_that_cannot_be_settled_holds_up_no_other_and_is_settled_later(desk: Desk) -> None:
    desk.create()
    desk.create("second")
    deployments = BusyDeployments({"1": READY}, [Unavailable("The database is busy.")])
    rollouts = Rollouts(desk.directory, deployments, desk.service, lambda _: None, lambda _: None)
    assert not await rollouts.step()
    assert sorted(endpoint.update for endpoint in desk.directory.endpoints) == ["IN_PROGRESS", "NOT_UPDATING"]
    assert await rollouts.step()
    assert {endpoint.update for endpoint in desk.directory.endpoints} == {UpdateState.NOT_UPDATING}


async def test_following_updates_goes_on_after_an_error(desk: Desk) -> None:
    desk.create()
    is_done = asyncio.Event()
    deployments = BusyDeployments({"1": READY}, [RuntimeError("a bug")])
    rollouts = Rollouts(desk.directory, deployments, desk.service, lambda _: is_done.set(), lambda _: None)
    running = asyncio.create_task(rollouts.run())
    async with asyncio.timeout(10):
        while deployments.errors:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0)
        rollouts.nudge()
        await is_done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_what_kind_of_thing_answers_changes_with_what_answers_not_with_what_was_tried(desk: Desk) -> None:
    serving(desk)
    openai = {"openai_api_base": "https://models.example/v1", "openai_api_key_plaintext": "k"}
    model = {"provider": "openai", "name": "gpt", "task": "llm/v1/chat", "openai_config": openai}
    body = ConfigInput.model_validate({"served_entities": [{"name": "far", "external_model": model}]})
    assert desk.service.update_config(ANN, "mine", body).endpoint_type is EndpointType.CUSTOM_MODEL
    desk.service.fail(desk.mine, {"far": "No."})
    assert desk.service.update_config(ANN, "mine", body).endpoint_type is EndpointType.CUSTOM_MODEL
    desk.service.commit(desk.mine)
    assert desk.mine.endpoint_type is EndpointType.EXTERNAL_MODEL
    assert desk.stored == [desk.mine]


# ------------------------------------------------------------------------------------------------------- capacity

KNEE = 2.5 * CHUNK
"""What can be promised of `main.a.llama` on the machine once it is measured; of other models it is 4 * CHUNK."""
UNIT = 62


def provisioned(throughput: int, **settings: Any) -> dict[str, Any]:
    entity = {"entity_name": "main.a.llama", "entity_version": "1", "max_provisioned_throughput": throughput}
    return {"served_entities": [entity | settings]}


@pytest.fixture
def measured(desk: Desk) -> Desk:
    desk.profiles[version_id("main.a.llama", "1")] = replace(FULL, knee_work_per_s=KNEE)
    return desk


def test_what_the_machine_cannot_keep_beside_its_promises_is_refused_with_the_figures(measured: Desk) -> None:
    measured.create("first", config=provisioned(CHUNK))
    with pytest.raises(InvalidParameterValue) as refused:
        measured.create("second", config=provisioned(2 * CHUNK))
    assert str(refused.value) == (
        "The served entity 'llama-1' asks for 200 tokens per second. This machine can be promised 250 of its model, "
        "and 150 of them are not promised to others (they hold of the machine: first/llama-1 40%). "
        "Ask for at most 124, or lower, stop or delete another provisioned endpoint."
    )
    assert refused.value.param == "max_provisioned_throughput"
    assert [endpoint.name for endpoint in measured.stored] == ["first"]
    measured.create("second", config=provisioned(CHUNK))


def test_an_update_and_a_start_are_refused_likewise_and_leave_the_endpoint_as_it_was(measured: Desk) -> None:
    measured.create("mine", config=provisioned(CHUNK))
    measured.service.commit(measured.mine)
    measured.create("other", config=provisioned(CHUNK))
    before = measured.mine
    with pytest.raises(InvalidParameterValue, match="Ask for at most 124"):
        measured.service.update_config(ANN, "mine", ConfigInput.model_validate(provisioned(2 * CHUNK)))
    assert measured.mine == before
    measured.service.stop("mine")
    measured.create("third", config=provisioned(CHUNK))
    with pytest.raises(InvalidParameterValue, match="units of 62: choose a smaller model, or lower, stop or delete"):
        measured.service.start("mine")
    assert measured.mine.is_stopped


def test_an_endpoint_may_have_what_it_gives_up(measured: Desk) -> None:
    measured.create("mine", config=provisioned(2 * CHUNK))
    measured.service.commit(measured.mine)
    measured.service.update_config(ANN, "mine", ConfigInput.model_validate(provisioned(CHUNK)))


def test_what_nobody_measured_is_promised_by_an_estimate_and_not_beyond_it(desk: Desk) -> None:
    desk.create("notebook", config=provisioned(3 * CHUNK, min_provisioned_throughput=2 * CHUNK))
    with pytest.raises(InvalidParameterValue) as refused:
        desk.create("second", config=provisioned(2 * CHUNK))
    assert str(refused.value) == (
        "The served entity 'llama-1' asks for 200 tokens per second. This machine is expected to keep a promise of 400 "
        "of its model, and 100 of them are not promised to others (they hold of the machine: notebook/llama-1 75%). "
        "Ask for at most 100, or lower, stop or delete another provisioned endpoint. That is an estimate: "
        "`openfm calibrate main.a.llama/1` measures."
    )


def test_what_was_promised_before_it_was_measured_is_told_where_it_cannot_be_kept(desk: Desk) -> None:
    desk.create("modest", config=provisioned(CHUNK))
    desk.create("greedy", config=provisioned(3 * CHUNK))
    version, told = version_id("main.a.llama", "1"), []
    overcommitment = Overcommitment(desk.directory, desk.capacity, lambda *event: told.append(event))
    desk.profiles[version] = replace(FULL, knee_work_per_s=KNEE)
    overcommitment.look(frozenset({version}))
    by_deployment = {one.wanted_entities[0].deployment_id: one.name for one in desk.directory.endpoints}
    sentences = {by_deployment[deployment]: sentence for deployment, _, sentence in told}
    assert {kind for _, kind, _ in told} == {EventKind.PROMISE_TOO_LARGE}
    assert "0 of them are not promised to others (they hold of the machine: greedy/llama-1 120%)" in sentences["modest"]
    assert "asks for 300 tokens per second. This machine can be promised 250 of its model" in sentences["greedy"]


def test_what_was_promised_before_it_was_measured_may_be_asked_for_again_but_no_more(desk: Desk) -> None:
    desk.create("mine", config=provisioned(3 * CHUNK))
    desk.service.commit(desk.mine)
    desk.profiles[version_id("main.a.llama", "1")] = replace(FULL, knee_work_per_s=KNEE)
    again = ConfigInput.model_validate(provisioned(3 * CHUNK, burst_scaling_enabled=False))
    desk.service.update_config(ANN, "mine", again)
    desk.service.commit(desk.mine)
    assert desk.mine.active.served_entities[0].settings.burst_scaling_enabled is False
    with pytest.raises(InvalidParameterValue, match="and 250 of them are not promised to others"):
        desk.service.update_config(ANN, "mine", ConfigInput.model_validate(provisioned(4 * CHUNK)))


@pytest.mark.parametrize("units", [5, 10**12, 10**15])
def test_model_units_count_as_the_throughput_that_they_are(measured: Desk, units: int) -> None:
    entity = {"entity_name": "main.a.llama", "entity_version": "1", "provisioned_model_units": units}
    with pytest.raises(InvalidParameterValue) as refused:
        measured.create(config={"served_entities": [entity]})
    asked = f"asks for {units * UNIT:,} tokens per second ({units:,} units of 62)."
    assert asked in refused.value.message
    assert refused.value.message.endswith("Ask for at most 4 units.")
    assert refused.value.param == "provisioned_model_units"


def test_pay_per_token_is_promised_nothing(measured: Desk) -> None:
    measured.create("first", config=provisioned(2 * CHUNK))
    measured.create("shared", config=config())


async def test_of_two_who_ask_at_once_for_the_last_of_it_one_gets_it(measured: Desk) -> None:
    asked = (asyncio.to_thread(measured.create, f"e{number}", config=provisioned(2 * CHUNK)) for number in range(4))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, ServingEndpoint) for one in found) == 1
    assert sum(isinstance(one, InvalidParameterValue) for one in found) == 3


# --------------------------------------------------------------------------------------------------------- events


def kinds(desk: Desk) -> list[str]:
    return [event.kind.value for event in reversed(desk.service.events(desk.mine, "", 50).events)]


def test_what_happened_to_an_endpoint_can_be_read_the_newest_first(desk: Desk) -> None:
    serving(desk)
    desk.update("2")
    desk.service.fail(desk.mine, {"llama-2": "It has no head."})
    desk.update("3")
    desk.service.cancel_update("mine", "bob")
    desk.service.change_details("mine", lambda details: replace(details, description="No event."))
    desk.service.stop("mine", "bob")
    desk.service.start("mine", "bob")
    assert kinds(desk) == [
        "CREATED",
        "UPDATE_SUCCEEDED",
        "UPDATE_STARTED",
        "UPDATE_FAILED",
        "UPDATE_STARTED",
        "UPDATE_CANCELED",
        "STOPPED",
        "STARTED",
    ]
    newest, *_, failed = desk.service.events(desk.mine, "", 5).events
    assert (newest.actor, newest.timestamp) == ("bob", 1000)
    assert failed.message == "llama-2: It has no head."


def test_events_come_in_pages_and_only_the_newest_are_kept(desk: Desk) -> None:
    serving(desk)
    event = desk.service.events(desk.mine, "", 1).events[0]
    with desk.database.transaction() as connection:
        for number in range(1100):
            events.record(connection, replace(event, message=f"{number}"))
    found, token = [], ""
    while True:
        page = desk.service.events(desk.mine, token, 200)
        found += [one.message for one in page.events]
        if not (token := page.next_page_token):
            break
    assert found == [f"{number}" for number in reversed(range(100, 1100))]
    with pytest.raises(InvalidParameterValue, match="page_token"):
        desk.service.events(desk.mine, "x", 1)


def test_events_go_with_their_endpoint(desk: Desk) -> None:
    serving(desk)
    desk.service.delete("mine")
    desk.create()
    assert kinds(desk) == ["CREATED"]
