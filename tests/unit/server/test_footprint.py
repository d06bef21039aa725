"""What a replica takes, known before its files are brought."""

from dataclasses import replace

import pytest

from openfm.catalog.catalog import load_catalog
from openfm.control.endpoints.models import KnownModels
from openfm.control.registry.models import ServableVersion
from openfm.core.model import ModelProfile, Task
from openfm.core.principal import Principal
from openfm.core.registry import BASE_TAG, QUANTIZATION_TAG
from openfm.scheduling.work import Throughput
from openfm.server.footprint import Footprints
from openfm.weights.facts import ModelFacts, ModelFormat

_CATALOG = load_catalog()
_CHAT, _EMBEDDING = "system.ai.smollm2_135m_instruct", "system.ai.minilm_l6_v2"
_FACTS = ModelFacts(ModelFormat.HUGGING_FACE, "LlamaForCausalLM", "llama", Task.CHAT, 1000, 10**6, 4 * 10**6, 1024)
_ADAPTER = replace(_FACTS, adapter_of="base", parameters=1000, weight_bytes=4000, kv_bytes_per_token=0)


class Shelf:
    """A registry with the catalogue's models and three of its own: `base`, `small` (quantised), and an `adapter`."""

    def __init__(self) -> None:
        self._facts = {"base": _FACTS, "small": _FACTS, "gguf": replace(_FACTS, format=ModelFormat.GGUF)}

    def find(self, entity_name: str, entity_version: str | int, caller: Principal) -> ServableVersion:
        del caller
        if entity_name.startswith("system."):
            profile, facts, digest = _CATALOG.find(entity_name).profile, {}, None
        else:
            profile = ModelProfile(entity_name, "m", "m", "", "", Task.CHAT, 1000)
            facts, digest = self._facts.get(entity_name, _ADAPTER).to_json(), "digest"
        tags = {"small": {QUANTIZATION_TAG: "q8_0"}, "adapter": {BASE_TAG: "base/1"}}.get(entity_name, {})
        number = str(entity_version)
        return ServableVersion(frozenset({entity_name}), entity_name, number, profile, facts, digest, {}, tags)

    def throughput(self, version: ServableVersion) -> Throughput:
        raise NotImplementedError

    def digests(self) -> frozenset[str]:
        raise NotImplementedError

    def are_registered(self, version_ids: frozenset[str]) -> bool:
        raise NotImplementedError


@pytest.fixture
def footprints() -> Footprints:
    return Footprints(_CATALOG, KnownModels(Shelf(), None), engine_slots=4)


def test_the_catalogue_says_what_its_models_take(footprints: Footprints) -> None:
    model, found = _CATALOG.find(_CHAT), footprints.of(_CHAT, "1")
    assert found.weight_bytes == model.size_bytes
    assert found.kv_cache_bytes == 4 * (model.memory_bytes - model.size_bytes)


def test_embeddings_keep_nothing_between_tokens(footprints: Footprints) -> None:
    assert footprints.of(_EMBEDDING, "1").kv_cache_bytes == 0


@pytest.mark.parametrize(("name", "weights"), [("base", 2 * 10**6), ("small", 1_062_500), ("gguf", 4 * 10**6)])
def test_weights_count_as_what_they_are_converted_to(footprints: Footprints, name: str, weights: int) -> None:
    assert footprints.of(name, "1").weight_bytes == weights
    assert footprints.of(name, "1").kv_cache_bytes == 4 * 1000 * 1024


def test_an_adapter_takes_its_base_as_well(footprints: Footprints) -> None:
    assert footprints.of("adapter", "1").weight_bytes == 2 * 10**6 + 4000
    assert footprints.of("adapter", "1").kv_cache_bytes == 4 * 1000 * 1024
