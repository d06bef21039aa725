"""Which limits bind a request: pure, from the endpoint's own rules, the operator's, and who calls.

On an endpoint (Databricks' "Configure rate limits"): `endpoint` is its global maximum, `user` without a principal each
user's default, which a `user_group`'s limit replaces for its members, and both give way to a limit with the caller's
own name. The operator's rules all bind. Of limits on the same count the lowest counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from openfm.core.endpoint import EndpointDetails, ServingEndpoint
from openfm.core.errors import InvalidRequest, PermissionDenied
from openfm.core.limits import Claim, Limit, LimitRule, LimitScope, Measure, Standing
from openfm.core.principal import Principal, PrincipalKind
from openfm.core.usage import Demand

_SCOPES = {
    "endpoint": LimitScope.ALL,
    "user": LimitScope.USER,
    "user_group": LimitScope.GROUP,
    "service_principal": LimitScope.SERVICE_PRINCIPAL,
}
_KINDS = {LimitScope.USER: PrincipalKind.USER, LimitScope.SERVICE_PRINCIPAL: PrincipalKind.SERVICE_PRINCIPAL}
_MINUTE = 60


Binding = Mapping[str, Limit]
"""The limits that bind a caller on an endpoint, by the key of their count. They depend on nothing else."""


def claims(own: Sequence[LimitRule], caller: Principal, endpoint: ServingEndpoint, demand: Demand) -> Sequence[Claim]:
    """What the request takes of which limits; `own` are the operator's rules. Raises as `claims_on`."""
    return claims_on(binding(own, caller, endpoint), demand)


def binding(own: Sequence[LimitRule], caller: Principal, endpoint: ServingEndpoint | None) -> Binding:
    """Which limits bind; `own` are the operator's rules. On an endpoint that is no more, those on all together."""
    rules = [rule for rule in own if _binds(rule, caller, endpoint)]
    if endpoint is not None:
        rules = [*_of_endpoint(endpoint, caller), *rules]
    found: dict[str, Limit] = {}
    for rule in rules:
        key, limit = _key(rule, caller), _limit(rule, caller)
        if key not in found or limit.amount < found[key].amount:
            found[key] = limit
    return found


def windows(own: Sequence[LimitRule]) -> Sequence[int]:
    """The lengths of windows, in seconds, that limits have: the operator's, and those of endpoints."""
    return sorted({rule.window_s for rule in own if rule.window_s is not None} | {_MINUTE})


def claims_on(limits: Binding, demand: Demand) -> Sequence[Claim]:
    """What a request takes of the limits that bind it; no store admits more than a limit.

    Raises `PermissionDenied` where a limit is 0, `InvalidRequest` for what takes more than a limit in any case.
    """
    for limit in limits.values():
        if limit.amount == 0:
            raise PermissionDenied(
                f"The limit of {limit.name} is 0 {limit.measure.words}: nothing is admitted. Ask an admin for another."
            )
    taken = [Claim(key, limit, _amount(limit, demand)) for key, limit in limits.items()]
    if any(claim.amount > claim.limit.amount for claim in taken):
        _check_ever_fits(limits, demand.least)
    return taken


def may_fit(demand: Demand, standings: Sequence[Standing]) -> bool:
    """Whether it may yet be admitted when its prompt is counted; `standings` are of the limits that refused it."""
    if demand.least_prompt is None:
        return False
    return all(one.used + _amount(one.limit, demand.least) <= one.limit.amount for one in standings)


def _amount(limit: Limit, demand: Demand) -> int:
    amount = amount_of(limit.measure, demand)
    if amount > limit.amount and demand.is_open_ended:  # the answer ends where the limit does
        return max(limit.amount, amount_of(limit.measure, replace(demand, completion=1)))
    return amount


def _check_ever_fits(limits: Binding, least: Demand) -> None:
    for limit in limits.values():
        amount = _amount(limit, least)
        if amount > limit.amount:
            raise InvalidRequest(
                f"This request may need {amount} {limit.measure.words}, and the limit is {limit.words}. Send a shorter "
                "prompt or a smaller max_tokens, or ask an admin for a higher limit.",
                param="max_tokens",
            )


def amount_of(measure: Measure, demand: Demand) -> int:
    """What a request with that demand takes of a limit on `measure`."""
    match measure:
        case Measure.INPUT_TOKENS:
            return demand.prompt
        case Measure.OUTPUT_TOKENS:
            return demand.completion
        case Measure.TOKENS:
            return demand.prompt + demand.completion
        case Measure.REQUESTS | Measure.CONCURRENCY:
            return 1


def _of_endpoint(endpoint: ServingEndpoint, caller: Principal) -> Iterator[LimitRule]:
    for entries in _lists(endpoint.details):
        rules = [_rule(entry, endpoint) for entry in entries]
        for measure in (Measure.REQUESTS, Measure.TOKENS):
            yield from _strongest([rule for rule in rules if rule.measure is measure], caller, endpoint)


def _lists(details: EndpointDetails) -> Iterator[Sequence[Mapping[str, object]]]:
    yield details.rate_limits
    listed = (details.ai_gateway or {}).get("rate_limits")
    if isinstance(listed, list):
        yield listed


def _rule(entry: Mapping[str, object], endpoint: ServingEndpoint) -> LimitRule:
    """A rule as `control.endpoints.parsing` let it in."""
    measure = Measure.REQUESTS if entry.get("calls") is not None else Measure.TOKENS
    amount, principal = entry.get("calls", entry.get("tokens")), entry.get("principal")
    return LimitRule(
        scope=_SCOPES[str(entry.get("key") or "endpoint")],
        measure=measure,
        amount=int(str(amount)),
        window_s=_MINUTE,
        principal=None if principal is None else str(principal),
        endpoint=endpoint.name,
        endpoint_id=endpoint.id,
    )


def _strongest(rules: Iterable[LimitRule], caller: Principal, endpoint: ServingEndpoint) -> Iterator[LimitRule]:
    binding = [rule for rule in rules if _binds(rule, caller, endpoint)]
    yield from (rule for rule in binding if rule.scope is LimitScope.ALL)
    personal = [rule for rule in binding if rule.scope in _KINDS]
    named = [rule for rule in personal if rule.principal is not None]
    groups = [rule for rule in binding if rule.scope is LimitScope.GROUP]
    yield from named or groups or personal


def _binds(rule: LimitRule, caller: Principal, endpoint: ServingEndpoint | None) -> bool:
    if rule.endpoint_id is not None and (endpoint is None or rule.endpoint_id != endpoint.id):
        return False
    match rule.scope:
        case LimitScope.ALL:
            return True
        case LimitScope.GROUP:
            return rule.principal in caller.groups
        case LimitScope.USER if rule.principal is None:
            return True
        case LimitScope.USER | LimitScope.SERVICE_PRINCIPAL:
            return caller.kind is _KINDS[rule.scope] and rule.principal in (None, caller.name)


def _key(rule: LimitRule, caller: Principal) -> str:
    where = rule.endpoint_id or "*"
    if rule.scope is LimitScope.ALL:
        who = "all"
    elif rule.scope is LimitScope.GROUP:
        who = f"group/{rule.principal}"
    else:
        who = f"principal/{caller.id}"
    return f"{where}/{who}/{rule.measure}/{rule.window_s}"


def _limit(rule: LimitRule, caller: Principal) -> Limit:
    if rule.scope is LimitScope.ALL:
        who = "all callers"
    elif rule.scope is LimitScope.GROUP:
        who = f"the group {rule.principal}"
    else:
        who = caller.name
    where = "" if rule.endpoint is None else f" on the endpoint {rule.endpoint}"
    return Limit(who + where, rule.measure, rule.amount, rule.window_s)
