"""What fits into the machine's memory, said before anything is loaded."""

from dataclasses import replace

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.core.endpoint import EntitySettings, Route, ServedEntity, ServingEndpoint, WorkloadSize
from openfm.core.errors import NotFound
from openfm.scheduling.autoscaling import Bounds
from openfm.server.footprint import Footprint
from openfm.server.memory import Capacities, MachineMemory, MemoryCapacity
from tests.unit.control.endpoints.fakes import profile
from tests.unit.control.registry.test_throughput import NoGrants
from tests.unit.gateway.test_provision import endpoint

_MIB, _GIB = 1 << 20, 1 << 30
_ONE = Footprint(weight_bytes=640 * _MIB, sequence_bytes=32 * _MIB, slots=8)  # 1 GiB with the engine's own
_SHARED = EntitySettings(workload_size=WorkloadSize.SMALL)
_ASLEEP = replace(_SHARED, scale_to_zero_enabled=True)
_BOUGHT = EntitySettings(max_provisioned_throughput=100, scale_to_zero_enabled=True)


def footprint(entity_name: str, entity_version: str) -> Footprint:
    if entity_name == "main.a.gone":
        raise NotFound("no such version")
    return replace(_ONE, weight_bytes=_ONE.weight_bytes * int(entity_version))


def bounds(entity: ServedEntity) -> Bounds:
    return Bounds(0, 2) if entity.settings.is_provisioned else Bounds(1, 1)


CAPACITY = MemoryCapacity(4 * _GIB, footprint, bounds)


def entity(settings: EntitySettings, version: str = "1", name: str = "main.a.m") -> ServedEntity:
    return ServedEntity("m-1", name, version, profile(name), f"d-{version}", settings, frozenset({"v"}))


def serving(name: str, settings: EntitySettings, model: str = "main.a.m") -> ServingEndpoint:
    made = endpoint(name, settings)
    config = replace(made.active, served_entities=(entity(settings, name=model),), routes=(Route("m-1", 100),))
    return replace(made, config=config)


def test_what_fits_beside_the_others_is_not_refused() -> None:
    assert CAPACITY.refusal([entity(_SHARED)], [serving("a", _SHARED), serving("b", _SHARED)]) is None


def test_what_does_not_fit_is_refused_with_what_is_missing_and_who_holds_it() -> None:
    refusal = CAPACITY.refusal([entity(_BOUGHT)], [serving("a", _SHARED), serving("b", _BOUGHT)])
    assert refusal is not None
    assert refusal.param == "served_entities"
    assert refusal.sentence == (
        "The served entity 'm-1' needs 1.00 GiB of memory for each of 2 replicas: 0.62 GiB for weights, 0.25 GiB for "
        "the KV cache of 8 sequences, the rest for the engine. 1.00 GiB of 4.00 GiB are left (held by a 1.00 GiB, "
        "b 2.00 GiB). Stop or delete another endpoint, serve a smaller or more quantised model, or lower engine_slots."
    )


def test_entities_of_one_config_are_added_up() -> None:
    assert CAPACITY.refusal([entity(_BOUGHT), entity(_BOUGHT)], []) is None
    assert CAPACITY.refusal([entity(_BOUGHT), entity(_BOUGHT), entity(_SHARED)], []) is not None


def test_shared_entities_that_may_sleep_hold_nothing_and_provisioned_ones_hold_their_promise() -> None:
    assert CAPACITY.refusal([entity(_BOUGHT), entity(_BOUGHT)], [serving("a", _ASLEEP)]) is None
    assert CAPACITY.refusal([entity(_BOUGHT), entity(_BOUGHT)], [serving("a", _BOUGHT)]) is not None


def test_what_may_sleep_is_refused_only_where_it_would_not_fit_an_empty_machine() -> None:
    full = [serving("a", _BOUGHT), serving("b", _BOUGHT)]
    assert CAPACITY.refusal([entity(_ASLEEP)], full) is None
    assert "needs 5.38 GiB" in str(CAPACITY.refusal([entity(_ASLEEP, version="8")], []))


def test_a_version_that_was_deleted_holds_nothing() -> None:
    gone = [serving(name, _BOUGHT, model="main.a.gone") for name in "abc"]
    assert CAPACITY.refusal([entity(_BOUGHT)], gone) is None


def test_an_endpoint_stands_beside_all_others_but_itself() -> None:
    memory = MachineMemory(CAPACITY, EndpointDirectory(NoGrants(), [serving("a", _BOUGHT), serving("b", _SHARED)]))
    assert memory.fit("main.a.m", "1", "").held_bytes == 3 * _GIB
    assert memory.fit("main.a.m", "1", "a").held_bytes == _GIB
    assert memory.fit("main.a.m", "1", "").memory_bytes == _GIB


def test_the_first_account_that_refuses_has_the_word() -> None:
    small, smaller = replace(CAPACITY, total_bytes=_GIB // 2), replace(CAPACITY, total_bytes=_GIB // 4)
    assert "of 0.50 GiB are left" in str(Capacities(CAPACITY, small, smaller).refusal(iter([entity(_SHARED)]), []))
