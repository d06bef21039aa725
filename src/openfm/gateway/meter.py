"""Counts one request: what the engine generated, and what reached the client's socket."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from openfm.core.chat import Event, Finished, FinishReason
from openfm.core.usage import TokenCounts


@dataclass(slots=True)
class Meter:
    """Token counts over all sequences of a request; times in epoch seconds by `clock`.

    `finish_reason` is that of the sequence that finished last, `overrun` the completion tokens that the engine had
    begun when the caller left.
    """

    clock: Callable[[], float]
    answers_per_prompt: int = 1
    received_s: float = 0.0
    first_token_s: float | None = None
    queue_s: float = 0.0
    delivered: TokenCounts = TokenCounts()
    finish_reason: FinishReason | None = None
    overrun: int = 0
    _sequences: dict[int, TokenCounts] = field(default_factory=dict)

    def count(self, index: int, event: Event) -> None:
        """Take over the engine's cumulative counts of sequence `index`."""
        if self.first_token_s is None:
            self.first_token_s = self.clock()
        self._sequences[index] = event.counts
        if isinstance(event, Finished):
            self.finish_reason = event.reason

    def count_prompt(self, tokens: int) -> None:
        """Embeddings: prompt tokens, all at once."""
        self._sequences[0] = TokenCounts(prompt=tokens)

    @property
    def generated(self) -> TokenCounts:
        """All sequences together; the prompt that `n` answers share counts once."""
        if len(self._sequences) == 1 and 0 in self._sequences:  # asked for at each token
            return self._sequences[0]
        counts = TokenCounts()
        for index, sequence in self._sequences.items():
            is_first_answer = index % self.answers_per_prompt == 0
            counts = TokenCounts(
                prompt=counts.prompt + (sequence.prompt if is_first_answer else 0),
                completion=counts.completion + sequence.completion,
                cached=counts.cached + (sequence.cached if is_first_answer else 0),
                reasoning=counts.reasoning + sequence.reasoning,
            )
        return counts

    @property
    def worked(self) -> TokenCounts:
        """What the engine did for the request in all: generated, and begun when the caller had left."""
        counts = self.generated
        return replace(counts, completion=counts.completion + self.overrun) if self.overrun else counts

    def mark_delivered(self) -> None:
        """Everything counted so far was handed to the client's socket."""
        self.delivered = self.generated
