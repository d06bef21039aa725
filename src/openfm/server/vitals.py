"""What an endpoint's engines use of the machine, beside what its requests did: the metrics export of one endpoint."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from openfm.core.endpoint import ServedEntity, ServingEndpoint
from openfm.fleet.replica import Replica
from openfm.telemetry.endpoint_metrics import EndpointCounters, Vitals


class EndpointVitals:
    """Fulfils `control.endpoints.ports.EndpointMetrics`. `replicas` gives those of a deployment."""

    def __init__(self, counters: EndpointCounters, replicas: Callable[[str], Sequence[Replica]]) -> None:
        self._counters = counters
        self._replicas = replicas
        self._processes: dict[int, psutil.Process] = {}

    def exposition(self, endpoint: ServingEndpoint) -> bytes:
        """See the port."""
        self._forget_ended()
        shown = endpoint.config or endpoint.pending_config
        entities = shown.served_entities if shown else ()
        return self._counters.exposition(
            {(endpoint.name, entity.name, entity.entity_version): self._vitals(entity) for entity in entities}
        )

    def forget(self, name: str) -> None:
        """See the port."""
        self._counters.forget(name)

    def _vitals(self, entity: ServedEntity) -> Vitals:
        replicas = self._replicas(entity.deployment_id)
        cpu, memory = 0.0, 0.0
        for pid in [replica.pid for replica in replicas]:
            if pid is None:
                continue
            with suppress(psutil.NoSuchProcess):  # a replica may end at any time
                process = self._process(pid)
                cpu += process.cpu_percent() / (psutil.cpu_count() or 1)
                memory += process.memory_percent()
        return Vitals(cpu, memory, sum(replica.slots for replica in replicas))

    def _process(self, pid: int) -> psutil.Process:
        """The same object each time: CPU use is measured since its last answer."""
        found = self._processes.get(pid)
        if found is None:
            found = self._processes[pid] = psutil.Process(pid)
        return found

    def _forget_ended(self) -> None:
        for pid, process in self._processes.copy().items():  # other threads may ask too
            if not process.is_running():
                self._processes.pop(pid, None)
