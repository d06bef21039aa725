"""What a request will likely use, from what requests like it used: for estimates that are corrected later. Pure."""

from dataclasses import dataclass

from openfm.core.usage import Demand, TokenCounts

_SMOOTHING = 0.05


@dataclass(slots=True)
class Expectation:
    """Of one served entity's requests: means that forget, each new request counting a twentieth.

    `prompt_share` is how much of the bound on prompt tokens (bytes) is true, `cached_share` how much of the prompt the
    prefix cache saves, `completion` how long the answers are whose caller set no `max_tokens`.
    """

    prompt_share: float = 0.25
    cached_share: float = 0.0
    completion: float = 256.0

    def counts(self, demand: Demand) -> TokenCounts:
        """The tokens to expect. An answer with `max_tokens` is expected to have them all."""
        prompt = round(demand.prompt * self.prompt_share)
        completion = min(demand.completion, round(self.completion)) if demand.is_open_ended else demand.completion
        return TokenCounts(prompt=prompt, completion=completion, cached=round(prompt * self.cached_share))

    def learn(self, demand: Demand, used: TokenCounts) -> None:
        """A request that was answered used so much."""
        if demand.prompt > 0 and used.prompt > 0:
            self.prompt_share += _SMOOTHING * (min(1.0, used.prompt / demand.prompt) - self.prompt_share)
            self.cached_share += _SMOOTHING * (min(1.0, used.cached / used.prompt) - self.cached_share)
        if demand.is_open_ended and used.completion > 0:
            self.completion += _SMOOTHING * (used.completion - self.completion)
