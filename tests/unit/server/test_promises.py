"""What gateways let in of a promise that they keep together."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from openfm.core.endpoint import EntitySettings, ServedEntity
from openfm.core.errors import ProvisionUsedUp
from openfm.core.usage import Demand
from openfm.gateway.provision import Asker, Provisions
from openfm.scheduling.leaky_bucket import BucketPolicy
from openfm.scheduling.work import PROVISIONAL_WEIGHTS, Throughput
from openfm.server.promises import DividedPromises, Promises
from tests.unit.gateway.test_provision import NO_BURST, endpoint

_CHUNK, _WORK, _RUN_S = 100, 10, 60.0
_BOUGHT = EntitySettings(max_provisioned_throughput=_CHUNK, burst_scaling_enabled=False)


def whole() -> Promises:
    return Promises(lambda _: Throughput(replace(PROVISIONAL_WEIGHTS, completion=1.0), _CHUNK))


def test_an_entity_that_was_promised_nothing_is_promised_nothing_by_any_gateway() -> None:
    divided = DividedPromises(whole(), lambda: 3)
    shared = replace(_entity(), settings=replace(NO_BURST, max_provisioned_throughput=None))
    assert divided.promise(shared) is None


@given(gateways=st.integers(1, 8), offered=st.floats(0.5, 4.0))
def test_gateways_together_never_let_in_more_than_was_provisioned(gateways: int, offered: float) -> None:
    now = 0.0
    doors = [Provisions(DividedPromises(whole(), lambda: gateways), lambda: now) for _ in range(gateways)]
    bought, admitted, number = endpoint("pt", _BOUGHT), 0, 0
    while now < _RUN_S:
        now += _WORK / (_CHUNK * offered)
        number += 1
        asker = Asker(Demand(0, _WORK), "ann", b"%d" % number)
        try:
            doors[number % gateways].enter(bought, _entity(), asker, lambda: False)
        except ProvisionUsedUp:
            continue
        admitted += _WORK
    policy = BucketPolicy()
    beside = _CHUNK * (policy.burst_s + policy.grace_s) + 3 * gateways * _WORK  # what the bucket's own bound allows
    assert admitted <= _CHUNK * _RUN_S + beside
    assert admitted >= min(offered, 0.8) * _CHUNK * _RUN_S - gateways * _WORK


def _entity() -> ServedEntity:
    return endpoint("pt", _BOUGHT).active.served_entities[0]
