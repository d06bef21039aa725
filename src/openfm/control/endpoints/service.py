"""What may happen to serving endpoints. Every change is one transaction, then one swap in the directory."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection

from openfm.control.endpoints import events, repository
from openfm.control.endpoints.ai_gateway import checked_ai_gateway
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.inputs import ConfigInput, EndpointInput, RateLimitInput
from openfm.control.endpoints.parsing import (
    Origin,
    Workshop,
    checked_endpoint_name,
    parsed_config,
    parsed_limits,
    parsed_tags,
)
from openfm.control.endpoints.ports import Capacity
from openfm.control.endpoints.rated import check_rated
from openfm.control.endpoints.spillover import check_not_spilled_to, check_spillover
from openfm.core.endpoint import (
    EndpointConfig,
    EndpointDetails,
    EndpointType,
    ServingEndpoint,
    UpdateState,
)
from openfm.core.errors import AlreadyExists, Conflict, EndpointNotFound, InvalidParameterValue, NotFound
from openfm.core.event import EndpointEvent, EventKind
from openfm.core.principal import PermissionLevel, Principal
from openfm.store.database import Database


class GrantKeeper(Protocol):
    """Gives and takes permissions within the transaction that makes or deletes an endpoint."""

    def grant(self, connection: Connection, endpoint_id: str, principal: Principal, level: PermissionLevel) -> None:
        """Give a principal a level."""
        ...

    def forget(self, connection: Connection, endpoint_id: str) -> None:
        """Take all levels on an endpoint away."""
        ...

    def take_over(self, connection: Connection) -> Callable[[], None]:
        """See `store.database.TakeOver`."""
        ...


@dataclass(frozen=True, slots=True)
class Office:
    """What the service works with. `now_ms` is ms since the epoch; `on_change` may be called in any thread."""

    database: Database
    directory: EndpointDirectory
    workshop: Workshop
    grants: GrantKeeper
    capacity: Capacity
    now_ms: Callable[[], int]
    on_change: Callable[[], None]


class EndpointService:
    """Changes endpoints. Its calls block, and one at a time writes."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def create(self, caller: Principal, body: EndpointInput) -> ServingEndpoint:
        """A new endpoint, whose first config is being rolled out.

        Raises `AlreadyExists`, and what `parsed_config` does.
        """
        name, now_ms, identifier = checked_endpoint_name(body.name), self._office.now_ms(), uuid.uuid4().hex
        self._check_free(name)
        if body.config is None:
            raise InvalidParameterValue("config is missing: name at least one served entity.", param="config")
        config = parsed_config(body.config, Origin(caller, identifier, 1, now_ms), self._office.workshop)
        endpoint = ServingEndpoint(
            id=identifier,
            name=name,
            task=config.task,
            endpoint_type=_endpoint_type(config),
            creator=caller.name,
            creation_timestamp=now_ms,
            last_updated_timestamp=now_ms,
            config=None,
            pending_config=config,
            update=UpdateState.IN_PROGRESS,
            details=_details(body),
        )
        with self._office.directory.settled():
            self._check_registered(config)
            self._check_capacity(endpoint, config)
            check_spillover(endpoint, self._by_name())
            with self._office.database.transaction(self._office.grants.take_over) as connection:
                if name in repository.names(connection):
                    raise _taken(name)
                check_rated(connection, endpoint.details)
                repository.insert_endpoint(connection, endpoint)
                self._office.grants.grant(connection, identifier, caller, PermissionLevel.CAN_MANAGE)
                events.record(connection, _created(endpoint))
            self._office.directory.put(endpoint)
        self._office.on_change()
        return endpoint

    def update_config(self, caller: Principal, name: str, body: ConfigInput) -> ServingEndpoint:
        """Roll out another config; the active one answers until then. Raises `Conflict` while one is under way."""
        current = self._office.directory.permitted(name, caller, PermissionLevel.CAN_MANAGE)
        _check_idle(current)
        now_ms = self._office.now_ms()
        draft = parsed_config(body, Origin(caller, current.id, 0, now_ms), self._office.workshop, current.config)

        def rule(endpoint: ServingEndpoint, version: int) -> ServingEndpoint:
            _check_idle(endpoint)
            _check_task(endpoint, draft)
            check_not_spilled_to(endpoint, draft, self._by_name())
            self._check_capacity(endpoint, draft)
            return _with_pending(endpoint, replace(draft, version=version))

        with self._office.directory.settled():
            self._check_registered(draft)
            changed = self._apply(name, rule, caller.name)
        self._office.on_change()
        return changed

    def start(self, name: str, actor: str = "") -> ServingEndpoint:
        """Run a stopped endpoint again, as a new config version."""
        now_ms = self._office.now_ms()

        def rule(endpoint: ServingEndpoint, version: int) -> ServingEndpoint:
            template = endpoint.config or endpoint.pending_config
            if not endpoint.is_stopped or template is None:
                raise InvalidParameterValue(f"The endpoint '{name}' is not stopped.")
            self._check_capacity(endpoint, template)
            config = replace(template, version=version, start_timestamp=now_ms)
            return _with_pending(replace(endpoint, is_stopped=False), config)

        return self._change(name, rule, actor)

    def stop(self, name: str, actor: str = "") -> ServingEndpoint:
        """Let go of all replicas; queries get 400 until it is started. An update under way is cancelled."""

        def rule(endpoint: ServingEndpoint, _: int) -> ServingEndpoint:
            if endpoint.is_stopped:
                raise InvalidParameterValue(f"The endpoint '{name}' is stopped already.")
            stopped = replace(endpoint, is_stopped=True, update=UpdateState.NOT_UPDATING, failures={})
            if endpoint.update is not UpdateState.IN_PROGRESS or endpoint.config is None:
                return stopped
            return replace(stopped, pending_config=None, update=UpdateState.CANCELED)

        return self._change(name, rule, actor)

    def cancel_update(self, name: str, actor: str = "") -> ServingEndpoint:
        """Give an update up; the active config stays. Without one, the endpoint stays not ready until it is updated."""

        def rule(endpoint: ServingEndpoint, _: int) -> ServingEndpoint:
            if endpoint.update is not UpdateState.IN_PROGRESS:
                raise InvalidParameterValue(f"No update of the endpoint '{name}' is under way.")
            kept = endpoint.pending_config if endpoint.config is None else None
            return replace(endpoint, pending_config=kept, update=UpdateState.CANCELED, failures={})

        return self._change(name, rule, actor)

    def delete(self, name: str) -> None:
        """Forget the endpoint; running requests may end."""
        with self._office.directory.settled():
            endpoint = self._office.directory.get(name)
            with self._office.database.transaction(self._office.grants.take_over) as connection:
                repository.delete_endpoint(connection, name)
                self._office.grants.forget(connection, endpoint.id)
            self._office.directory.remove(name)
        self._office.on_change()

    def change_details(self, name: str, change: Callable[[EndpointDetails], EndpointDetails]) -> ServingEndpoint:
        """Change what the endpoint carries beside its config."""

        def rule(endpoint: ServingEndpoint, _: int) -> ServingEndpoint:
            changed = replace(endpoint, details=change(endpoint.details))
            if changed.details.spillover_endpoint != endpoint.details.spillover_endpoint:
                check_spillover(changed, self._by_name())
            return changed

        return self._change(name, rule)

    def commit(self, update: ServingEndpoint) -> bool:
        """The pending config of this endpoint answers from now on. False if it is not being rolled out any more."""

        def rule(endpoint: ServingEndpoint, _: int) -> ServingEndpoint:
            pending = endpoint.pending_config
            if pending is None or not _is_rolling_out(endpoint, update):
                return endpoint
            changed = replace(endpoint, config=pending, pending_config=None, endpoint_type=_endpoint_type(pending))
            return replace(changed, update=UpdateState.NOT_UPDATING, failures={})

        return self._settle(update.name, rule)

    def fail(self, update: ServingEndpoint, failures: Mapping[str, str]) -> bool:
        """Its pending config cannot be deployed, for these reasons by served entity. False as `commit`."""

        def rule(endpoint: ServingEndpoint, _: int) -> ServingEndpoint:
            if not _is_rolling_out(endpoint, update):
                return endpoint
            return replace(endpoint, update=UpdateState.FAILED, failures=failures)

        return self._settle(update.name, rule)

    def _settle(self, name: str, rule: Callable[[ServingEndpoint, int], ServingEndpoint]) -> bool:
        with self._office.directory.settled():
            try:
                before = self._office.directory.get(name)
            except EndpointNotFound:
                return False
            is_changed = self._apply(name, rule) is not before
        if is_changed:
            self._office.on_change()
        return is_changed

    def events(self, endpoint: ServingEndpoint, page_token: str, size: int) -> events.EventPage:
        """What happened to it, the newest first. Raises `InvalidParameterValue`."""
        with self._office.database.transaction() as connection:
            return events.page(connection, endpoint.id, page_token, size)

    def _change(
        self, name: str, rule: Callable[[ServingEndpoint, int], ServingEndpoint], actor: str = ""
    ) -> ServingEndpoint:
        """Apply `rule` to the endpoint as it is; it gets the number that a new config would have."""
        with self._office.directory.settled():
            changed = self._apply(name, rule, actor)
        self._office.on_change()
        return changed

    def _apply(
        self, name: str, rule: Callable[[ServingEndpoint, int], ServingEndpoint], actor: str = ""
    ) -> ServingEndpoint:
        endpoint = self._office.directory.get(name)
        with self._office.database.transaction() as connection:
            version = repository.last_version(connection, name) + 1
            changed = rule(endpoint, version)
            if changed is endpoint:
                return endpoint
            if changed.details is not endpoint.details:
                check_rated(connection, changed.details, endpoint.details)
            changed = replace(changed, last_updated_timestamp=self._office.now_ms())
            if changed.pending_config is not None and changed.pending_config.version == version:
                repository.insert_config(connection, name, changed.pending_config)
            repository.update_endpoint(connection, changed)
            event = events.told(endpoint, changed, actor)
            if event is not None:
                events.record(connection, event)
        self._office.directory.put(changed)
        return changed

    def _check_registered(self, config: EndpointConfig) -> None:
        """Refuse versions that were deleted since the config was read."""
        needed = frozenset[str]().union(*(entity.version_ids for entity in config.served_entities))
        if not self._office.workshop.models.are_registered(needed):
            raise NotFound("A model version of this config was just deleted. Choose another.", param="entity_version")

    def _check_capacity(self, endpoint: ServingEndpoint, config: EndpointConfig) -> None:
        """Refuse what could not be kept. Two who ask at once ask one after the other: the directory is settled."""
        others = [one for one in self._office.directory.endpoints if one.id != endpoint.id]
        held = () if endpoint.config is None else endpoint.wanted_entities
        shortage = self._office.capacity.refusal(config.served_entities, others, held)
        if shortage is not None:
            raise InvalidParameterValue(shortage.sentence, param=shortage.param)

    def _by_name(self) -> dict[str, ServingEndpoint]:
        return {endpoint.name: endpoint for endpoint in self._office.directory.endpoints}

    def _check_free(self, name: str) -> None:
        if any(endpoint.name == name for endpoint in self._office.directory.endpoints):
            raise _taken(name)


def limits_of(limits: Sequence[RateLimitInput]) -> Callable[[EndpointDetails], EndpointDetails]:
    """The change that sets these rate limits; none clears them."""
    parsed = parsed_limits(limits)
    return lambda details: replace(details, rate_limits=parsed)


def _created(endpoint: ServingEndpoint) -> EndpointEvent:
    message = "Version 1 of its configuration is being rolled out."
    return EndpointEvent(endpoint.id, endpoint.creation_timestamp, EventKind.CREATED, message, actor=endpoint.creator)


def _details(body: EndpointInput) -> EndpointDetails:
    return EndpointDetails(
        description=body.description or "",
        tags=parsed_tags(body.tags or ()),
        rate_limits=parsed_limits(body.rate_limits or ()),
        ai_gateway=None if body.ai_gateway is None else checked_ai_gateway(body.ai_gateway),
        email_notifications=body.email_notifications,
        budget_policy_id=body.budget_policy_id,
    )


def _is_rolling_out(endpoint: ServingEndpoint, update: ServingEndpoint) -> bool:
    """Whether it is the same endpoint, not one made later under its name, and the same config is still pending."""
    if endpoint.id != update.id or endpoint.update is not UpdateState.IN_PROGRESS:
        return False
    return _version(endpoint.pending_config) == _version(update.pending_config) is not None


def _version(config: EndpointConfig | None) -> int | None:
    return None if config is None else config.version


def _with_pending(endpoint: ServingEndpoint, config: EndpointConfig) -> ServingEndpoint:
    return replace(endpoint, pending_config=config, update=UpdateState.IN_PROGRESS, failures={})


def _check_task(endpoint: ServingEndpoint, config: EndpointConfig) -> None:
    if config.task != endpoint.task:
        raise InvalidParameterValue(
            f"The endpoint serves {endpoint.task}; the new config is for {config.task}. Make another endpoint for it.",
            param="served_entities",
        )


def _check_idle(endpoint: ServingEndpoint) -> None:
    if endpoint.update is UpdateState.IN_PROGRESS:
        raise Conflict(
            f"The endpoint '{endpoint.name}' is being updated already. Wait until state.config_update is NOT_UPDATING, "
            f"or cancel that update: POST /api/2.0/serving-endpoints/{endpoint.name}/config:cancel."
        )
    if endpoint.is_stopped:
        raise InvalidParameterValue(f"The endpoint '{endpoint.name}' is stopped. Start it before updating it.")


def _endpoint_type(config: EndpointConfig) -> EndpointType:
    is_external = all(entity.external is not None for entity in config.served_entities)
    return EndpointType.EXTERNAL_MODEL if is_external else EndpointType.CUSTOM_MODEL


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"An endpoint called '{name}' exists already. Choose another name, or update that one.", param="name"
    )
