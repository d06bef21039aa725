"""One call of `ai_query`: what is asked, what a request of it is like, and what comes back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BATCH_TAG = "openfm_batch"
STATEMENT_TAG = "openfm_statement"
EMBEDDINGS = "llm/v1/embeddings"
_OURS = frozenset({"messages", "prompt", "input", "stream", "n", "model"})


class BatchError(Exception):
    """The batch cannot go on; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt (or text to embed) for an endpoint. `parameters` is a JSON object as text, or None.

    Equal questions have one answer: the key is made of all that is asked.
    """

    endpoint: str
    text: str
    parameters: str | None = None
    may_fail: bool = False

    @property
    def key(self) -> str:
        """Its name: the same whenever the same is asked."""
        told = json.dumps([self.endpoint, self.text, self.parameters])
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def options(self) -> Mapping[str, Any]:
        """The parameters. Raises `BatchError` for what is none, or is not for a row to say."""
        try:
            options = json.loads(self.parameters or "{}")
        except ValueError:
            options = None
        if not isinstance(options, dict):
            raise BatchError("modelParameters must be a struct, as in {'max_tokens': 100}.")
        if not isinstance(options.get("usage_context", {}), dict):
            raise BatchError("usage_context must be a struct of tags, as in {'team': 'nlp'}.")
        if taken := sorted(_OURS & options.keys()):
            raise BatchError(f"modelParameters cannot have {taken[0]}: ai_query says it itself.")
        return {name: value for name, value in options.items() if value is not None}

    def body(self, task: str, tags: Mapping[str, str]) -> dict[str, Any]:
        """The request, for an endpoint of this task, with these tags. Raises `BatchError`."""
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": self.text}]}
        if task == "llm/v1/completions":
            asked = {"prompt": self.text}
        elif task == EMBEDDINGS:
            asked = {"input": self.text}
        options = self.options
        return {**asked, **options, "usage_context": {**options.get("usage_context", {}), **tags}}


def answer_in(body: Mapping[str, Any]) -> str:
    """The text of an answer, or an embedding as JSON. Raises `BatchError`."""
    try:
        if "data" in body:
            return json.dumps(body["data"][0]["embedding"])
        choice = body["choices"][0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
    except (LookupError, TypeError):
        raise BatchError("The endpoint answered, but not with text or an embedding.") from None
    return text if isinstance(text, str) else json.dumps(text)
