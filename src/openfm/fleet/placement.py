"""Where the next replica goes, or why it cannot: pure functions over cores, memory and GPUs.

Capacity is an account: what a placement takes is taken until the replica's process is gone, so the sum of all
placements never passes the machine.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_FEWEST_CORES_TO_DIVIDE = 4
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Machine:
    """What replicas may use of one machine: core numbers, bytes of memory, and each GPU's bytes."""

    cores: tuple[int, ...]
    memory_bytes: int
    gpu_memory_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What one replica takes: weights, KV cache and overhead in bytes; `dedicated_cores` only for itself."""

    memory_bytes: int = 0
    gpu_memory_bytes: int = 0
    dedicated_cores: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """What one replica was given. No `cores` means: whichever nobody has for himself."""

    needs: Needs
    cores: tuple[int, ...] = ()
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why a replica does not fit, for people; `is_lasting` when it would not fit an empty machine either."""

    message: str
    is_lasting: bool


def place(machine: Machine, taken: Iterable[Placement], needs: Needs) -> Placement | Shortage:
    """A place for one more replica beside those `taken`, or what is missing.

    Cores of its own are given only where the machine has four or more, and never the last one.
    """
    present = tuple(taken)
    found = _place(machine, present, needs)
    if isinstance(found, Placement) or not present:
        return found
    alone = _place(machine, (), needs)  # what would not fit an empty machine is not worth waiting for
    return alone if isinstance(alone, Shortage) else found


def shared_cores(machine: Machine, taken: Iterable[Placement]) -> tuple[int, ...]:
    """The cores that no replica has for itself."""
    owned = {core for placement in taken for core in placement.cores}
    return tuple(core for core in machine.cores if core not in owned)


def _place(machine: Machine, present: Sequence[Placement], needs: Needs) -> Placement | Shortage:
    free = machine.memory_bytes - sum(placement.needs.memory_bytes for placement in present)
    if needs.memory_bytes > free:
        return _memory_shortage("memory", needs.memory_bytes, free, machine.memory_bytes)
    gpu = None
    if needs.gpu_memory_bytes:
        chosen = _pick_gpu(machine, present, needs.gpu_memory_bytes)
        if isinstance(chosen, Shortage):
            return chosen
        gpu = chosen
    cores = _pick_cores(machine, present, needs.dedicated_cores)
    if isinstance(cores, Shortage):
        return cores
    return Placement(needs, cores, gpu)


def _pick_gpu(machine: Machine, present: Sequence[Placement], wanted: int) -> int | Shortage:
    """The GPU with the most free memory. A model on several GPUs is one engine's own matter."""
    if not machine.gpu_memory_bytes:
        return Shortage(f"It needs a GPU with {_gib(wanted)} of memory; this machine has none.", is_lasting=True)
    used: Counter[int] = Counter()
    for placement in present:
        if placement.gpu is not None:
            used[placement.gpu] += placement.needs.gpu_memory_bytes
    best = max(range(len(machine.gpu_memory_bytes)), key=lambda gpu: (machine.gpu_memory_bytes[gpu] - used[gpu], -gpu))
    free = machine.gpu_memory_bytes[best] - used[best]
    if wanted > free:
        return _memory_shortage("GPU memory", wanted, free, max(machine.gpu_memory_bytes))
    return best


def _pick_cores(machine: Machine, present: Sequence[Placement], wanted: int) -> tuple[int, ...] | Shortage:
    if not wanted or len(machine.cores) < _FEWEST_CORES_TO_DIVIDE:
        return ()
    free = shared_cores(machine, present)
    if wanted > len(free) - 1:
        return Shortage(
            f"It needs {wanted} cores of its own; {max(0, len(free) - 1)} of {len(machine.cores)} can be given. "
            "Ask for less throughput, or stop another provisioned endpoint.",
            is_lasting=wanted > len(machine.cores) - 1,
        )
    return free[-wanted:]


def _memory_shortage(kind: str, wanted: int, free: int, total: int) -> Shortage:
    return Shortage(
        f"It needs {_gib(wanted)} of {kind} for weights and KV cache; {_gib(max(0, free))} of {_gib(total)} are free. "
        "Stop another endpoint, serve a smaller or more quantised model, or lower engine_slots.",
        is_lasting=wanted > total,
    )


def _gib(count: int) -> str:
    return f"{count / _GIB:.2f} GiB"
