"""Endpoints in memory: what the gateway's `Directory` port, the fleet and the management routes read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from openfm.control.endpoints.ports import Grants
from openfm.core.endpoint import EndpointType, ServingEndpoint
from openfm.core.errors import EndpointNotFound, NotFound, PermissionDenied
from openfm.core.principal import PermissionLevel, Principal


@dataclass(frozen=True, slots=True)
class _Snapshot:
    by_name: Mapping[str, ServingEndpoint]
    by_id: Mapping[str, ServingEndpoint]
    served: frozenset[str]


class EndpointDirectory:
    """All endpoints by name and by id. Readers see a snapshot; writers, in any thread, swap it whole."""

    def __init__(self, grants: Grants, endpoints: Iterable[ServingEndpoint] = ()) -> None:
        self._grants = grants
        self._changing = Lock()
        self._listeners: list[Callable[[], None]] = []
        self._writing = Lock()
        self._now = _Snapshot({}, {}, frozenset())
        self.publish(endpoints)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change, in the thread of whoever makes it. It must not wait."""
        self._listeners.append(listener)

    def publish(self, endpoints: Iterable[ServingEndpoint]) -> None:
        """Replace all of them."""
        with self._writing:
            self._swap({endpoint.name: endpoint for endpoint in endpoints})

    def put(self, endpoint: ServingEndpoint) -> None:
        """Add one, or replace the one of its name."""
        with self._writing:
            self._swap({**self._now.by_name, endpoint.name: endpoint})

    def remove(self, name: str) -> None:
        """Drop the one of that name."""
        with self._writing:
            self._swap({key: endpoint for key, endpoint in self._now.by_name.items() if key != name})

    @property
    def endpoints(self) -> Sequence[ServingEndpoint]:
        """All of them, by name."""
        return tuple(self._now.by_name.values())

    def get(self, name: str) -> ServingEndpoint:
        """The endpoint of that name, whoever asks. Raises `EndpointNotFound`."""
        endpoint = self._now.by_name.get(name)
        if endpoint is None:
            raise EndpointNotFound(name)
        return endpoint

    def is_served(self, deployment_id: str) -> bool:
        """Whether an endpoint still wants that deployment."""
        return deployment_id in self._now.served

    def deployment_ids(self) -> frozenset[str]:
        """Every deployment that an endpoint names: those that run, that are to run, and that failed to."""
        configs = (
            config
            for endpoint in self.endpoints
            for config in (endpoint.config, endpoint.pending_config)
            if config is not None
        )
        return frozenset(entity.deployment_id for config in configs for entity in config.served_entities)

    def queryable(self, name: str, caller: Principal) -> ServingEndpoint:
        """The endpoint, for a query. Raises `EndpointNotFound`, `PermissionDenied`."""
        return self.permitted(name, caller, PermissionLevel.CAN_QUERY)

    def permitted(self, name: str, caller: Principal, needed: PermissionLevel) -> ServingEndpoint:
        """The endpoint, for somebody who needs that level on it.

        Raises `PermissionDenied`; `EndpointNotFound` also where the caller has no level at all.
        """
        endpoint = self._now.by_name.get(name)
        level = None if endpoint is None else self.level(endpoint, caller)
        if endpoint is None or level is None:
            raise EndpointNotFound(name)
        if level < needed:
            raise PermissionDenied(
                f"You have {level.name} on the endpoint '{name}'; this needs {needed.name}. "
                "Ask one who has CAN_MANAGE on it."
            )
        return endpoint

    def visible(self, caller: Principal) -> Sequence[ServingEndpoint]:
        """The endpoints on which the caller has CAN_VIEW, by name."""
        return tuple(endpoint for endpoint in self._now.by_name.values() if self.level(endpoint, caller) is not None)

    def level(self, endpoint: ServingEndpoint, caller: Principal) -> PermissionLevel | None:
        """What the caller may do with it; pay-per-token endpoints are everybody's to query."""
        if caller.is_admin:
            return PermissionLevel.CAN_MANAGE
        granted = self._grants.level(caller, endpoint.id)
        if endpoint.endpoint_type is EndpointType.FOUNDATION_MODEL_API:
            return max(granted or PermissionLevel.CAN_QUERY, PermissionLevel.CAN_QUERY)
        return granted

    def name_of(self, endpoint_id: str) -> str:
        """The name of the endpoint with that id. Raises `NotFound`."""
        endpoint = self._now.by_id.get(endpoint_id)
        if endpoint is None:
            raise NotFound(
                f"No serving endpoint has the id '{endpoint_id}'. GET the endpoint by its name to see its id."
            )
        return endpoint.name

    def serving(self, version_ids: frozenset[str]) -> Sequence[str]:
        """Names of the endpoints whose active or pending config needs one of these registered versions."""
        return tuple(
            endpoint.name
            for endpoint in self._now.by_name.values()
            if any(
                not entity.version_ids.isdisjoint(version_ids)
                for config in (endpoint.config, endpoint.pending_config)
                if config is not None
                for entity in config.served_entities
            )
        )

    @contextmanager
    def settled(self) -> Iterator[None]:
        """No endpoint changes meanwhile. Take it before a transaction, never inside one: those take turns."""
        with self._changing:
            yield

    def _swap(self, by_name: dict[str, ServingEndpoint]) -> None:
        self._now = _Snapshot(
            dict(sorted(by_name.items())),
            {endpoint.id: endpoint for endpoint in by_name.values() if not endpoint.is_alias},
            frozenset(entity.deployment_id for endpoint in by_name.values() for entity in endpoint.wanted_entities),
        )
        for listener in self._listeners:
            listener()
