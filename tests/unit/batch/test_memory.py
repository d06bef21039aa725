"""Questions of a statement, kept while it runs."""

from openfm.batch.memory import AnswersInMemory
from openfm.batch.question import Question


def test_what_was_answered_or_failed_is_open_no_more() -> None:
    book, asked = AnswersInMemory("s"), [Question("chat", text) for text in "abc"]
    book.add(asked)
    book.keep(asked[0], "yes")
    book.fail(asked[1], "no")
    assert [one.question for one in book.open()] == [asked[2]]
    assert book.outcomes == {asked[0].key: ("yes", None), asked[1].key: (None, "no")}
    book.add(asked[:1])
    assert len(book.open()) == 1


def test_a_question_may_fail_only_if_it_may_wherever_it_is_asked() -> None:
    book = AnswersInMemory("s")
    book.add([Question("chat", "a", may_fail=True), Question("chat", "b", may_fail=True), Question("chat", "a")])
    assert [(one.question.text, one.question.may_fail) for one in book.open()] == [("a", False), ("b", True)]
