"""Which served entities of provisioned endpoints are READY now: what is billed by the hour."""

from collections.abc import Mapping

from openfm.core.endpoint import EntitySettings, ServedEntity
from openfm.core.unit_hours import Provisioned
from openfm.fleet.replica import ReplicaState
from openfm.server.engine_room import EngineRoom
from openfm.server.state import State


class ReadyProvisioned:
    """Asked each second."""

    def __init__(self, state: State, room: EngineRoom) -> None:
        self._state = state
        self._room = room

    def __call__(self) -> Mapping[str, Provisioned]:
        """By deployment id; an entity with several replicas counts once."""
        found = {}
        for endpoint in self._state.directory.endpoints:
            for entity in endpoint.wanted_entities:
                if entity.settings.is_provisioned and self._is_ready(entity.deployment_id):
                    units, throughput = self._bought(entity, entity.settings)
                    found[entity.deployment_id] = Provisioned(
                        deployment_id=entity.deployment_id,
                        units=units,
                        endpoint_id=endpoint.id,
                        endpoint_name=endpoint.name,
                        creator=endpoint.creator,
                        entity_name=entity.entity_name,
                        tags=tuple(endpoint.details.tags.items()),
                        throughput=throughput,
                    )
        return found

    def _is_ready(self, deployment_id: str) -> bool:
        replicas = self._room.reconciler.replicas(deployment_id)
        return any(replica.status.state is ReplicaState.READY for replica in replicas)

    def _bought(self, entity: ServedEntity, settings: EntitySettings) -> tuple[int, int]:
        """Model units, and tokens/s: the one that was not asked for by the model's chunk."""
        chunk = self._state.models.throughput(entity.entity_name, entity.entity_version).chunk
        if settings.provisioned_model_units is not None:
            return settings.provisioned_model_units, settings.provisioned_model_units * chunk
        throughput = settings.max_provisioned_throughput or 0
        return max(1, throughput // chunk), throughput
