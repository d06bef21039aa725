"""What became of one request of a run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request. Times are seconds on one clock.

    `due_s` is when it should have been sent, `sent_s` when it was, `first_s` when its first non-empty token came,
    `ended_s` when its answer was complete or it failed. `error` is None for an answer that came whole, else a short
    word for the kind of failure ("429", "timeout"). `cached_tokens` is part of `prompt_tokens`.
    `is_estimated`: the server did not tell how many tokens there were, so they are a guess.
    """

    due_s: float
    sent_s: float
    ended_s: float
    first_s: float | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None
    is_estimated: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether the answer came whole."""
        return self.error is None

    @property
    def ttft_s(self) -> float | None:
        """From the due time to the first token.

        Not from the sending: a client that is held up by the server sends late, and would hide just the waits it is
        there to measure ("coordinated omission": Tene, "How NOT to Measure Latency").
        """
        return None if self.first_s is None else self.first_s - self.due_s

    @property
    def e2e_s(self) -> float:
        """From the due time to the end of the answer."""
        return self.ended_s - self.due_s

    @property
    def tpot_s(self) -> float | None:
        """(end - first token) / (completion tokens - 1): the mean gap after the first token, which it excludes.

        None for an answer of fewer than two tokens. OpenTelemetry's `gen_ai.server.time_per_output_token`.
        """
        if self.first_s is None or self.completion_tokens < 2:
            return None
        return (self.ended_s - self.first_s) / (self.completion_tokens - 1)

    @property
    def lateness_s(self) -> float:
        """How much later than due it was sent: the load tool's own delay."""
        return self.sent_s - self.due_s
