"""Today's clients: openai, databricks-sdk, mlflow.deployments, langchain-openai."""

import logging

import openai
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.serving import ChatMessage, ChatMessageRole
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import MlflowException
from openai_story import story as openai_story
from requests import HTTPError
from story import (
    BATCHES,
    CHAT,
    CHAT_ALIAS,
    EMBEDDING,
    HOST,
    MAX_TOKENS,
    MESSAGES,
    QUESTION,
    SYSTEM,
    TEXTS,
    TOKEN,
    TOO_LONG,
    UNKNOWN,
    WRONG_TOKEN,
    attempt,
    tell,
    with_host,
)


class Retries(logging.Handler):
    """Counts the sdk's log lines that say it tries again."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.count = 0

    def emit(self, record):
        """Count one."""
        self.count += record.getMessage().startswith("Retrying")


def sdk_query(workspace, name=CHAT):
    """A chat answer by typed messages."""
    messages = [
        ChatMessage(role=ChatMessageRole.SYSTEM, content=SYSTEM),
        ChatMessage(role=ChatMessageRole.USER, content=QUESTION),
    ]
    answer = workspace.serving_endpoints.query(name, messages=messages, temperature=0, max_tokens=MAX_TOKENS)
    return answer.choices[0].message.content


def sdk_completion(workspace):
    """A completion by the same call."""
    answer = workspace.serving_endpoints.query(CHAT, prompt="The capital of France is", temperature=0, max_tokens=8)
    return answer.as_dict()


def sdk_story():
    """WorkspaceClient, found by arguments and by profile."""
    retries = Retries()
    logger = logging.getLogger("databricks.sdk.retries")
    logger.addHandler(retries)
    logger.setLevel(logging.DEBUG)
    workspace = WorkspaceClient(host=HOST, token=TOKEN)
    endpoints = workspace.serving_endpoints
    stranger = WorkspaceClient(host=HOST, token=WRONG_TOKEN)
    wrong_token = attempt(lambda: [e.name for e in stranger.serving_endpoints.list()], DatabricksError)
    wrong_token_query = attempt(lambda: sdk_query(stranger), DatabricksError)
    return {
        "me": attempt(lambda: workspace.current_user.me().as_dict(), DatabricksError),
        "workspace_id": attempt(workspace.get_workspace_id, DatabricksError),
        "slash_host": attempt(
            lambda: [e.name for e in WorkspaceClient(host=HOST + "/", token=TOKEN).serving_endpoints.list()],
            DatabricksError,
        ),
        "profile": attempt(
            lambda: [e.name for e in WorkspaceClient(profile="openfm").serving_endpoints.list()], DatabricksError
        ),
        "list": attempt(lambda: [endpoint.as_dict() for endpoint in endpoints.list()], DatabricksError),
        "get": attempt(lambda: endpoints.get(CHAT).as_dict(), DatabricksError),
        "get_alias": attempt(lambda: endpoints.get(CHAT_ALIAS).as_dict(), DatabricksError),
        "chat": attempt(lambda: sdk_query(workspace), DatabricksError),
        "completion": attempt(lambda: sdk_completion(workspace), DatabricksError),
        "embed": attempt(
            lambda: [item.embedding for item in endpoints.query(EMBEDDING, input=TEXTS).data], DatabricksError
        ),
        "openai_client": attempt(lambda: sdk_openai(workspace), DatabricksError, openai.OpenAIError),
        "get_unknown": attempt(lambda: endpoints.get(UNKNOWN).as_dict(), DatabricksError),
        "query_unknown": attempt(lambda: sdk_query(workspace, UNKNOWN), DatabricksError),
        "wrong_token": wrong_token,
        "wrong_token_query": wrong_token_query,
        "retries": {"value": retries.count},
    }


def sdk_openai(workspace):
    """The openai client that databricks-sdk makes."""
    client = workspace.serving_endpoints.get_open_ai_client()
    answer = client.chat.completions.create(model=CHAT, messages=MESSAGES, temperature=0, max_tokens=MAX_TOKENS)
    return answer.choices[0].message.content


def mlflow_story():
    """mlflow.deployments, target databricks."""
    with_host()
    client = get_deploy_client("databricks")
    asked = {"messages": MESSAGES, "temperature": 0, "max_tokens": MAX_TOKENS}
    errors = (HTTPError, MlflowException)
    told = {
        "list": attempt(client.list_endpoints, *errors),
        "get": attempt(lambda: dict(client.get_endpoint(CHAT)), *errors),
        "chat": attempt(
            lambda: client.predict(endpoint=CHAT, inputs=asked)["choices"][0]["message"]["content"], *errors
        ),
        "stream": attempt(
            lambda: [c["choices"][0]["delta"]["content"] for c in client.predict_stream(endpoint=CHAT, inputs=asked)],
            *errors,
        ),
        "embed": attempt(
            lambda: [d["embedding"] for d in client.predict(endpoint=EMBEDDING, inputs={"input": TEXTS})["data"]],
            *errors,
        ),
        "batches": attempt(
            lambda: [len(client.predict(endpoint=EMBEDDING, inputs={"input": batch})["data"]) for batch in BATCHES],
            *errors,
        ),
        "unknown_endpoint": attempt(lambda: client.predict(endpoint=UNKNOWN, inputs=asked), *errors),
        "too_long_stream": attempt(
            lambda: list(client.predict_stream(endpoint=CHAT, inputs={"messages": TOO_LONG, "max_tokens": 8})), *errors
        ),
    }
    with_host(token=WRONG_TOKEN)
    stranger = get_deploy_client("databricks")
    return told | {"wrong_token": attempt(lambda: stranger.predict(endpoint=CHAT, inputs=asked), *errors)}


def langchain_story():
    """langchain-openai on the OpenAI routes."""
    at = {"base_url": HOST + "/serving-endpoints", "api_key": TOKEN}
    chat = ChatOpenAI(model=CHAT, temperature=0, max_tokens=MAX_TOKENS, **at)
    stranger = ChatOpenAI(model=CHAT, temperature=0, **{**at, "api_key": WRONG_TOKEN})
    # Without this it sends token ids of OpenAI's own tokenizer, which no other model understands.
    embeddings = OpenAIEmbeddings(model=EMBEDDING, check_embedding_ctx_length=False, **at)
    messages = [("system", SYSTEM), ("user", QUESTION)]
    return {
        "chat": attempt(lambda: chat.invoke(messages).content, openai.OpenAIError),
        "stream": attempt(lambda: [chunk.content for chunk in chat.stream(messages)], openai.OpenAIError),
        "embed": attempt(lambda: embeddings.embed_documents(TEXTS), openai.OpenAIError),
        "embed_one": attempt(lambda: embeddings.embed_query(TEXTS[0]), openai.OpenAIError),
        "wrong_token": attempt(lambda: stranger.invoke(messages), openai.OpenAIError),
        "unknown_endpoint": attempt(lambda: ChatOpenAI(model=UNKNOWN, **at).invoke(messages), openai.OpenAIError),
    }


tell(
    {
        "sdk": sdk_story(),
        "serving_endpoints": openai_story("/serving-endpoints"),
        "v1": openai_story("/v1"),
        "langchain": langchain_story(),
        "mlflow": mlflow_story(),
    }
)
