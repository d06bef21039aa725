"""Open questions are asked until each has its answer, or cannot have one."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openfm.batch.answers import Answers
from openfm.batch.asking import Manner, Refusal, ask_all, pause_s
from openfm.batch.question import BatchError, Question

Reply = str | Refusal
MAY_FAIL = {"may_fail": True}


@dataclass
class FakeServer:
    """Answers by a rule of the question and of how often it was asked; remembers the keys."""

    rule: Callable[[str, int], Reply] = lambda text, _: f"re {text}"
    keys: dict[str, list[str]] = field(default_factory=dict)
    under_way: int = 0
    most: int = 0
    is_keeping: bool = False

    def keeps_answers(self, endpoint: str) -> bool:
        return self.is_keeping and endpoint == "chat"

    async def ask(self, question: Question, idempotency_key: str) -> dict[str, Any]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        asked = self.keys.setdefault(question.text, [])
        asked.append(idempotency_key)
        reply = self.rule(question.text, len(asked))
        if isinstance(reply, Refusal):
            raise reply
        return {"choices": [{"message": {"content": reply}}]}


@dataclass
class Pauses:
    """Time passes at once, and is remembered."""

    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def manner(self, at_once: int = 3, retries: int = 4) -> Manner:
        return Manner(at_once, retries, self.sleep, lambda: 0.0)


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Answers]:
    with closing(Answers(tmp_path / "state", "SELECT 1", "http://server")) as opened:
        yield opened


def remember(answers: Answers, count: int, **change: Any) -> list[Question]:
    questions = [Question("chat", f"q{number}", **change) for number in range(count)]
    for question in questions:
        assert answers.answer(question) is None
    return questions


async def run(server: FakeServer, answers: Answers, manner: Manner) -> int:
    done: list[int] = []
    await ask_all(server, answers, manner, lambda: done.append(1))
    return len(done)


async def test_every_question_is_asked_once_so_many_at_a_time(answers: Answers) -> None:
    questions, server = remember(answers, 20), FakeServer()
    assert await run(server, answers, Pauses().manner(at_once=3)) == 20
    assert [answers.answer(question) for question in questions] == [f"re {question.text}" for question in questions]
    assert all(len(keys) == 1 for keys in server.keys.values())
    assert len({key for keys in server.keys.values() for key in keys}) == 20
    assert server.most == 3
    assert not answers.open()


async def test_a_refusal_that_passes_is_asked_again_with_the_same_key_and_not_before_the_server_says(
    answers: Answers,
) -> None:
    remember(answers, 1)
    server = FakeServer(lambda _, times: "yes" if times > 2 else Refusal("Later.", 429, retry_after_s=7.5))
    pauses = Pauses()
    await run(server, answers, pauses.manner())
    assert pauses.slept == [7.5, 7.5]
    assert len(set(server.keys["q0"])) == 1
    assert answers.counts() == (1, 0, 0)


async def test_an_answer_that_was_lost_is_made_again_under_another_key_and_counted(answers: Answers) -> None:
    (question,) = remember(answers, 1)
    server = FakeServer(lambda _, times: "yes" if times > 1 else Refusal("Taken before.", 409))
    await run(server, answers, Pauses().manner())
    assert len(set(server.keys["q0"])) == 2
    assert (answers.answer(question), answers.counts()) == ("yes", (1, 0, 1))


async def test_where_answers_are_kept_one_that_is_under_way_still_is_waited_for(answers: Answers) -> None:
    remember(answers, 1)
    server = FakeServer(lambda _, times: "yes" if times > 5 else Refusal("Taken before.", 409), is_keeping=True)
    await run(server, answers, Pauses().manner(retries=9))
    assert len(set(server.keys["q0"])) == 1
    assert answers.counts() == (1, 0, 0)


async def test_an_answer_that_should_be_kept_and_is_not_is_made_again_in_the_end(answers: Answers) -> None:
    remember(answers, 1)
    server = FakeServer(lambda _, times: "yes" if times > 6 else Refusal("Taken before.", 409), is_keeping=True)
    await run(server, answers, Pauses().manner(retries=9))
    assert len(set(server.keys["q0"])) == 2
    assert answers.counts() == (1, 0, 1)


@pytest.mark.parametrize("status", [0, 409, 429, 503])
async def test_nothing_is_asked_for_ever(answers: Answers, status: int) -> None:
    remember(answers, 1)
    server = FakeServer(lambda _, __: Refusal("Not now.", status))
    with pytest.raises(BatchError, match="chat: Not now"):
        await run(server, answers, Pauses().manner(retries=4))
    assert len(server.keys["q0"]) == 5


async def test_a_question_that_may_fail_leaves_the_others_alone(answers: Answers) -> None:
    remember(answers, 5, may_fail=True)
    server = FakeServer(lambda text, _: Refusal("Too long.", 400) if text == "q3" else "yes")
    await run(server, answers, Pauses().manner())
    assert answers.counts() == (4, 1, 0)
    assert answers.errors(9) == ["Too long."]
    assert not answers.open()


@pytest.mark.parametrize(("change", "status"), [({}, 400), (MAY_FAIL, 401), (MAY_FAIL, 403), (MAY_FAIL, 404)])
async def test_what_no_question_gets_past_ends_the_batch_and_keeps_what_there_is(
    answers: Answers, change: dict[str, bool], status: int
) -> None:
    remember(answers, 9, **change)
    server = FakeServer(lambda text, _: Refusal("No.", status) if text == "q4" else "yes")
    with pytest.raises(BatchError, match="chat: No"):
        await run(server, answers, Pauses().manner(at_once=1))
    answered, failed, _ = answers.counts()
    assert failed == 0
    assert len(answers.open()) == 9 - answered


def test_pauses_grow_to_a_minute() -> None:
    assert [pause_s(tries, None, 1.0) for tries in (1, 2, 3, 20)] == [0.5, 1.0, 2.0, 60.0]
    assert pause_s(1, None, 0.0) == 0.25
    assert pause_s(1, 9.0, 0.0) == 9.0
