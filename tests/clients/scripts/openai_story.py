"""The openai client, whatever its major version: only host and token are ours."""

import asyncio

import openai
from story import (
    CHAT,
    EMBEDDING,
    HOST,
    MAX_TOKENS,
    MESSAGES,
    TEXTS,
    TOKEN,
    TOO_LONG,
    UNKNOWN,
    WRONG_TOKEN,
    attempt,
)

ASKED = {"model": CHAT, "messages": MESSAGES, "temperature": 0, "max_tokens": MAX_TOKENS}


def chat(client, **asked):
    """The whole answer."""
    return client.chat.completions.create(**{**ASKED, **asked}).choices[0].message.content


def chunks(client, **asked):
    """The answer in pieces."""
    stream = client.chat.completions.create(**{**ASKED, **asked}, stream=True)
    return [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]


async def chunks_async(base_url):
    """The answer in pieces, from the asynchronous client."""
    async with openai.AsyncOpenAI(api_key=TOKEN, base_url=base_url) as client:
        stream = await client.chat.completions.create(**ASKED, stream=True)
        return [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]


def vectors(client, **asked):
    """The vectors and the indices they came with."""
    data = client.embeddings.create(model=EMBEDDING, **asked).data
    return {"index": [item.index for item in data], "vectors": [item.embedding for item in data]}


def usage_at_end(client):
    """The usage of the last chunk, asked for as OpenAI does."""
    stream = client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
    return [chunk.usage.model_dump() for chunk in stream if chunk.usage][-1]


def story(path):
    """Everything, under the base URL that ends in `path`."""
    base_url = HOST + path
    client = openai.OpenAI(api_key=TOKEN, base_url=base_url)
    stranger = openai.OpenAI(api_key=WRONG_TOKEN, base_url=base_url)
    error = openai.OpenAIError
    completion = {"model": CHAT, "prompt": "The capital of France is", "temperature": 0, "max_tokens": 8}
    return {
        "version": {"value": openai.__version__},
        "chat": attempt(lambda: chat(client), error),
        "stream": attempt(lambda: chunks(client), error),
        "async_stream": attempt(lambda: asyncio.run(chunks_async(base_url)), error),
        "stream_usage": attempt(lambda: usage_at_end(client), error),
        "completion": attempt(lambda: client.completions.create(**completion).choices[0].text, error),
        "completion_stream": attempt(
            lambda: [c.choices[0].text for c in client.completions.create(**completion, stream=True) if c.choices],
            error,
        ),
        "embed": attempt(lambda: vectors(client, input=TEXTS), error),
        "embed_one": attempt(lambda: vectors(client, input=TEXTS[0]), error),
        "embed_float": attempt(lambda: vectors(client, input=TEXTS, encoding_format="float"), error),
        "models": attempt(lambda: [model.id for model in client.models.list()], error),
        "wrong_token": attempt(lambda: chat(stranger), error),
        "wrong_token_stream": attempt(lambda: chunks(stranger), error),
        "unknown_endpoint": attempt(lambda: chat(client, model=UNKNOWN), error),
        "wrong_task": attempt(lambda: chat(client, model=EMBEDDING), error),
        "too_long_stream": attempt(lambda: chunks(client, messages=TOO_LONG), error),
    }
