"""The fleet's capacity as the control plane shows it."""

from collections import Counter
from collections.abc import Iterable

from openfm.control.throughput.ports import FleetView, Room, Tenant
from openfm.fleet.placement import Machine, Placement
from openfm.fleet.reconciler import Reconciler


class MachineAccount:
    """Fulfils `control.throughput.ports.FleetAccount` for one machine."""

    def __init__(self, machine: Machine, reconciler: Reconciler) -> None:
        self._machine = machine
        self._reconciler = reconciler

    def __call__(self) -> FleetView:
        """See `FleetAccount`."""
        machine = self._machine
        total = Room(machine.memory_bytes, len(machine.cores), machine.gpu_memory_bytes)
        taken = dict(self._reconciler.taken)
        counts = Counter(deployment_id for deployment_id, _ in taken.values())
        tenants = [
            Tenant(
                deployment_id,
                counts[deployment_id],
                self._room(placement for owner, placement in taken.values() if owner == deployment_id),
            )
            for deployment_id in sorted(counts)
        ]
        return FleetView(total, self._room(placement for _, placement in taken.values()), tenants)

    def _room(self, placements: Iterable[Placement]) -> Room:
        listed = list(placements)
        gpus = [0] * len(self._machine.gpu_memory_bytes)
        for placement in listed:
            if placement.gpu is not None:
                gpus[placement.gpu] += placement.needs.gpu_memory_bytes
        return Room(
            sum(placement.needs.memory_bytes for placement in listed),
            sum(len(placement.cores) for placement in listed),
            tuple(gpus),
        )
