"""Real clients as judges, unmodified, against a started server: only host and token are ours.

`test_line_NN_…` is line NN of the contract checklist. What the scripts do is in `scripts/`.
"""

import math
from collections.abc import Sequence

import pytest

from tests.clients.conftest import Tell

pytestmark = pytest.mark.clients

OPENAI = [f"{script}.{route}" for script in ("current", "openai2", "openai1") for route in ("serving_endpoints", "v1")]
MLFLOW = ["current.mlflow", "spring2024.mlflow"]
CHATS = [*OPENAI, *MLFLOW, "current.sdk", "current.langchain", "litellm_story.litellm", "spring2024.langchain"]
STREAMS = [name for name in CHATS if name != "current.sdk"]  # databricks-sdk has no streams
EMBEDDERS = [*CHATS, "genai_inference.sdk", "genai_inference.genai"]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.hypot(*one) / math.hypot(*other)


# --------------------------------------------------------------------------------------------- the main job


@pytest.mark.parametrize("name", CHATS)
def test_a_question_is_answered(story: Tell, name: str) -> None:
    assert "Paris" in story(name).value("chat")


@pytest.mark.parametrize("name", STREAMS)
def test_line_59_a_stream_is_consumed_and_says_the_same(story: Tell, name: str) -> None:
    pieces = story(name).value("stream")
    assert len(pieces) > 1
    assert "".join(pieces) == story(name).value("chat")


@pytest.mark.parametrize("name", OPENAI)
def test_the_asynchronous_client_reads_the_same_stream(story: Tell, name: str) -> None:
    assert "".join(story(name).value("async_stream")) == story(name).value("chat")


@pytest.mark.parametrize("name", EMBEDDERS)
def test_texts_that_mean_the_same_are_near(story: Tell, name: str) -> None:
    embedded = story(name).value("embed")
    cat, kitten, tax = embedded["vectors"] if isinstance(embedded, dict) else embedded
    assert cosine(cat, kitten) > cosine(cat, tax)


@pytest.mark.parametrize("name", OPENAI)
def test_a_completion_is_written_and_streamed_alike(story: Tell, name: str) -> None:
    completion = story(name).value("completion")
    assert completion.strip()
    assert "".join(story(name).value("completion_stream")) == completion


@pytest.mark.parametrize("name", OPENAI)
def test_usage_comes_at_the_end_of_a_stream_that_asks_for_it(story: Tell, name: str) -> None:
    usage = story(name).value("stream_usage")
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_openai_client_that_databricks_sdk_makes_is_answered(story: Tell) -> None:
    assert "Paris" in story("current.sdk").value("openai_client")


def test_databricks_sdk_reads_a_completion(story: Tell) -> None:
    completion = story("current.sdk").value("completion")
    assert completion["choices"][0]["text"].strip()
    assert completion["usage"]["completion_tokens"] > 0


# --------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("name", [*OPENAI, "current.langchain", "litellm_story.litellm"])
def test_a_wrong_token_raises_authentication_error(story: Tell, name: str) -> None:
    failure = story(name).failure("wrong_token")
    assert "AuthenticationError" in failure.bases
    assert failure.status == 401


@pytest.mark.parametrize("name", [*OPENAI, "current.langchain", "litellm_story.litellm"])
def test_an_unknown_endpoint_raises_not_found_error(story: Tell, name: str) -> None:
    failure = story(name).failure("unknown_endpoint")
    assert "NotFoundError" in failure.bases
    assert failure.status == 404
    assert "no-such-endpoint" in failure.message


@pytest.mark.parametrize("name", OPENAI)
def test_a_chat_with_an_embedding_model_raises_bad_request_error(story: Tell, name: str) -> None:
    failure = story(name).failure("wrong_task")
    assert failure.error == "BadRequestError"
    assert failure.status == 400


@pytest.mark.parametrize(("step", "status"), [("wrong_token", 401), ("unknown_endpoint", 404)])
@pytest.mark.parametrize("name", MLFLOW)
def test_mlflow_raises_http_error_with_the_status(story: Tell, name: str, step: str, status: int) -> None:
    failure = story(name).failure(step)
    assert "HTTPError" in failure.bases
    assert failure.status == status


def test_the_first_chat_databricks_raises_http_error(story: Tell) -> None:
    failure = story("spring2024.langchain").failure("unknown_endpoint")
    assert "HTTPError" in failure.bases
    assert failure.status == 404


@pytest.mark.parametrize(("step", "code"), [("wrong_token", "UNAUTHENTICATED"), ("unknown_endpoint", "DOES_NOT_EXIST")])
def test_genai_inference_raises_its_exception_with_the_body(story: Tell, step: str, code: str) -> None:
    failure = story("genai_inference.genai").failure(step)
    assert failure.error == "FoundationModelAPIException"
    assert code in failure.message


@pytest.mark.parametrize("name", OPENAI)
def test_line_61_a_failure_before_the_first_token_is_an_http_error(story: Tell, name: str) -> None:
    too_long = story(name).failure("too_long_stream")
    assert too_long.error == "BadRequestError"
    assert too_long.status == 400
    assert "8192" in too_long.message
    assert story(name).failure("wrong_token_stream").status == 401


def test_line_61_mlflow_sees_it_as_an_http_error_too(story: Tell) -> None:
    failure = story("current.mlflow").failure("too_long_stream")
    assert "HTTPError" in failure.bases
    assert failure.status == 400


# --------------------------------------------------------------------------------------------- Databricks' clients


@pytest.mark.parametrize("step", ["slash_host", "profile"])
def test_line_05_databricks_sdk_finds_the_server(story: Tell, step: str) -> None:
    assert "openfm-smollm2-135m-instruct" in story("current.sdk").value(step)


@pytest.mark.parametrize("name", ["current.sdk", "genai_inference.sdk"])
def test_line_06_databricks_sdk_raises_for_a_wrong_token(story: Tell, name: str) -> None:
    assert story(name).failure("wrong_token").error in {"Unauthenticated", "PermissionDenied"}


def test_line_06_databricks_sdk_raises_for_a_wrong_token_at_once(story: Tell) -> None:
    assert story("current.sdk").failure("wrong_token_query").error in {"Unauthenticated", "PermissionDenied"}
    assert story("current.sdk").value("retries") == 0


def test_line_07_databricks_sdk_0_19_1_works_with_a_token_alone(story: Tell) -> None:
    sdk = story("genai_inference.sdk")
    assert sdk.value("version") == "0.19.1"
    assert "openfm-smollm2-135m-instruct" in {endpoint["name"] for endpoint in sdk.value("list")}
    assert sdk.value("get")["state"]["ready"] == "READY"
    assert sdk.failure("get_unknown").error in {"NotFound", "ResourceDoesNotExist"}


def test_line_08_databricks_sdk_knows_who_calls_and_where(story: Tell) -> None:
    sdk = story("current.sdk")
    assert sdk.value("me")["userName"]
    assert sdk.value("me")["active"] is True
    assert int(sdk.value("workspace_id")) > 0


@pytest.mark.parametrize("name", [*MLFLOW, "current.sdk", "genai_inference.sdk"])
def test_line_10_every_list_of_endpoints_is_read(story: Tell, name: str) -> None:
    assert {"openfm-smollm2-135m-instruct", "openfm-minilm-l6-v2"} <= {e["name"] for e in story(name).value("list")}


def test_line_12_databricks_sdk_reads_the_whole_endpoint(story: Tell) -> None:
    endpoint = story("current.sdk").value("get")
    assert endpoint["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
    assert endpoint["task"] == "llm/v1/chat"
    assert endpoint["permission_level"] == "CAN_MANAGE"
    assert endpoint["id"]
    assert endpoint["creation_timestamp"] > 1_600_000_000_000
    entity = endpoint["config"]["served_entities"][0]
    route = endpoint["config"]["traffic_config"]["routes"][0]
    assert route["traffic_percentage"] == 100
    assert entity["name"] in {route.get("served_entity_name"), route.get("served_model_name")}
    assert endpoint["config"]["config_version"] == 1


def test_line_12_databricks_sdk_raises_for_an_unknown_endpoint(story: Tell) -> None:
    for step in ("get_unknown", "query_unknown"):
        failure = story("current.sdk").failure(step)
        assert failure.error in {"NotFound", "ResourceDoesNotExist"}
        assert "NotFound" in failure.bases


def test_mlflow_reads_an_endpoints_task(story: Tell) -> None:
    for name in MLFLOW:
        assert story(name).value("get")["task"] == "llm/v1/chat"


def test_line_54_genai_inference_works_by_full_and_by_short_names(story: Tell) -> None:
    genai = story("genai_inference.genai")
    for step in ("chat", "short_name"):
        answer = genai.value(step)
        assert "Paris" in answer["message"]
        assert answer["usage"]["completion_tokens"] > 0
    cat, kitten, tax = genai.value("embed_short_name")
    assert cosine(cat, kitten) > cosine(cat, tax)


def test_line_54_a_chat_session_keeps_its_history(story: Tell) -> None:
    session = story("genai_inference.genai").value("session")
    assert "Paris" in session["first"]
    assert session["count"] == 2
    assert [turn["role"] for turn in session["history"]] == ["system", "user", "assistant", "user", "assistant"]


def test_line_59_genai_inference_consumes_streams(story: Tell) -> None:
    genai = story("genai_inference.genai")
    assert "".join(genai.value("stream")) == genai.value("chat")["message"]
    assert "".join(genai.value("completion_stream")) == genai.value("completion")[0]


# --------------------------------------------------------------------------------------------- embeddings, models


@pytest.mark.parametrize("step", ["embed", "embed_one", "embed_float"])
@pytest.mark.parametrize("name", OPENAI)
def test_line_66_vectors_come_in_order_as_floats_of_length_one(story: Tell, name: str, step: str) -> None:
    embedded = story(name).value(step)
    assert embedded["index"] == list(range(len(embedded["vectors"])))
    for vector in embedded["vectors"]:
        assert len(vector) == 384
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", OPENAI)
def test_line_66_one_text_and_either_encoding_give_the_same_vector(story: Tell, name: str) -> None:
    # Not equal to the last bit: batches of other sizes round differently in int8.
    first = story(name).value("embed")["vectors"][0]
    assert cosine(first, story(name).value("embed_one")["vectors"][0]) > 0.99
    assert cosine(first, story(name).value("embed_float")["vectors"][0]) > 0.9999


def test_line_68_mlflow_embeds_45_texts_in_three_requests(story: Tell) -> None:
    assert story("current.mlflow").value("batches") == [20, 20, 5]


def test_line_68_the_first_databricks_embeddings_returns_45_vectors(story: Tell) -> None:
    vectors = story("spring2024.langchain").value("embed_many")
    assert [len(vector) for vector in vectors] == [384] * 45


@pytest.mark.parametrize("name", OPENAI)
def test_line_69_models_are_the_endpoints(story: Tell, name: str) -> None:
    assert {"openfm-smollm2-135m-instruct", "openfm-minilm-l6-v2"} <= set(story(name).value("models"))
