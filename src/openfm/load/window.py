"""Tokens by the time in which they were worked on, so that a window can begin and end in the middle of answers."""

from collections.abc import Iterable
from dataclasses import dataclass

from openfm.load.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Worked:
    """What was worked on in `seconds`: prompt tokens that no cache saved, those that one did, and completion tokens."""

    seconds: float
    prompt: float
    cached: float
    completion: float


def worked_within(outcomes: Iterable[Outcome], start_s: float, end_s: float) -> Worked:
    """The tokens of whole answers that fall between two times of the clock.

    A prompt is worked on evenly from its sending to the first token, an answer evenly from there to its end. Counting
    by answers that ended instead would be wrong by up to an answer per caller, which is a tenth of a short run. Two
    windows side by side have together what one over both has.
    """
    prompt = cached = completion = 0.0
    for outcome in outcomes:
        if not outcome.is_ok:
            continue
        first_s = outcome.ended_s if outcome.first_s is None else outcome.first_s
        of_prompt = _share(outcome.sent_s, first_s, start_s, end_s)
        prompt += of_prompt * (outcome.prompt_tokens - outcome.cached_tokens)
        cached += of_prompt * outcome.cached_tokens
        completion += outcome.completion_tokens * _share(first_s, outcome.ended_s, start_s, end_s)
    return Worked(end_s - start_s, prompt, cached, completion)


def _share(begin_s: float, end_s: float, from_s: float, to_s: float) -> float:
    """The part of [begin, end] that lies in [from, to); a span of no length lies where it begins."""
    if end_s <= begin_s:
        return 1.0 if from_s <= begin_s < to_s else 0.0
    return max(0.0, min(end_s, to_s) - max(begin_s, from_s)) / (end_s - begin_s)
