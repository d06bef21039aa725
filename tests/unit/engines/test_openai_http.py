"""What the client of OpenAI-compatible engines makes of bytes that arrived together."""

import pytest

from openfm.core.chat import Delta
from openfm.core.errors import EngineFailed, EngineUnreachable, NoReplicaReady
from openfm.engines.dialect import LLAMA_CPP
from openfm.engines.openai_http import Address, OpenAiHttpEngine, _deltas
from openfm.wire.engine_api import ChunkReader

ROLE = b'{"choices":[{"delta":{"role":"assistant","content":""}}]}'
ONE = b'{"choices":[{"delta":{"content":"one"}}]}'
TWO = b'{"choices":[{"delta":{"content":"two"}}]}'
END = b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'
ERROR = b'{"error":{"message":"It broke.","code":500}}'


def test_only_the_last_text_that_arrived_is_not_followed() -> None:
    deltas = list(_deltas(ChunkReader(), [ROLE, ONE, TWO, END]))
    assert [(delta.text, delta.is_followed) for delta in deltas] == [("one", True), ("two", False)]


@pytest.mark.parametrize("broken", [ERROR, b"{"])
def test_text_that_came_before_an_error_comes_first(broken: bytes) -> None:
    deltas: list[Delta] = []
    with pytest.raises(EngineFailed):
        deltas.extend(_deltas(ChunkReader(), [ONE, broken]))
    assert [delta.text for delta in deltas] == ["one"]


async def test_an_engine_that_was_closed_cannot_be_reached() -> None:
    """Whoever held it gets an error that callers know, not one of the HTTP client."""
    engine = OpenAiHttpEngine(Address("http://127.0.0.1:9"), LLAMA_CPP)
    with pytest.raises(NoReplicaReady):
        await engine.health()
    await engine.aclose()
    with pytest.raises(EngineUnreachable, match="stopped"):
        await engine.untold()
