"""Budgets: how much money may be spent in a calendar day or month (UTC), and on whose requests. Pure.

A request counts in the period in which it was received, as on the invoice. Amounts are 10^-12 of the currency.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from openfm.core.errors import BudgetExceeded, InvalidParameterValue
from openfm.core.price import MICRO, PICO, Price, PriceUnit, shown_pico
from openfm.core.principal import PrincipalKind
from openfm.core.usage import Demand

MOST_AMOUNT = 10**9
"""Of a budget, in its currency."""

MOST_ALERTS = 10
_MOST_PERCENT = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


class BudgetPeriod(StrEnum):
    """After what a budget is whole again."""

    DAY = "day"
    MONTH = "month"

    def span_us(self, at_us: int) -> tuple[int, int]:
        """The period's first microsecond, and the next one's."""
        day = (_EPOCH + timedelta(microseconds=at_us)).replace(hour=0, minute=0, second=0, microsecond=0)
        if self is BudgetPeriod.DAY:
            return _us(day), _us(day + timedelta(days=1))
        first = day.replace(day=1)
        return _us(first), _us((first + timedelta(days=32)).replace(day=1))


class BudgetScope(StrEnum):
    """Whose requests count. A group's members share what it has."""

    ALL = "all"
    USER = "user"
    SERVICE_PRINCIPAL = "service_principal"
    GROUP = "user_group"
    ENDPOINT = "endpoint"
    TAG = "tag"


PRINCIPAL_KINDS: Mapping[BudgetScope, PrincipalKind] = {
    BudgetScope.USER: PrincipalKind.USER,
    BudgetScope.SERVICE_PRINCIPAL: PrincipalKind.SERVICE_PRINCIPAL,
    BudgetScope.GROUP: PrincipalKind.GROUP,
}
"""What the scopes of principals name."""


class BudgetAction(StrEnum):
    """What happens at the end of the money: no more requests, or alerts alone."""

    STOP = "stop"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Spender:
    """What a request is judged by. `groups` are names, `tags` its usage context and the endpoint's tags."""

    principal_id: str
    groups: frozenset[str]
    endpoint_id: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of a currency for each period. `target` is a name, or `key=value` of a tag; `target_id` what it names.

    `alerts` are percentages, ascending.
    """

    id: str
    name: str
    scope: BudgetScope
    amount_pico: int
    currency: str
    period: BudgetPeriod
    action: BudgetAction = BudgetAction.STOP
    alerts: tuple[int, ...] = ()
    target: str = ""
    target_id: str = ""

    def covers(self, spender: Spender) -> bool:
        """Whether such a request counts."""
        match self.scope:
            case BudgetScope.ALL:
                return True
            case BudgetScope.USER | BudgetScope.SERVICE_PRINCIPAL:
                return spender.principal_id == self.target_id
            case BudgetScope.GROUP:
                return self.target in spender.groups
            case BudgetScope.ENDPOINT:
                return spender.endpoint_id == self.target_id
            case BudgetScope.TAG:
                key, _, value = self.target.partition("=")
                return spender.tags.get(key) == value

    @property
    def words(self) -> str:
        """Like "'team' (500 USD per month for the user group red)"."""
        whom = "everybody" if self.scope is BudgetScope.ALL else f"the {self.scope.replace('_', ' ')} {self.target}"
        return f"'{self.name}' ({shown_pico(self.amount_pico)} {self.currency} per {self.period} for {whom})"

    def key(self, start_us: int) -> str:
        """What one period of it is counted under."""
        return f"{self.id}/{start_us}"

    def alert_at(self, spent_pico: int) -> int:
        """The highest of its percentages that is reached; 0 for none."""
        return max((one for one in self.alerts if spent_pico * 100 >= one * self.amount_pico), default=0)


@dataclass(frozen=True, slots=True)
class Spent:
    """What is known to be spent in a period; of two, that with the higher number is the later one."""

    number: int
    pico: int


@dataclass(frozen=True, slots=True)
class BudgetClaim:
    """The most that one request can cost a budget, in the period that begins at `start_us`."""

    budget: Budget
    start_us: int
    amount_pico: int
    spent: Spent

    @property
    def key(self) -> str:
        """See `Budget.key`."""
        return self.budget.key(self.start_us)

    def refusal(self, used_pico: int, now_us: int) -> BudgetExceeded:
        """The error that says so; `used_pico` is spent and reserved without this request."""
        budget = self.budget
        end_us = budget.period.span_us(self.start_us)[1]
        end = (_EPOCH + timedelta(microseconds=end_us)).isoformat().replace("+00:00", "Z")
        left = max(0, budget.amount_pico - used_pico)
        return BudgetExceeded(
            f"The budget {budget.words} has {shown_pico(left)} {budget.currency} left, and this request may cost up to "
            f"{shown_pico(self.amount_pico)}. It renews at {end}. Send a shorter prompt or a smaller max_tokens, or "
            "ask an admin to raise the budget.",
            budget=budget.name,
            retry_after_s=max(0, end_us - now_us) / MICRO,
            left_pico=left,
        )


def worst_cost(demand: Demand, price: Price) -> int:
    """The most that a request with that demand can cost, in 10^-12 of the price's currency."""
    prompt = max(price.micro(PriceUnit.PROMPT), price.micro(PriceUnit.CACHED))
    return demand.prompt * prompt + demand.completion * price.micro(PriceUnit.COMPLETION)


def checked_name(name: str) -> str:
    """The name. Raises `InvalidParameterValue`."""
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            "A budget's name is 1 to 63 letters, digits, '_', '-' and '.', and begins with a letter or digit.",
            param="name",
        )
    return name


def checked_amount(text: str) -> int:
    """The amount in 10^-12 of its currency. Raises `InvalidParameterValue`."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MOST_AMOUNT or amount * MICRO != int(amount * MICRO):
        raise InvalidParameterValue(
            f"amount must be a decimal number from 0 to {MOST_AMOUNT:,}, with six decimals at most.", param="amount"
        )
    return int(amount * PICO)


def checked_alerts(percentages: Sequence[int]) -> tuple[int, ...]:
    """Percentages, ascending and each once. Raises `InvalidParameterValue`."""
    if len(percentages) > MOST_ALERTS or any(not 1 <= one <= _MOST_PERCENT for one in percentages):
        raise InvalidParameterValue(
            f"alerts must be up to {MOST_ALERTS} percentages from 1 to {_MOST_PERCENT}.", param="alerts"
        )
    return tuple(sorted(set(percentages)))


def _us(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
