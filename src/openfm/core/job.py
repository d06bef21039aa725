"""What one HTTP request asks the gateway to do: one or more sequences, and how their prompts are treated."""

from dataclasses import dataclass
from enum import StrEnum

from openfm.core.chat import CompletionRequest, GenerationRequest
from openfm.core.model import Task


class PromptForm(StrEnum):
    """Whether a completion prompt goes through the model's template."""

    TEMPLATED = "templated"
    RAW = "raw"


class OverlongPrompt(StrEnum):
    """What to do when prompt and max_tokens do not fit (Databricks' `error_behavior`)."""

    ERROR = "error"
    TRUNCATE = "truncate"


class ServiceTier(StrEnum):
    """How a pay-per-token request is served (the API's `service_tier`); provisioned throughput has one tier."""

    DEFAULT = "default"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class GenerationJob:
    """Sequences to generate side by side, ordered prompt by prompt, then answer by answer.

    `answers_per_prompt` is the API's `n`: its sequences share a prompt, which is counted once.
    """

    task: Task
    requests: tuple[GenerationRequest, ...]
    answers_per_prompt: int = 1
    prompt_form: PromptForm = PromptForm.TEMPLATED
    overlong_prompt: OverlongPrompt = OverlongPrompt.ERROR
    tier: ServiceTier = ServiceTier.DEFAULT

    @property
    def text_prompts(self) -> tuple[str, ...]:
        """The prompt of every sequence as the caller wrote it; empty for token ids and chats."""
        return tuple(
            request.prompt if isinstance(request, CompletionRequest) and isinstance(request.prompt, str) else ""
            for request in self.requests
        )
