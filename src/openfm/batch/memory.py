"""Questions and answers of one statement, kept while it runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from openfm.batch.answers import Open
from openfm.batch.asking import Server
from openfm.batch.question import Question

Outcome = tuple[str | None, str | None]
"""Answer and error: one of them."""


@dataclass(frozen=True, slots=True)
class Models:
    """Who answers the questions of a statement, and which endpoints answer with vectors."""

    server: Server
    embedding_endpoints: frozenset[str] = frozenset()


class AnswersInMemory:
    """Fulfils `batch.asking.Book`."""

    def __init__(self, batch: str) -> None:
        self.batch = batch
        self._questions: dict[str, Question] = {}
        self._outcomes: dict[str, Outcome] = {}

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What became of questions, by their keys."""
        return self._outcomes

    def add(self, questions: Iterable[Question]) -> None:
        """These are to be asked; one that is asked twice may fail if it may both times."""
        for question in questions:
            known = self._questions.get(question.key, question)
            self._questions[question.key] = replace(question, may_fail=question.may_fail and known.may_fail)

    def open(self) -> Sequence[Open]:
        """See `batch.asking.Book`."""
        return [Open(question, 0) for key, question in self._questions.items() if key not in self._outcomes]

    def keep(self, question: Question, answer: str) -> None:
        """See `batch.asking.Book`."""
        self._outcomes[question.key] = answer, None

    def fail(self, question: Question, error: str) -> None:
        """See `batch.asking.Book`."""
        self._outcomes[question.key] = None, error

    def begin_attempt(self, question: Question, attempt: int) -> None:
        """Nothing to remember: no process goes on with this one's answers."""
