"""Turns in the order of coming."""

import queue
import threading

import pytest

from openfm.store.turns import NoTurn, Turns


def test_who_comes_back_at_once_goes_behind_those_who_wait() -> None:
    turns = Turns()
    order: queue.Queue[str] = queue.Queue()
    has_it, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with turns.one(10):
            has_it.set()
            go_on.wait(10)
        with turns.one(10):
            order.put("again")

    def other() -> None:
        with turns.one(10):
            order.put("other")

    threads = [threading.Thread(target=first), threading.Thread(target=other)]
    threads[0].start()
    has_it.wait(10)
    threads[1].start()
    while turns.waiting < 1:
        pass
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [order.get(timeout=10), order.get(timeout=10)] == ["other", "again"]


def test_who_gives_up_waiting_leaves_the_line() -> None:
    turns = Turns()
    with turns.one(1), pytest.raises(NoTurn), turns.one(0.01):
        pass
    with turns.one(0):
        assert turns.waiting == 0


def test_an_error_ends_the_turn() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.one(0):
        raise ZeroDivisionError
    with turns.one(0):
        pass
