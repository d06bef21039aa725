"""The model registry judged by MLflow's own registry client and by databricks-sdk, unmodified."""

import pytest

from tests.clients.conftest import Tell

pytestmark = pytest.mark.clients


@pytest.fixture(params=["registry_story", pytest.param("registry_big", marks=pytest.mark.slow)])
def mlflow_name(request: pytest.FixtureRequest) -> str:
    return f"{request.param}.mlflow"


def test_line_84_a_folder_is_registered_and_the_second_time_is_version_2(story: Tell, mlflow_name: str) -> None:
    mlflow = story(mlflow_name)
    assert mlflow.value("register") == "1"
    assert mlflow.value("register_again") == "2"
    assert mlflow.value("get")["status"] == "READY"


def test_line_85_and_86_a_big_folder_comes_back_by_its_alias_byte_by_byte(story: Tell, mlflow_name: str) -> None:
    mlflow = story(mlflow_name)
    assert mlflow.value("received") == mlflow.value("sent")
    assert len(mlflow.value("sent")) == 4


def test_line_86_aliases_tags_and_searches(story: Tell) -> None:
    mlflow = story("registry_story.mlflow")
    facts = {
        "version": "1",
        "status": "READY",
        "aliases": ["champion"],
        "tags": {"purpose": "test"},
        "description": "the first",
    }
    assert mlflow.value("get") == facts
    assert mlflow.value("by_alias") == facts
    assert mlflow.value("model") == {"team": "nlp"}
    assert mlflow.value("search") == ["2", "1"]
    assert {"main.default.folder", "system.ai.minilm_l6_v2"} <= set(mlflow.value("search_models"))
    assert mlflow.value("one_a_page") == mlflow.value("search_models")
    mlflow.value("untag")
    mlflow.value("unalias")
    assert "RESOURCE_DOES_NOT_EXIST" in mlflow.failure("alias_gone").message


def test_mlflow_renames_and_deletes(story: Tell) -> None:
    mlflow = story("registry_story.mlflow")
    for step in ("rename", "delete_version", "delete"):
        mlflow.value(step)
    for step in ("unknown", "gone"):
        assert "RESOURCE_DOES_NOT_EXIST" in mlflow.failure(step).message


def test_databricks_sdk_makes_models_and_finds_them(story: Tell) -> None:
    sdk = story("registry_story.sdk")
    made = sdk.value("create")
    assert (made["full_name"], made["comment"], made["owner"]) == ("main.default.by_sdk", "c", "admin")
    assert sdk.failure("create_again").error == "ResourceAlreadyExists"
    assert sdk.failure("bad_name").error == "InvalidParameterValue"
    assert "main.default.by_sdk" in sdk.value("models")
    assert {"main.default.by_sdk", "system.ai.smollm2_135m_instruct"} <= set(sdk.value("all"))


def test_sql_in_a_name_is_a_name(story: Tell) -> None:
    sdk = story("registry_story.sdk")
    assert sdk.value("sql") == "main.default.x';drop"
    assert sdk.value("sql") in sdk.value("models")


def test_databricks_sdk_moves_files(story: Tell) -> None:
    sdk = story("registry_story.sdk")
    sdk.value("upload")
    assert sdk.value("download") is True
    assert sdk.value("metadata") > 0
    assert [(entry["name"], entry["is_directory"]) for entry in sdk.value("list")] == [("a", True)]
    assert sdk.failure("upload_again").error == "ResourceAlreadyExists"
    assert "NotFound" in sdk.failure("escape").bases


def test_a_final_version_takes_no_more_files(story: Tell) -> None:
    sdk = story("registry_story.sdk")
    assert sdk.value("create_version")["status"] == "PENDING_REGISTRATION"
    assert sdk.value("finalize") == "READY"
    assert sdk.failure("upload_after").error == "ResourceConflict"


def test_databricks_sdk_sets_aliases_and_comments(story: Tell) -> None:
    sdk = story("registry_story.sdk")
    assert sdk.value("alias")["version_num"] == 1
    assert sdk.failure("bad_alias").error == "InvalidParameterValue"
    assert sdk.value("by_alias") == sdk.value("get")
    assert sdk.value("get")["status"] == "READY"
    assert sdk.value("update") == "new"
    assert sdk.value("versions") == [1]


def test_databricks_sdk_renames_and_deletes(story: Tell) -> None:
    sdk = story("registry_story.sdk")
    assert sdk.value("rename") == "main.default.renamed"
    assert [alias["alias_name"] for alias in sdk.value("get_renamed")] == ["champion"]
    for step in ("delete_alias", "delete_version", "delete", "delete_sql"):
        sdk.value(step)
    assert "NotFound" in sdk.failure("gone").bases


def test_catalogs_and_schemas_are_there_as_long_as_models_are_in_them(story: Tell) -> None:
    sdk = story("registry_story.sdk")
    assert {"main", "system"} <= set(sdk.value("catalogs"))
    assert sdk.value("schemas") == ["system.ai"]


def test_the_platforms_models_are_there_and_stay(story: Tell) -> None:
    assert story("registry_story.sdk").failure("system").error == "PermissionDenied"


def test_line_32_optimization_info_of_a_foundation_model(story: Tell) -> None:
    info = story("registry_story.sdk").value("optimization")
    assert info["optimizable"] is True
    assert info["model_type"] == "smollm2"
    assert info["throughput_chunk_size"] > 0
