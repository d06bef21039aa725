"""databricks-genai-inference 0.2.3, the Foundation Model APIs Python SDK, with the databricks-sdk that it pins."""

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.version import __version__ as sdk_version
from databricks_genai_inference import (
    ChatCompletion,
    ChatSession,
    Completion,
    Embedding,
    FoundationModelAPIException,
)
from story import (
    CHAT,
    EMBEDDING,
    HOST,
    MAX_TOKENS,
    MESSAGES,
    QUESTION,
    SYSTEM,
    TEXTS,
    TOKEN,
    UNKNOWN,
    WRONG_TOKEN,
    attempt,
    tell,
    with_host,
)

ASKED = {"messages": MESSAGES, "temperature": 0, "max_tokens": MAX_TOKENS}
COMPLETION = {"model": CHAT, "prompt": "The capital of France is", "temperature": 0, "max_tokens": 8}


def chat(model):
    """The whole answer, as the client's object says it."""
    answer = ChatCompletion.create(model=model, **ASKED)
    return {"message": answer.message, "usage": answer.usage, "model": answer.model, "id": answer.id}


def session():
    """Two turns; the second only makes sense with the first."""
    talk = ChatSession(model=CHAT, system_message=SYSTEM, temperature=0, max_tokens=MAX_TOKENS)
    talk.reply(QUESTION)
    first = talk.last
    talk.reply("Say that again.")
    return {"first": first, "count": talk.count, "history": talk.history}


def sdk_story():
    """databricks-sdk 0.19.1 knows no discovery document; a token is all it needs."""
    workspace = WorkspaceClient(host=HOST, token=TOKEN)
    stranger = WorkspaceClient(host=HOST, token=WRONG_TOKEN)
    return {
        "version": {"value": sdk_version},
        "me": attempt(lambda: workspace.current_user.me().as_dict(), DatabricksError),
        "list": attempt(lambda: [e.as_dict() for e in workspace.serving_endpoints.list()], DatabricksError),
        "get": attempt(lambda: workspace.serving_endpoints.get(CHAT).as_dict(), DatabricksError),
        "embed": attempt(
            lambda: [d.embedding for d in workspace.serving_endpoints.query(EMBEDDING, input=TEXTS).data],
            DatabricksError,
        ),
        "get_unknown": attempt(lambda: workspace.serving_endpoints.get(UNKNOWN).as_dict(), DatabricksError),
        "wrong_token": attempt(lambda: list(stranger.serving_endpoints.list()), DatabricksError),
    }


def genai_story():
    """The client's own calls."""
    error = FoundationModelAPIException
    with_host()
    told = {
        "chat": attempt(lambda: chat(CHAT), error),
        "short_name": attempt(lambda: chat("llama-2-70b-chat"), error),
        "stream": attempt(lambda: [c.message for c in ChatCompletion.create(model=CHAT, **ASKED, stream=True)], error),
        "session": attempt(session, error),
        "completion": attempt(lambda: Completion.create(**COMPLETION).text, error),
        "completion_stream": attempt(lambda: [c.text for c in Completion.create(**COMPLETION, stream=True)], error),
        "embed": attempt(lambda: Embedding.create(model=EMBEDDING, input=TEXTS).embeddings, error),
        "embed_short_name": attempt(lambda: Embedding.create(model="bge-large-en", input=TEXTS).embeddings, error),
        "unknown_endpoint": attempt(lambda: chat(UNKNOWN), error),
    }
    with_host(token=WRONG_TOKEN)
    return told | {"wrong_token": attempt(lambda: chat(CHAT), error)}


tell({"sdk": sdk_story(), "genai": genai_story()})
