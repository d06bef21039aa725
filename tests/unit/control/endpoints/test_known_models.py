from dataclasses import dataclass, field

import pytest

from openfm.control.endpoints.models import KnownModels
from openfm.control.registry.models import ServableVersion
from openfm.core.errors import InvalidParameterValue, PermissionDenied
from openfm.core.principal import Principal
from openfm.scheduling.work import PROVISIONAL_WEIGHTS, Throughput
from tests.unit.control.endpoints.fakes import ANN, profile

BOB = Principal("8", "bob@example.org")


@dataclass
class FakeRegistry:
    """Two models of Bob's and an adapter of Ann's; everybody may execute the adapter."""

    base: str = "main.bob.base/1"
    asked: list[tuple[str, str]] = field(default_factory=list)

    def find(self, entity_name: str, entity_version: str | int, caller: Principal) -> ServableVersion:
        self.asked.append((entity_name, caller.name))
        if ".bob." in entity_name and caller == ANN:
            raise PermissionDenied(f"You have no EXECUTE on {entity_name}.")
        is_adapter = entity_name == "main.ann.adapter"
        facts = {"parameters": 1000, "adapter_of": "base" if is_adapter else None}
        tags = {"openfm.base": self.base} if is_adapter and self.base else {}
        return ServableVersion(
            frozenset({entity_name}), entity_name, str(entity_version), profile(entity_name), facts, "d", {}, tags
        )

    def throughput(self, version: ServableVersion) -> Throughput:
        return Throughput(PROVISIONAL_WEIGHTS, float(version.facts["parameters"]))

    def digests(self) -> frozenset[str]:
        return frozenset()

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        del version_ids
        return True


def test_whoever_serves_an_adapter_needs_its_base_too() -> None:
    models = KnownModels(FakeRegistry(), None)
    with pytest.raises(PermissionDenied, match=r"main\.bob\.base"):
        models.servable("main.ann.adapter", "1", ANN)
    adapter = models.servable("main.ann.adapter", "1", BOB)
    assert adapter.profile.context_length == 1000
    assert adapter.version_ids == {"main.ann.adapter", "main.bob.base"}


def test_an_adapter_without_a_base_says_what_to_do() -> None:
    with pytest.raises(InvalidParameterValue, match=r"openfm\.base"):
        KnownModels(FakeRegistry(base=""), None).servable("main.ann.adapter", "1", BOB)


def test_the_longest_context_is_a_cap() -> None:
    assert KnownModels(FakeRegistry(), 100).servable("main.ann.m", "1", ANN).profile.context_length == 100
    assert KnownModels(FakeRegistry(), 10_000).servable("main.ann.m", "1", ANN).profile.context_length == 1000


def test_asking_again_to_serve_a_model_asks_the_registry_again() -> None:
    """Rights and even files may have changed; only endpoints that serve it already go by what is remembered."""
    registry = FakeRegistry()
    models = KnownModels(registry, None)
    models.servable("main.ann.m", "1", ANN)
    models.served("main.ann.m", "1")
    models.servable("main.ann.m", "1", BOB)
    assert registry.asked == [("main.ann.m", ANN.name), ("main.ann.m", BOB.name)]
