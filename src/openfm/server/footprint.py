"""How much memory a replica takes: by its files where they are here, by what is known of the model before."""

from dataclasses import dataclass

from openfm.catalog.catalog import Catalog, CatalogModel
from openfm.control.endpoints.models import KnownModels
from openfm.control.registry.models import ServableVersion
from openfm.core.model import Task
from openfm.core.registry import QUANTIZATION_TAG
from openfm.weights.facts import ModelFacts
from openfm.weights.preparation import expected_bytes

_OVERHEAD_BYTES = 128 << 20
_EMBEDDING_SLOTS = 32


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one replica takes, in bytes: its weights, and one sequence's KV cache for each of its `slots`."""

    weight_bytes: int
    sequence_bytes: int
    slots: int

    @property
    def kv_cache_bytes(self) -> int:
        """Of all sequences together."""
        return self.slots * self.sequence_bytes

    @property
    def overhead_bytes(self) -> int:
        """The engine's process and its scratch space."""
        return _OVERHEAD_BYTES

    @property
    def memory_bytes(self) -> int:
        """All of it."""
        return self.weight_bytes + self.kv_cache_bytes + self.overhead_bytes


def slots_of(task: Task, engine_slots: int) -> int:
    """Sequences at once: embeddings keep nothing between tokens, so many of them run side by side."""
    return _EMBEDDING_SLOTS if task is Task.EMBEDDINGS else engine_slots


def sequence_bytes(model: CatalogModel) -> int:
    """The catalogue's memory is weights and one sequence at full context; embeddings keep nothing between tokens."""
    if model.profile.task is Task.EMBEDDINGS:
        return 0
    return max(0, model.memory_bytes - model.size_bytes)


class Footprints:
    """Knows what a version will take before its files are brought. `engine_slots` are those of one chat engine."""

    def __init__(self, catalog: Catalog, models: KnownModels, engine_slots: int) -> None:
        self._catalog = catalog
        self._models = models
        self._engine_slots = engine_slots

    def of(self, entity_name: str, entity_version: str) -> Footprint:
        """One replica's. Raises `NotFound`; blocks where nobody asked for the version before."""
        version = self._models.version(entity_name, entity_version)
        slots = slots_of(version.profile.task, self._engine_slots)
        if version.digest is None:
            model = self._catalog.find(entity_name)
            return Footprint(model.size_bytes, sequence_bytes(model), slots)
        facts, weights = ModelFacts.from_json(version.facts), _weight_bytes(version)
        base = self._models.known_base(entity_name, entity_version)
        if base is not None:
            facts, weights = ModelFacts.from_json(base.facts), weights + _weight_bytes(base)
        return Footprint(weights, version.profile.context_length * facts.kv_bytes_per_token, slots)


def _weight_bytes(version: ServableVersion) -> int:
    return expected_bytes(ModelFacts.from_json(version.facts), version.tags.get(QUANTIZATION_TAG, "f16"))
