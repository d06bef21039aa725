import socket
from urllib.parse import urlsplit

from benchmarks.control_plane import SilentProvider, creation, external_endpoint, measure_reconciler, token_checks_per_s
from openfm.control.endpoints.inputs import EndpointInput


def test_each_endpoint_has_a_name_and_a_body_that_the_api_takes() -> None:
    asked = EndpointInput.model_validate(creation(7, "http://127.0.0.1:1/v1"))
    assert asked.name == external_endpoint(7, "http://127.0.0.1:1/v1").name == "bench-0007"


def test_the_silent_provider_counts_who_comes() -> None:
    provider = SilentProvider()
    parts = urlsplit(provider.url)
    assert provider.calls() == 0
    socket.create_connection((parts.hostname, parts.port)).close()
    assert (provider.calls(), provider.calls()) == (1, 0)
    provider.close()


async def test_replicas_of_external_models_become_ready_and_steps_are_timed() -> None:
    figures = await measure_reconciler("http://127.0.0.1:1/v1", 3, 2)
    assert 0 < figures["step_p50_ms"] <= figures["step_p99_ms"]


def test_tokens_are_checked_at_some_rate() -> None:
    assert token_checks_per_s(0.01) > 0
