"""litellm, provider databricks."""

import litellm
from openai import OpenAIError
from story import CHAT, EMBEDDING, HOST, MAX_TOKENS, MESSAGES, TEXTS, TOKEN, UNKNOWN, WRONG_TOKEN, attempt, tell

AT = {"api_base": HOST + "/serving-endpoints", "api_key": TOKEN}
ASKED = {"model": f"databricks/{CHAT}", "messages": MESSAGES, "temperature": 0, "max_tokens": MAX_TOKENS, **AT}


def ask(**other):
    """The whole answer."""
    return litellm.completion(**{**ASKED, **other}).choices[0].message.content


def embed(**asked):
    """One vector a text."""
    return [item["embedding"] for item in litellm.embedding(model=f"databricks/{EMBEDDING}", **asked, **AT).data]


tell(
    {
        "litellm": {
            "chat": attempt(ask, OpenAIError),
            "stream": attempt(
                lambda: [c.choices[0].delta.content or "" for c in litellm.completion(**ASKED, stream=True)],
                OpenAIError,
            ),
            "embed": attempt(lambda: embed(input=TEXTS), OpenAIError),
            "unknown_endpoint": attempt(lambda: ask(model=f"databricks/{UNKNOWN}"), OpenAIError),
            "wrong_token": attempt(lambda: ask(api_key=WRONG_TOKEN), OpenAIError),
        }
    }
)
