"""An account of what machines have: what is given can be given once. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

_GIB = 1 << 30
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Amounts:
    """Cores, bytes of memory, GPUs, and units of throughput."""

    cores: int = 0
    memory_bytes: int = 0
    gpus: int = 0
    units: float = 0.0

    def __post_init__(self) -> None:
        """Refuse to give what is not there."""
        for name, amount in self.items():
            if not amount >= 0:
                raise ValueError(f"{name} is {amount}; it must not be negative")

    def items(self) -> Iterator[tuple[str, float]]:
        """Every kind with its amount."""
        return ((each.name, getattr(self, each.name)) for each in fields(self))

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.cores + other.cores,
            self.memory_bytes + other.memory_bytes,
            self.gpus + other.gpus,
            self.units + other.units,
        )


@dataclass(frozen=True, slots=True)
class Lack:
    """One kind of which there is too little."""

    kind: str
    wanted: float
    left: float
    total: float

    def __str__(self) -> str:
        """For people."""
        left, total = _amount(self.kind, self.left), _amount(self.kind, self.total)
        verb = "is" if self.left == 1 else "are"
        return f"{_shown(self.kind, self.wanted)}, of which {left} of {total} {verb} left"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Everything that is missing, not only the first of it."""

    lacks: tuple[Lack, ...]

    def __str__(self) -> str:
        """For people."""
        return f"It needs {'; '.join(str(lack) for lack in self.lacks)}."


@dataclass(frozen=True, slots=True)
class Account:
    """What there is, and who has what of it: `total` is never passed. Changes make a new account."""

    total: Amounts
    held: Mapping[str, Amounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse to begin overdrawn."""
        if _lacks(self.total, Amounts(), self.taken):
            raise ValueError("more is held than there is")

    @property
    def taken(self) -> Amounts:
        """What all have together."""
        total = Amounts()
        for amounts in self.held.values():
            total += amounts
        return total

    def with_holding(self, owner: str, wanted: Amounts) -> "Account | Refusal":
        """The account in which `owner` has `wanted` instead of what it had."""
        others = {name: amounts for name, amounts in self.held.items() if name != owner}
        lacks = _lacks(self.total, Account(self.total, others).taken, wanted)
        return Refusal(lacks) if lacks else Account(self.total, {**others, owner: wanted})

    def without(self, owner: str) -> "Account":
        """The account after `owner` left; the same if it had nothing."""
        return Account(self.total, {name: amounts for name, amounts in self.held.items() if name != owner})


def _lacks(total: Amounts, taken: Amounts, wanted: Amounts) -> tuple[Lack, ...]:
    found = []
    for (kind, most), (_, used), (_, asked) in zip(total.items(), taken.items(), wanted.items(), strict=True):
        left = max(0.0, most - used)
        if asked > left + _ROUNDING * max(1.0, most):
            found.append(Lack(kind, asked, left, most))
    return tuple(found)


def _shown(kind: str, amount: float) -> str:
    if kind == "memory_bytes":
        return f"{_amount(kind, amount)} of memory"
    word = {"cores": "core", "gpus": "GPU", "units": "unit"}[kind]
    return f"{_amount(kind, amount)} {word}{'' if amount == 1 else 's'}"


def _amount(kind: str, amount: float) -> str:
    return f"{amount / _GIB:.2f} GiB" if kind == "memory_bytes" else f"{amount:g}"
