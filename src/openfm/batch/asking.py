"""Asks a batch's open questions: so many at a time, each until it has its answer, or cannot have one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from openfm.batch.answers import Open
from openfm.batch.question import BatchError, Question, answer_in

_TAKEN = 409
_RETRIED = frozenset({0, 408, _TAKEN, 425, 429, 500, 502, 503, 504})
_NOT_FOR_ANY_ROW = frozenset({401, 403, 404})
_MOST_WAITS = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0


class Refusal(Exception):
    """The server gave no answer. `status` is HTTP's, 0 where none came. `is_final`: it says so itself."""

    def __init__(
        self, message: str, status: int = 0, retry_after_s: float | None = None, *, is_final: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_final = is_final


class Server(Protocol):
    """Who answers."""

    async def ask(self, question: Question, idempotency_key: str) -> dict[str, Any]:
        """The answer's body. Raises `Refusal`."""
        ...

    def keeps_answers(self, endpoint: str) -> bool:
        """Whether one who sends a request again, with its key, gets the first answer."""
        ...


class Book(Protocol):
    """What was asked and answered."""

    @property
    def batch(self) -> str:
        """The batch's id."""
        ...

    def open(self) -> Sequence[Open]:
        """Questions without an answer."""
        ...

    def keep(self, question: Question, answer: str) -> None:
        """It was answered."""
        ...

    def fail(self, question: Question, error: str) -> None:
        """It cannot be answered."""
        ...

    def begin_attempt(self, question: Question, attempt: int) -> None:
        """It is asked once more, under another key: an answer to the one before was made, and lost."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is asked. `retries` are those of one question; `chance` draws from 0 to 1, `sleep` takes seconds."""

    at_once: int
    retries: int
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]


async def ask_all(server: Server, answers: Book, manner: Manner, on_answer: Callable[[], None]) -> None:
    """Ask every open question. Raises `BatchError` at the first that may not fail, and does; its cause says how."""
    waiting = deque(answers.open())

    async def worker() -> None:
        while waiting:
            await _ask(server, answers, manner, waiting.popleft())
            on_answer()

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(manner.at_once, len(waiting))):
                workers.create_task(worker())
    except* BatchError as group:
        first = _first(group)
        raise first from first.__cause__


async def _ask(server: Server, answers: Book, manner: Manner, one: Open) -> None:
    question, attempt, tries = one.question, one.attempt, 0
    while True:
        try:
            body = await server.ask(question, f"{answers.batch}-{question.key}-{attempt}")
        except Refusal as refusal:
            if tries == manner.retries or refusal.is_final or refusal.status not in _RETRIED:
                _give_up(answers, question, refusal)
                return
            tries += 1
            # Where answers are kept, it is being made still, for the process that asked first.
            is_under_way = server.keeps_answers(question.endpoint) and tries <= _MOST_WAITS
            if refusal.status == _TAKEN and not is_under_way:
                # It was answered, and the answer lost with the process that asked: it can only be made again.
                attempt += 1
                answers.begin_attempt(question, attempt)
            await manner.sleep(pause_s(tries, refusal.retry_after_s, manner.chance()))
        else:
            answers.keep(question, answer_in(body))
            return


def pause_s(tries: int, retry_after_s: float | None, chance: float) -> float:
    """Seconds to wait after so many tries: longer each time, never less than the server asks for."""
    backoff = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (tries - 1))
    return max(backoff * (0.5 + chance / 2), retry_after_s or 0.0)


def _give_up(answers: Book, question: Question, refusal: Refusal) -> None:
    if not question.may_fail or refusal.status in _NOT_FOR_ANY_ROW:
        raise BatchError(f"{question.endpoint}: {refusal}") from refusal
    answers.fail(question, str(refusal))


def _first(group: BaseExceptionGroup[BatchError]) -> BatchError:
    found: BatchError | BaseExceptionGroup[BatchError] = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
