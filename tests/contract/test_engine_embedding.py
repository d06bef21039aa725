"""What every engine that embeds must do."""

import asyncio
import struct

import pytest

from openfm.core.chat import CompletionRequest
from openfm.core.embedding import EmbeddingRequest
from openfm.core.errors import ContextTooLong, InvalidRequest
from openfm.engines.base import Engine, RunningEngine
from tests.contract.engine_steps import show, until


def cosine(one: bytes, other: bytes) -> float:
    size = len(one) // 4
    left: tuple[float, ...] = struct.unpack(f"<{size}f", one)
    right: tuple[float, ...] = struct.unpack(f"<{size}f", other)
    return sum(a * b for a, b in zip(left, right, strict=True))


async def test_one_unit_vector_an_input_in_order(embedder: Engine) -> None:
    texts = ("a cat sits on the mat", "a much longer text, " * 20, "tax")
    together = await embedder.embed(EmbeddingRequest(texts))
    alone = [await embedder.embed(EmbeddingRequest((text,))) for text in texts]
    assert len(together.vectors) == 3
    for vector, single in zip(together.vectors, alone, strict=True):
        assert len(vector) == 4 * together.dimension
        assert cosine(vector, vector) == pytest.approx(1, abs=1e-3)
        assert cosine(vector, single.vectors[0]) > 0.99  # int8 activations are scaled by batch
    assert together.prompt_tokens == sum(single.prompt_tokens for single in alone)


async def test_an_instruction_goes_before_each_text(embedder: Engine) -> None:
    with_field = await embedder.embed(EmbeddingRequest(("what is a cat?",), instruction="query:"))
    by_hand = await embedder.embed(EmbeddingRequest(("query: what is a cat?",)))
    without = await embedder.embed(EmbeddingRequest(("what is a cat?",)))
    assert with_field.prompt_tokens == by_hand.prompt_tokens > without.prompt_tokens
    assert with_field.vectors != without.vectors


async def test_an_input_over_the_context_is_refused_with_both_numbers(embedder: Engine) -> None:
    with pytest.raises(ContextTooLong) as caught:
        await embedder.embed(EmbeddingRequest(("short", "word " * 300)))
    assert caught.value.prompt_tokens >= 300
    assert caught.value.context_length == 256


async def test_an_empty_input_is_refused(embedder: Engine) -> None:
    with pytest.raises(InvalidRequest):
        await embedder.embed(EmbeddingRequest(("fine", "")))


async def test_many_callers_get_their_own_vectors(embedder: Engine) -> None:
    texts = [f"text number {number} " + "and more " * (number % 7) for number in range(40)]
    answers = await asyncio.gather(*(embedder.embed(EmbeddingRequest((text,))) for text in texts))
    again = await embedder.embed(EmbeddingRequest(tuple(texts)))
    for one, vector in zip(answers, again.vectors, strict=True):
        assert cosine(one.vectors[0], vector) > 0.99


async def test_near_meanings_are_nearer_than_far_ones(running_onnx: RunningEngine) -> None:
    texts = ("a cat sits on the mat", "a kitten rests on a rug", "quarterly tax report")
    cat, kitten, tax = (await running_onnx.engine.embed(EmbeddingRequest(texts))).vectors
    assert cosine(cat, kitten) > cosine(cat, tax) + 0.2


async def test_token_ids_mean_what_their_text_means(running_onnx: RunningEngine) -> None:
    text = "a cat sits on the mat"
    ids = await running_onnx.engine.tokenize(CompletionRequest(text))
    from_text = await running_onnx.engine.embed(EmbeddingRequest((text,)))
    whole = await running_onnx.engine.embed(EmbeddingRequest((ids,)))
    bare = await running_onnx.engine.embed(EmbeddingRequest((ids[1:-1],)))
    assert from_text.vectors == whole.vectors == bare.vectors
    assert from_text.prompt_tokens == whole.prompt_tokens == bare.prompt_tokens == len(ids)


async def test_a_token_id_outside_the_vocabulary_is_refused(running_onnx: RunningEngine) -> None:
    with pytest.raises(InvalidRequest, match="vocabulary"):
        await running_onnx.engine.embed(EmbeddingRequest(((10**6,),)))


async def test_a_caller_that_gives_up_leaves_the_queue(running_onnx: RunningEngine) -> None:
    engine = running_onnx.engine
    before = (await engine.stats()).prompt_tokens_total
    flood = EmbeddingRequest(tuple("word " * 200 for _ in range(400)))
    task = asyncio.create_task(engine.embed(flood))
    await until(engine.stats, lambda stats: stats.requests_running > 0, within_s=5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    stopped, took_s = await until(
        engine.stats, lambda stats: not stats.requests_running and not stats.requests_waiting, within_s=3
    )
    show(f"embedding: idle {took_s:.3f} s after the hang-up")
    assert stopped.prompt_tokens_total - before < 400 * 200 / 2
