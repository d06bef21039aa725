"""What a batch will cost, roughly: nobody has counted its tokens yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openfm.batch.question import EMBEDDINGS, Question
from openfm.core.price import Price
from openfm.core.price_book import cost
from openfm.core.usage import TokenCounts

_BYTES_A_TOKEN = 4
_AROUND_A_PROMPT = 16
ASSUMED_COMPLETION = 256
"""Tokens of an answer where the query names no max_tokens."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one endpoint's questions. `pico` is 10^-12 of the currency."""

    questions: int
    prompt_tokens: int
    completion_tokens: int
    pico: int
    currency: str


def estimate(questions: Iterable[Question], task: str, prices: Sequence[Price]) -> Estimate:
    """What these questions to one endpoint cost by the dearest of the prices that they may have (one at least).

    A prompt has a token for four bytes, an answer all of its `max_tokens`, an embedding none. Raises `BatchError`.
    """
    assumed = 0 if task == EMBEDDINGS else ASSUMED_COMPLETION
    count = prompt = completion = 0
    for question in questions:
        count += 1
        prompt += len(question.text.encode()) // _BYTES_A_TOKEN + _AROUND_A_PROMPT
        wanted = question.options.get("max_tokens", assumed)
        completion += max(0, wanted) if isinstance(wanted, int) else assumed
    counts = TokenCounts(prompt, completion)
    dearest = max(prices, key=lambda price: cost(counts, price))
    return Estimate(count, prompt, completion, cost(counts, dearest), dearest.currency)
