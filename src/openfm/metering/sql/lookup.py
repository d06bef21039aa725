"""`ai_query` in the process of a question: it looks answers up, and remembers what has none.

That process reaches nobody. The server asks what is missing, and the question is run once more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from openfm.batch.function import OPTIONS, PARAMETERS, define, define_lookup
from openfm.batch.question import BatchError, Question
from openfm.metering.sql.calls import TRIED
from openfm.metering.sql.judge import Refused

MOST_QUESTIONS = 1_000
_MOST_BYTES = 16 << 20
_USE_BATCH = "`openfm batch` asks any number of them, of files on your machine, and goes on where it stopped."


class Lookup:
    """The answers there are, by the keys of questions: answer and error of each."""

    def __init__(self, outcomes: Mapping[str, Sequence[str | None]]) -> None:
        self._outcomes = outcomes
        self._bytes = 0
        self.missing: dict[str, Question] = {}
        self.refusal: Refused | None = None

    def define(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`ai_query`, and the macro of those that may fail."""
        define(connection, self._answer)
        define_lookup(connection, "ai_error__", self._error)
        given = f"endpoint, request, {OPTIONS}, false"
        connection.execute(
            f"CREATE MACRO {TRIED}(endpoint, request, {PARAMETERS}) AS "
            f"struct_pack(result := ai_query__({given}), errorMessage := ai_error__({given}))"
        )

    def questions(self) -> list[dict[str, Any]]:
        """What has no answer."""
        return [
            {"endpoint": one.endpoint, "text": one.text, "parameters": one.parameters, "may_fail": one.may_fail}
            for one in self.missing.values()
        ]

    def _answer(self, endpoint: str | None, text: str | None, parameters: str | None, fails: object) -> str | None:
        if endpoint is None or text is None:
            return None  # as any function of NULL
        question = Question(endpoint, text, parameters, may_fail=fails is False)
        outcome = self._outcomes.get(question.key)
        if outcome is None:
            self._miss(question)
            return None
        return outcome[0]

    def _error(self, endpoint: str | None, text: str | None, parameters: str | None, _fails: object) -> str | None:
        if endpoint is None or text is None:
            return None
        outcome = self._outcomes.get(Question(endpoint, text, parameters).key)
        return None if outcome is None else outcome[1]

    def _miss(self, question: Question) -> None:
        if question.key in self.missing:
            return
        try:
            question.options  # noqa: B018  # judged before anything is asked
        except BatchError as error:
            raise self._refused(str(error)) from None
        self.missing[question.key] = question
        self._bytes += len(question.text)
        if len(self.missing) + len(self._outcomes) > MOST_QUESTIONS or self._bytes > _MOST_BYTES:
            raise self._refused(
                f"A statement asks {MOST_QUESTIONS:,} questions and {_MOST_BYTES >> 20} MiB at most. {_USE_BATCH}"
            )

    def _refused(self, message: str) -> Refused:
        """DuckDB makes its own error of what a function raises: the reason is kept here."""
        self.refusal = Refused(message)
        return self.refusal
