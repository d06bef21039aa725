"""What a calibration measures, in which order, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from openfm.core.model import Task

PROMPT_TOKENS, OUTPUT_TOKENS = 128, 64
"""The shape by which the objective is judged: a question of some sentences and an answer of as many."""
_EMBEDDED_TOKENS = 64

# Prompt tokens, how many of them all requests share, completion tokens: far apart, so that each kind's cost shows.
_MIXES = ((192, 0, 16), (96, 0, 48), (48, 0, 96), (16, 0, 96), (192, 144, 32))
# Two more than there are costs, so that an error shows; the last is nearly all cached, or noise would hide that cost.
_QUICK_MIXES = ((128, 0, 8), (64, 0, 24), (16, 0, 48), (160, 128, 24), (192, 176, 8))
_EMBEDDED_LENGTHS = (16, 64, 192)


class StepKind(StrEnum):
    """What one step finds out."""

    SOLO = "solo"
    PREFILL = "prefill"
    DECODE = "decode"
    MIX = "mix"
    KNEE = "knee"


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement: so many requests at once of this shape. `shared` tokens of the prompt are the same for all.

    `turn` tells repetitions apart.
    """

    kind: StepKind
    concurrency: int
    prompt: int
    output: int
    shared: int = 0
    turn: int = 0

    @property
    def key(self) -> str:
        """Unique within a calibration: by it a resumed one knows what was measured."""
        return f"{self.kind}:{self.concurrency}x{self.prompt}+{self.output}/{self.shared}.{self.turn}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take. Seconds of warm-up and measuring of a step, and of each probe for the knee.

    `probes` 0 leaves the knee to be estimated. Mixes are measured `turns` times, one after the other each time: what
    else the machine does for half a minute then falls on all of them alike. Each caller has `rounds` answers at least.
    """

    warm_up_s: float
    measure_s: float
    probe_s: float
    probes: int
    solo_requests: int = 3
    turns: int = 1
    rounds: int = 2


FULL = Pace(warm_up_s=1.0, measure_s=4.0, probe_s=20.0, probes=4, turns=3)
"""About four minutes on two cores."""
QUICK = Pace(warm_up_s=0.5, measure_s=3.0, probe_s=0.0, probes=0, solo_requests=2, rounds=1)
"""About three quarters of a minute on two cores."""


def make_steps(task: Task, slots: int, context_length: int, pace: Pace) -> Sequence[Step]:
    """The steps of a calibration, in order, each once; a prompt takes at most half of a short context."""
    return list({step.key: step for step in _all_steps(task, slots, context_length, pace)}.values())


def _all_steps(task: Task, slots: int, context_length: int, pace: Pace) -> Sequence[Step]:
    if task is Task.EMBEDDINGS:
        return _embedding_steps(slots, context_length)
    most = context_length // 2
    batches = (slots,) if pace.probes == 0 else _batches(slots)
    mixes = _QUICK_MIXES if pace.probes == 0 else _MIXES
    return [
        Step(StepKind.SOLO, 1, min(PROMPT_TOKENS, most), min(OUTPUT_TOKENS, most)),
        *(Step(StepKind.PREFILL, batch, min(192, most), 1) for batch in batches),
        *(Step(StepKind.DECODE, batch, min(8, most), min(64, most)) for batch in batches),
        *(
            Step(StepKind.MIX, slots, min(prompt, most), min(output, most), min(shared, most // 2), turn)
            for turn in range(pace.turns)
            for prompt, shared, output in mixes
        ),
    ]


def knee_shape(task: Task, context_length: int) -> tuple[int, int]:
    """Prompt and completion tokens of the requests that the objective is judged by."""
    most = context_length // 2
    if task is Task.EMBEDDINGS:
        return min(_EMBEDDED_TOKENS, most), 0
    return min(PROMPT_TOKENS, most), min(OUTPUT_TOKENS, most)


def _embedding_steps(slots: int, context_length: int) -> Sequence[Step]:
    most = context_length // 2
    return [
        Step(StepKind.SOLO, 1, min(_EMBEDDED_TOKENS, most), 0),
        *(Step(StepKind.PREFILL, batch, min(_EMBEDDED_TOKENS, most), 0) for batch in _batches(slots)),
        *(Step(StepKind.MIX, slots, min(length, most), 0) for length in _EMBEDDED_LENGTHS),
    ]


def _batches(slots: int) -> list[int]:
    """1, 2, 4, … and the number of slots."""
    return sorted({2**power for power in range(slots.bit_length()) if 2**power <= slots} | {slots})
