"""Which replica takes a request: pure."""

from collections.abc import Mapping, Sequence

from openfm.gateway.ports import Replica


def pick_replica(ready: Sequence[Replica], outstanding: Mapping[str, int]) -> Replica:
    """The replica with the fewest outstanding requests per slot; the first of them on a tie."""
    return min(ready, key=lambda replica: outstanding.get(replica.id, 0) / replica.slots)
