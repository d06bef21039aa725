"""A conversation in the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openfm.cli.chat import Command, Conversation, obey
from openfm.cli.text import neutral


@pytest.fixture
def talk() -> Conversation:
    conversation = Conversation("llama", "Be brief.", {"max_tokens": 5})
    conversation.add("Hi", "Hello")
    return conversation


def test_a_question_carries_what_was_said_before(talk: Conversation) -> None:
    assert talk.body("And?") == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "And?"},
        ],
        "max_tokens": 5,
    }


def test_clear_forgets_the_conversation_and_keeps_the_system_prompt(talk: Conversation) -> None:
    said: list[str] = []
    assert obey("/clear", talk, said.append) is Command.HANDLED
    assert talk.turns == []
    assert talk.system == "Be brief."
    assert said


def test_system_sets_and_removes_the_system_prompt(talk: Conversation) -> None:
    obey("/system  Speak French. ", talk, lambda _: None)
    assert talk.system == "Speak French."
    obey("/system", talk, lambda _: None)
    assert talk.system is None


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/exit", Command.EXIT),
        ("/quit", Command.EXIT),
        ("/help", Command.HANDLED),
        ("/nonsense", Command.HANDLED),
        ("  ", Command.HANDLED),
        ("What is /clear?", Command.ASK),
    ],
)
def test_lines_are_told_apart(talk: Conversation, line: str, command: Command) -> None:
    assert obey(line, talk, lambda _: None) is command


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    shown = neutral(text)
    assert not any(ord(letter) < 0x20 and letter not in "\n\t" for letter in shown)
    assert not any(0x7F <= ord(letter) < 0xA0 for letter in shown)
    assert "\u202e" not in shown


@given(st.text(), st.integers(min_value=0, max_value=20))
def test_pieces_are_made_harmless_like_the_whole(text: str, cut: int) -> None:
    assert neutral(text[:cut]) + neutral(text[cut:]) == neutral(text)


def test_an_escape_sequence_is_shown_and_not_obeyed() -> None:
    assert neutral("\x1b[2Jgone") == "\u241b[2Jgone"
