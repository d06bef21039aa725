"""Spring 2024: mlflow 2.12's deployments client, and langchain_community's ChatDatabricks on it."""

from langchain_community.chat_models import ChatDatabricks
from langchain_community.embeddings import DatabricksEmbeddings
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import MlflowException
from requests import HTTPError
from story import (
    CHAT,
    EMBEDDING,
    MAX_TOKENS,
    MESSAGES,
    QUESTION,
    SYSTEM,
    TEXTS,
    UNKNOWN,
    WRONG_TOKEN,
    attempt,
    tell,
    with_host,
)

ASKED = {"messages": MESSAGES, "temperature": 0, "max_tokens": MAX_TOKENS}
ERRORS = (HTTPError, MlflowException)


def mlflow_story():
    """The deployments client."""
    with_host()
    client = get_deploy_client("databricks")
    told = {
        "list": attempt(client.list_endpoints, *ERRORS),
        "get": attempt(lambda: dict(client.get_endpoint(CHAT)), *ERRORS),
        "chat": attempt(
            lambda: client.predict(endpoint=CHAT, inputs=ASKED)["choices"][0]["message"]["content"], *ERRORS
        ),
        "stream": attempt(
            lambda: [c["choices"][0]["delta"]["content"] for c in client.predict_stream(endpoint=CHAT, inputs=ASKED)],
            *ERRORS,
        ),
        "embed": attempt(
            lambda: [d["embedding"] for d in client.predict(endpoint=EMBEDDING, inputs={"input": TEXTS})["data"]],
            *ERRORS,
        ),
        "unknown_endpoint": attempt(lambda: client.predict(endpoint=UNKNOWN, inputs=ASKED), *ERRORS),
    }
    with_host(token=WRONG_TOKEN)
    stranger = get_deploy_client("databricks")
    return told | {"wrong_token": attempt(lambda: stranger.predict(endpoint=CHAT, inputs=ASKED), *ERRORS)}


def langchain_story():
    """The first ChatDatabricks and DatabricksEmbeddings."""
    with_host()
    chat = ChatDatabricks(endpoint=CHAT, target_uri="databricks", temperature=0, max_tokens=MAX_TOKENS)
    embeddings = DatabricksEmbeddings(endpoint=EMBEDDING, target_uri="databricks")
    messages = [("system", SYSTEM), ("user", QUESTION)]
    many = [f"text number {i}" for i in range(45)]
    return {
        "chat": attempt(lambda: chat.invoke(messages).content, *ERRORS),
        "stream": attempt(lambda: [chunk.content for chunk in chat.stream(messages)], *ERRORS),
        "embed": attempt(lambda: embeddings.embed_documents(TEXTS), *ERRORS),
        "embed_many": attempt(lambda: embeddings.embed_documents(many), *ERRORS),
        "unknown_endpoint": attempt(
            lambda: ChatDatabricks(endpoint=UNKNOWN, target_uri="databricks").invoke(messages), *ERRORS
        ),
    }


tell({"mlflow": mlflow_story(), "langchain": langchain_story()})
