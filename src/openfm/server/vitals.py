"""What an endpoint's engines use of the machine, beside what its requests did: the metrics export of one endpoint."""

from collections.abc import Callable, Sequence

from openfm.control.endpoints.ports import Sample
from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.fleet.replica import Replica
from openfm.server.history import History
from openfm.server.processes import Processes
from openfm.telemetry.endpoint_metrics import EndpointCounters, Vitals


class EndpointVitals:
    """Fulfils `control.endpoints.ports.EndpointMetrics`. `replicas` gives those of a deployment."""

    def __init__(
        self, counters: EndpointCounters, replicas: Callable[[str], Sequence[Replica]], history: History
    ) -> None:
        self._counters = counters
        self._replicas = replicas
        self._history = history
        self._processes = Processes()

    async def run(self) -> None:
        """Remember how they are, for ever."""
        await self._history.run()

    def exposition(self, endpoint: ServingEndpoint) -> bytes:
        """See the port."""
        self._processes.forget_ended()
        return self._counters.exposition(
            {
                (endpoint.name, entity.name, entity.entity_version): self._vitals(entity)
                for entity in endpoint.shown_entities
            }
        )

    def samples(self, endpoint: ServingEndpoint, most: int) -> dict[str, Sequence[Sample]]:
        """See the port."""
        return {entity.name: self._history.of(endpoint.name, entity.name, most) for entity in endpoint.shown_entities}

    def forget(self, name: str) -> None:
        """See the port."""
        self._counters.forget(name)
        self._history.forget(name)

    def _vitals(self, entity: ServedEntity) -> Vitals:
        replicas = self._replicas(entity.deployment_id)
        use = self._processes.use(replica.pid for replica in replicas if replica.pid is not None)
        return Vitals(use.cpu_percent, use.memory_percent, sum(replica.slots for replica in replicas))
