"""The whole life of an endpoint of one's own, through databricks-sdk alone: from a model's files to deletion."""

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, OperationFailed
from databricks.sdk.service.serving import (
    EndpointCoreConfigInput,
    EndpointTag,
    FallbackConfig,
    PtEndpointCoreConfig,
    PtServedModel,
    RateLimit,
    RateLimitRenewalPeriod,
    Route,
    ServedEntityInput,
    ServedModelInput,
    TrafficConfig,
)
from story import TEXTS, attempt, tell, with_host

MODEL = "main.story.minilm"
NAME = "story"
FILES = Path(os.environ["OPENFM_TEST_MODELS"]) / "minilm-l6-v2"
FILE_NAMES = ("model.onnx", "tokenizer.json")
REQUESTS = 1000


def register(w):
    """A new version of the model; its number."""
    made = w.api_client.do(
        "POST",
        "/api/2.1/unity-catalog/models/versions",
        body={"catalog_name": "main", "schema_name": "story", "model_name": "minilm", "source": str(FILES)},
    )
    for name in FILE_NAMES:
        with (FILES / name).open("rb") as file:
            w.files.upload(f"/Models/main/story/minilm/{made['version']}/{name}", file, overwrite=True)
    w.api_client.do("PATCH", f"/api/2.1/unity-catalog/models/{MODEL}/versions/{made['version']}/finalize", body={})
    return str(made["version"])


def entity(version, **settings):
    return ServedEntityInput(name=f"v{version}", entity_name=MODEL, entity_version=version, **settings)


def routes(**shares):
    shared = [Route(served_model_name=name, traffic_percentage=share) for name, share in shares.items()]
    return TrafficConfig(routes=shared)


def config(name, *entities):
    return EndpointCoreConfigInput(name=name, served_entities=list(entities))


def shown(endpoint):
    """What the tests look at."""
    routes_now = endpoint.config.traffic_config.routes
    return {
        "state": endpoint.state.as_dict(),
        "version": endpoint.config.config_version,
        "entities": [served.name for served in endpoint.config.served_entities],
        "routes": {route.served_entity_name: route.traffic_percentage for route in routes_now},
        "round_trip": type(endpoint).from_dict(endpoint.as_dict()).as_dict() == endpoint.as_dict(),
    }


def optimization(w, name, version):
    return w.api_client.do("GET", f"/api/2.0/serving-endpoints/get-model-optimization-info/{name}/{version}")


def split(w, count):
    """Which entity answered how many of `count` requests."""
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: w.serving_endpoints.query(NAME, input=TEXTS[:1]), range(count))
    return Counter(answer.served_model_name for answer in answers)


def refusals(w, endpoints):
    """Bodies that must not go through, each with what it is refused for."""
    first = entity("1")
    many = [ServedEntityInput(name=f"n{n}", entity_name=MODEL, entity_version="1") for n in range(16)]
    cases = {
        "taken_name": lambda: endpoints.create(NAME, config=config(NAME, first)),
        "reserved_name": lambda: endpoints.create("databricks-x", config=config("x", first)),
        "long_name": lambda: endpoints.create("x" * 64, config=config("x", first)),
        "sql_in_name": lambda: endpoints.create("x'; DROP TABLE--", config=config("x", first)),
        "unknown_model": lambda: endpoints.update_config(
            NAME, served_entities=[ServedEntityInput(entity_name="main.story.none", entity_version="1")]
        ),
        "unknown_version": lambda: endpoints.update_config(NAME, served_entities=[entity("77")]),
        "traffic": lambda: endpoints.update_config(NAME, served_entities=[first], traffic_config=routes(v1=99)),
        "too_many": lambda: endpoints.update_config(NAME, served_entities=many),
        "two_tasks": lambda: endpoints.update_config(
            NAME,
            served_entities=[
                first,
                ServedEntityInput(name="chat", entity_name="system.ai.smollm2_135m_instruct", entity_version="1"),
            ],
            traffic_config=routes(v1=50, chat=50),
        ),
        "no_multiple": lambda: endpoints.update_config(
            NAME, served_entities=[entity("1", min_provisioned_throughput=0, max_provisioned_throughput=7)]
        ),
        "min_over_max": lambda: endpoints.update_config(
            NAME, served_entities=[entity("1", min_provisioned_throughput=1000, max_provisioned_throughput=500)]
        ),
        "negative": lambda: endpoints.update_config(NAME, served_entities=[entity("1", max_provisioned_throughput=-1)]),
        "served_model_deleted": lambda: w.model_versions.delete(MODEL, 1),
    }
    before = endpoints.get(NAME).as_dict()
    steps = {name: attempt(case, DatabricksError) for name, case in cases.items()}
    steps["unchanged"] = {"value": endpoints.get(NAME).as_dict() == before}
    return steps


def details(endpoints):
    """Tags, limits, gateway, logs, metrics."""
    limit = RateLimit(calls=9, renewal_period=RateLimitRenewalPeriod.MINUTE)
    tags = [EndpointTag(key="team", value="nlp"), EndpointTag(key="x")]
    fallback = FallbackConfig(enabled=True)
    return {
        "limits": attempt(lambda: endpoints.put(NAME, rate_limits=[limit]).as_dict()),
        "no_limits": attempt(lambda: endpoints.put(NAME, rate_limits=[]).as_dict()),
        "tags": attempt(lambda: endpoints.patch(NAME, add_tags=tags).as_dict()),
        "fewer_tags": attempt(lambda: endpoints.patch(NAME, delete_tags=["x"]).as_dict()),
        "gateway": attempt(lambda: endpoints.put_ai_gateway(NAME, fallback_config=fallback).as_dict()),
        "logs": attempt(lambda: endpoints.logs(NAME, "v1").logs),
        "build_logs": attempt(lambda: endpoints.build_logs(NAME, "v1").logs),
        "metrics": attempt(lambda: endpoints.export_metrics(NAME).contents.read().decode()),
    }


def throughput(w, endpoints):
    """The guide to provisioned throughput: twice to three times the chunk."""
    chunk = optimization(w, MODEL, "1")["throughput_chunk_size"]
    by_rate = entity("1", min_provisioned_throughput=2 * chunk, max_provisioned_throughput=3 * chunk)
    ready = endpoints.create_and_wait("story-pt", config=config("story-pt", by_rate))
    endpoints.delete("story-pt")
    return {"state": ready.state.as_dict(), "entity": ready.config.served_entities[0].as_dict()}


def units(endpoints):
    """The same in model units, by the routes of their own."""

    def bought(model_units, **settings):
        model = PtServedModel(MODEL, model_units, entity_version="1", **settings)
        return PtEndpointCoreConfig(served_entities=[model])

    made = endpoints.create_provisioned_throughput_endpoint_and_wait("story-units", bought(2))
    changed = endpoints.update_provisioned_throughput_endpoint_config_and_wait(
        "story-units", bought(1, burst_scaling_enabled=False)
    )
    answer = endpoints.query("story-units", input=["a cat"])
    endpoints.delete("story-units")
    return {
        "state": made.state.as_dict(),
        "made": made.config.served_entities[0].as_dict(),
        "changed": changed.config.served_entities[0].as_dict(),
        "answers": len(answer.data),
    }


def main():
    where = with_host()
    w = WorkspaceClient(host=where.host, token=where.token)
    endpoints = w.serving_endpoints
    w.registered_models.create(catalog_name="main", schema_name="story", name="minilm")
    register(w), register(w)
    first = config(NAME, entity("1"))
    failures = (OperationFailed, DatabricksError)
    steps = {
        "optimization": attempt(lambda: optimization(w, MODEL, "1"), DatabricksError),
        "no_optimization": attempt(lambda: optimization(w, MODEL, "9"), DatabricksError),
        "create": attempt(lambda: shown(endpoints.create_and_wait(NAME, config=first)), *failures),
        "query": attempt(lambda: len(endpoints.query(NAME, input=TEXTS).data), DatabricksError),
    }
    steps |= refusals(w, endpoints) | details(endpoints)
    steps["half"] = attempt(
        lambda: shown(
            endpoints.update_config_and_wait(
                NAME, served_entities=[entity("1"), entity("2")], traffic_config=routes(v1=50, v2=50)
            )
        ),
        OperationFailed,
        DatabricksError,
    )
    began = time.monotonic()
    steps["split"] = attempt(lambda: split(w, REQUESTS), DatabricksError)
    steps["split_s"] = {"value": time.monotonic() - began}
    legacy = ServedModelInput(
        name="v2", model_name=MODEL, model_version="2", scale_to_zero_enabled=False, workload_size="Small"
    )
    steps["whole"] = attempt(
        lambda: shown(endpoints.update_config_and_wait(NAME, served_models=[legacy])), OperationFailed, DatabricksError
    )
    steps["after"] = attempt(lambda: split(w, 20), DatabricksError)
    steps["throughput"] = attempt(lambda: throughput(w, endpoints), OperationFailed, DatabricksError)
    steps["units"] = attempt(lambda: units(endpoints), OperationFailed, DatabricksError)
    steps["delete"] = attempt(lambda: endpoints.delete(NAME), DatabricksError)
    steps["gone"] = attempt(lambda: endpoints.get(NAME), DatabricksError)
    tell({"sdk": steps})


main()
