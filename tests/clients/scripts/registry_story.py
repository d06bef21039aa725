"""The registry through today's clients: MLflow with `databricks-uc`, and databricks-sdk."""

import hashlib
from pathlib import Path

import mlflow
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from requests import HTTPError
from story import HOST, TOKEN, attempt, tell, with_host

MIB = 1 << 20
SDK_NAME = "main.default.by_sdk"
MLMODEL = """artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.pyfunc.model
    python_version: 3.11.0
mlflow_version: 3.0.0
model_uuid: 0123456789abcdef0123456789abcdef
signature:
  inputs: '[{"type": "string", "name": "prompt", "required": true}]'
  outputs: '[{"type": "string", "required": true}]'
  params: null
utc_time_created: '2026-01-01 00:00:00.000000'
"""


def make_folder(big_mib):
    """An MLflow model with one big file and small ones around it; MLflow's skinny build cannot log one."""
    folder = Path(f"model-{big_mib}")
    (folder / "artifacts" / "deep").mkdir(parents=True)
    (folder / "MLmodel").write_text(MLMODEL)
    (folder / "artifacts" / "ü and space.txt").write_text("text")
    (folder / "artifacts" / "deep" / "empty").write_bytes(b"")
    with (folder / "artifacts" / "weights.bin").open("wb") as file:
        for number in range(big_mib):
            file.write(hashlib.sha256(str(number).encode()).digest() * (MIB // 32))
    return folder


def digests(folder):
    """Every file's SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != "registered_model_meta"  # MLflow's own note about the download
    }


def version_facts(version):
    """What the tests look at."""
    return {
        "version": version.version,
        "status": str(version.status),
        "aliases": list(version.aliases),
        "tags": dict(version.tags),
        "description": version.description,
    }


def mlflow_steps(name, big_mib):
    """Register, alias, tag, search, download, delete."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    client, renamed = MlflowClient(), name + "2"
    folder = make_folder(big_mib)
    errors = (MlflowException, HTTPError)
    source = str(folder.resolve())
    steps = {"sent": {"value": digests(folder)}}
    steps["register"] = attempt(lambda: mlflow.register_model(source, name).version, *errors)
    steps["alias"] = attempt(lambda: client.set_registered_model_alias(name, "champion", 1), *errors)
    steps["received"] = attempt(
        lambda: digests(mlflow.artifacts.download_artifacts(f"models:/{name}@champion", dst_path="downloaded")), *errors
    )
    small = make_folder(1)
    steps["register_again"] = attempt(
        lambda: mlflow.register_model(str(small.resolve()), name, tags={"a": "b"}).version, *errors
    )
    steps["tag"] = attempt(lambda: client.set_model_version_tag(name, 1, "purpose", "test"), *errors)
    steps["tag_model"] = attempt(lambda: client.set_registered_model_tag(name, "team", "nlp"), *errors)
    steps["describe"] = attempt(lambda: client.update_model_version(name, 1, "the first").description, *errors)
    steps["get"] = attempt(lambda: version_facts(client.get_model_version(name, 1)), *errors)
    steps["by_alias"] = attempt(lambda: version_facts(client.get_model_version_by_alias(name, "champion")), *errors)
    steps["model"] = attempt(lambda: dict(client.get_registered_model(name).tags), *errors)
    steps["search"] = attempt(lambda: [v.version for v in client.search_model_versions(f"name='{name}'")], *errors)
    steps["search_models"] = attempt(lambda: [m.name for m in client.search_registered_models()], *errors)
    steps["one_a_page"] = attempt(lambda: pages(client), *errors)
    steps["untag"] = attempt(lambda: client.delete_model_version_tag(name, "1", "purpose"), *errors)
    steps["unalias"] = attempt(lambda: client.delete_registered_model_alias(name, "champion"), *errors)
    steps["alias_gone"] = attempt(lambda: client.get_model_version_by_alias(name, "champion"), *errors)
    steps["unknown"] = attempt(lambda: client.get_model_version("main.default.nothing", 1), *errors)
    steps["rename"] = attempt(lambda: client.rename_registered_model(name, renamed), *errors)
    steps["delete_version"] = attempt(lambda: client.delete_model_version(renamed, "2"), *errors)
    steps["delete"] = attempt(lambda: client.delete_registered_model(renamed), *errors)
    steps["gone"] = attempt(lambda: client.get_registered_model(renamed).name, *errors)
    return steps


def pages(client):
    """The names of the models, one a page."""
    names, token = [], None
    while True:
        page = client.search_registered_models(max_results=1, page_token=token)
        names += [model.name for model in page]
        token = page.token
        if not token:
            return names


def upload(workspace, path, **options):
    """Send this script."""
    with Path(__file__).open("rb") as file:
        workspace.files.upload(path, file, **options)


def sdk_steps():
    """The same life through Unity Catalog's routes."""
    workspace = WorkspaceClient(host=HOST, token=TOKEN)
    models, versions, error = workspace.registered_models, workspace.model_versions, DatabricksError
    parts = {"catalog_name": "main", "schema_name": "default"}
    steps = {"create": attempt(lambda: models.create(name="by_sdk", comment="c", **parts).as_dict(), error)}
    steps["create_again"] = attempt(lambda: models.create(name="by_sdk", **parts), error)
    steps["bad_name"] = attempt(lambda: models.create(name="by sdk", **parts), error)
    steps["sql"] = attempt(lambda: models.create(name="x';drop", **parts).full_name, error)
    body = {"model_name": "by_sdk", "source": "here", "comment": "v", **parts}
    api = workspace.api_client
    steps["create_version"] = attempt(
        lambda: api.do("POST", "/api/2.1/unity-catalog/models/versions", body=body), error
    )
    folder = f"/Models/main/default/by_sdk/{1}"
    steps["upload"] = attempt(lambda: upload(workspace, f"{folder}/a/b.txt"), error)
    steps["upload_again"] = attempt(lambda: upload(workspace, f"{folder}/a/b.txt", overwrite=False), error)
    steps["download"] = attempt(
        lambda: workspace.files.download(f"{folder}/a/b.txt").contents.read() == Path(__file__).read_bytes(), error
    )
    steps["metadata"] = attempt(lambda: workspace.files.get_metadata(f"{folder}/a/b.txt").content_length, error)
    steps["list"] = attempt(lambda: [e.as_dict() for e in workspace.files.list_directory_contents(folder)], error)
    steps["escape"] = attempt(lambda: workspace.files.get_metadata(f"{folder}/..%2f..%2fadmin-token"), error)
    steps["finalize"] = attempt(
        lambda: api.do("PATCH", f"/api/2.1/unity-catalog/models/{SDK_NAME}/versions/1/finalize")["status"], error
    )
    steps["upload_after"] = attempt(lambda: upload(workspace, f"{folder}/c"), error)
    steps["alias"] = attempt(lambda: models.set_alias(SDK_NAME, "champion", 1).as_dict(), error)
    steps["bad_alias"] = attempt(lambda: models.set_alias(SDK_NAME, "v1", 1), error)
    steps["by_alias"] = attempt(lambda: versions.get_by_alias(SDK_NAME, "champion").as_dict(), error)
    steps["get"] = attempt(lambda: versions.get(SDK_NAME, 1).as_dict(), error)
    steps["update"] = attempt(lambda: versions.update(SDK_NAME, 1, comment="new").comment, error)
    steps["versions"] = attempt(lambda: [v.version for v in versions.list(SDK_NAME)], error)
    steps["models"] = attempt(lambda: [m.full_name for m in models.list(**parts)], error)
    steps["all"] = attempt(lambda: [m.full_name for m in models.list(max_results=1)], error)
    steps["catalogs"] = attempt(lambda: [c.name for c in workspace.catalogs.list()], error)
    steps["schemas"] = attempt(lambda: [s.full_name for s in workspace.schemas.list("system")], error)
    steps["system"] = attempt(lambda: models.delete("system.ai.minilm_l6_v2"), error)
    steps["rename"] = attempt(lambda: models.update(SDK_NAME, new_name="renamed").full_name, error)
    steps["get_renamed"] = attempt(lambda: models.get("main.default.renamed").as_dict()["aliases"], error)
    steps["delete_alias"] = attempt(lambda: models.delete_alias("main.default.renamed", "champion"), error)
    steps["delete_version"] = attempt(lambda: versions.delete("main.default.renamed", 1), error)
    steps["delete"] = attempt(lambda: models.delete("main.default.renamed"), error)
    steps["delete_sql"] = attempt(lambda: models.delete("main.default.x';drop"), error)
    steps["gone"] = attempt(lambda: models.get("main.default.renamed"), error)
    steps["optimization"] = attempt(
        lambda: api.do(
            "GET", "/api/2.0/serving-endpoints/get-model-optimization-info/system.ai.smollm2_135m_instruct/1"
        ),
        error,
    )
    return steps


if __name__ == "__main__":
    with_host()
    tell({"mlflow": mlflow_steps("main.default.folder", 60), "sdk": sdk_steps()})
