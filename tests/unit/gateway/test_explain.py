"""An answer's account of itself: what only provisioned throughput has."""

import time

from openfm.core.endpoint import EntitySettings
from openfm.core.price_book import PriceBook
from openfm.gateway.exchange import Exchange
from openfm.gateway.explain import explanation_of
from openfm.gateway.idempotency import Attempts
from openfm.limits.key_store import InProcessKeys
from openfm.wire.explanation import UnitsNote
from openfm.wire.manner import Manner
from openfm.wire.requests import Tracked
from tests.unit.gateway.test_provision import Scene, endpoint


async def units(scene: Scene) -> UnitsNote | None:
    """What an answer of three tokens says."""
    scene.engine.will_say("one", "two", "three")
    called = scene.call()
    exchange = Exchange(Manner.OPENAI, called.bill, Attempts(InProcessKeys(time.time)))
    await exchange.start(called, Tracked(), "chatcmpl")
    await scene.ask(called)
    return explanation_of(exchange, PriceBook(())).units


async def test_an_answer_of_provisioned_throughput_says_what_it_took_of_it() -> None:
    bought = EntitySettings(max_provisioned_throughput=10, burst_scaling_enabled=False)
    assert await units(Scene([endpoint("pt", bought)])) == UnitsNote(work=3, unit_seconds=0.6, is_burst=False)


async def test_an_answer_without_provisioned_throughput_took_no_units() -> None:
    assert await units(Scene([endpoint("pay", EntitySettings())])) is None
