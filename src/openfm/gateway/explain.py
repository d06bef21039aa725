"""An answer's account of itself."""

from openfm.core.limits import Standing, tightest
from openfm.core.price import Price, PriceUnit, shown_micro, shown_pico
from openfm.core.price_book import cost, token_price
from openfm.core.usage import TokenCounts
from openfm.gateway.exchange import Exchange
from openfm.gateway.ports import Prices
from openfm.gateway.provision import Share
from openfm.wire.explanation import Explanation, LimitNote, PriceNote, UnitsNote


def explanation_of(exchange: Exchange, prices: Prices) -> Explanation:
    """What is known once all of the answer was generated; it costs what it does if all of it is delivered."""
    invocation, meter = exchange.invocation, exchange.meter
    now, admitted_s = meter.clock(), exchange.bill.opened_s or meter.received_s
    first_s, counts, entity = meter.first_token_s, meter.generated, invocation.entity
    price = prices.price(invocation.endpoint.name, entity.entity_name, round(meter.received_s * 1_000_000))
    return Explanation(
        request_id=exchange.request_id,
        served_entity=entity.name,
        entity_name=entity.entity_name,
        entity_version=entity.entity_version,
        replica=invocation.replica_id,
        queue_ms=_ms(meter.queue_s),
        prefill_ms=None if first_s is None else _ms(first_s - admitted_s),
        decode_ms=None if first_s is None else _ms(now - first_s),
        total_ms=_ms(now - meter.received_s),
        prompt_tokens=counts.prompt,
        cached_tokens=counts.cached,
        completion_tokens=counts.completion,
        price=_price(token_price(price, is_provisioned=entity.settings.is_provisioned), counts),
        tightest_limit=_limit(None if invocation.allowance is None else tightest(invocation.allowance.standings)),
        units=_units(invocation.share, counts),
    )


def _price(price: Price, counts: TokenCounts) -> PriceNote:
    prompt, cached, completion = (
        shown_micro(price.micro(unit)) for unit in (PriceUnit.PROMPT, PriceUnit.CACHED, PriceUnit.COMPLETION)
    )
    return PriceNote(price.version, price.currency, prompt, cached, completion, shown_pico(cost(counts, price)))


def _units(share: Share | None, counts: TokenCounts) -> UnitsNote | None:
    if share is None:
        return None
    work = share.work(counts)
    return UnitsNote(round(work, 3), round(work / share.unit_rate, 3), share.is_burst)


def _limit(standing: Standing | None) -> LimitNote | None:
    if standing is None:
        return None
    return LimitNote(standing.limit.words, standing.limit.amount, standing.remaining, round(standing.reset_s * 1000))


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 3)
