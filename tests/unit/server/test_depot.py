"""Models are brought until they are here: a failure is told, and tried again."""

import asyncio
import errno
from collections import deque

import pytest

from openfm.core.endpoint import DeploymentState, ServedEntity
from openfm.core.errors import Unavailable
from openfm.core.model import ModelProfile, Task
from openfm.server.depot import Depot, ReadyModel, Tell

READY = ReadyModel("scripted", {}, {}, 1, 1)
MODEL = ModelProfile("m", "m", "M", "", "", Task.CHAT, context_length=256)
ENTITY = ServedEntity("m-1", "main.default.m", "1", MODEL, "d")


class Source:
    """Answers as it is told, one answer a call."""

    def __init__(self, *answers: ReadyModel | Exception | None) -> None:
        self._answers = deque(answers)
        self.forgotten: list[tuple[str, str]] = []

    async def bring(self, entity_name: str, entity_version: str, tell: Tell) -> ReadyModel | None:
        del entity_name, entity_version
        tell("Looking.")
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forget(self, entity_name: str, entity_version: str) -> None:
        self.forgotten.append((entity_name, entity_version))


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (Unavailable("The hub is away."), "The hub is away."),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (TimeoutError("too slow"), "too slow"),
        (KeyError("a bug"), "a bug"),
    ],
)
async def test_a_failure_is_told_and_tried_again(failure: Exception, sentence: str) -> None:
    told: list[tuple[DeploymentState, str]] = []
    is_here = asyncio.Event()

    def changed() -> None:
        state = depot.missing(ENTITY)
        if state is None:
            is_here.set()
        else:
            told.append((state.state, state.message))

    depot = Depot((Source(failure, READY),), changed, retry_s=0)
    assert depot.model(ENTITY) is None
    async with asyncio.timeout(10):
        await is_here.wait()
    assert depot.model(ENTITY) == READY
    ((state, message),) = told
    assert state is DeploymentState.FAILED
    assert sentence in message
    assert sentence in depot.build_log(ENTITY)
    await depot.close()


async def test_a_version_that_no_source_has_any_more_is_told() -> None:
    is_told = asyncio.Event()
    depot = Depot((Source(None),), is_told.set)
    assert depot.model(ENTITY) is None
    async with asyncio.timeout(10):
        await is_told.wait()
    state = depot.missing(ENTITY)
    assert state is not None
    assert state.state is DeploymentState.FAILED
    assert "Version 1 of 'main.default.m'" in state.message
    await depot.close()


async def test_a_model_that_failed_is_brought_at_once_when_it_is_asked_for_anew() -> None:
    is_told = asyncio.Event()
    depot = Depot((Source(Unavailable("The hub is away."), READY),), is_told.set)
    for _ in range(2):
        depot.renew(ENTITY)
        is_told.clear()
        assert depot.model(ENTITY) is None
        assert not depot.has_failed(ENTITY)
        async with asyncio.timeout(10):
            await is_told.wait()
    assert depot.model(ENTITY) == READY
    await depot.close()


async def test_the_sources_learn_which_models_nobody_wants_any_more() -> None:
    is_told, source = asyncio.Event(), Source(READY)
    depot = Depot((source,), is_told.set)
    depot.model(ENTITY)
    async with asyncio.timeout(10):
        await is_told.wait()
    key = (ENTITY.entity_name, ENTITY.entity_version)
    depot.forget_all_but(frozenset({key}))
    assert source.forgotten == []
    depot.forget_all_but(frozenset())
    assert source.forgotten == [key]
