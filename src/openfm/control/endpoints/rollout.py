"""Ends updates: swaps the pending config in once it answers, or gives it up with the reason."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.ports import Deployments
from openfm.control.endpoints.service import EndpointService
from openfm.core.endpoint import Deployment, DeploymentState, ServedEntity, ServingEndpoint, UpdateState
from openfm.telemetry.survival import survived

log = structlog.get_logger(__name__)

_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Commit:
    """Every served entity of the pending config answers."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Some cannot be deployed: the reason by served entity."""

    failures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not decided yet."""


Verdict = Commit | GiveUp | Wait


def judge(deployments: Mapping[str, Deployment]) -> Verdict:
    """Pure: what to do, given the state of each served entity by name."""
    failures = {name: found.message for name, found in deployments.items() if found.state is DeploymentState.FAILED}
    if failures:
        return GiveUp(failures)
    if all(found.state is DeploymentState.READY for found in deployments.values()):
        return Commit()
    return Wait()


class Rollouts:
    """Looks at every update under way whenever something changed.

    `on_commit` gets the deployment ids of a config that is about to answer, `on_begin` the served entities of an update
    before it is judged first: what failed of them in an earlier one is no verdict.
    """

    def __init__(
        self,
        directory: EndpointDirectory,
        deployments: Deployments,
        service: EndpointService,
        on_commit: Callable[[str], None],
        on_begin: Callable[[ServedEntity], None],
    ) -> None:
        self._directory = directory
        self._deployments = deployments
        self._service = service
        self._on_commit = on_commit
        self._on_begin = on_begin
        self._begun: frozenset[tuple[str, int]] = frozenset()
        self._changed = asyncio.Event()

    def nudge(self) -> None:
        """Something changed. Call it on the loop; it does not wait."""
        self._changed.set()

    async def run(self) -> None:
        """Follow changes until cancelled; what could not be settled is tried again after a pause."""
        while True:
            self._changed.clear()
            pause_s = None if await self.step() else _RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()

    async def step(self) -> bool:
        """Judge every update once; whether all could be. One that cannot (a busy database) holds up no other."""
        are_settled = True
        updates = [e for e in self._directory.endpoints if e.update is UpdateState.IN_PROGRESS and not e.is_alias]
        self._begin(updates)
        for endpoint in updates:
            with survived("endpoint.update_not_settled", endpoint=endpoint.name) as outcome:
                await self._settle(endpoint)
            are_settled = are_settled and outcome.error is None
        return are_settled

    def _begin(self, updates: Sequence[ServingEndpoint]) -> None:
        pending = {(endpoint.id, config.version): config for endpoint in updates if (config := endpoint.pending_config)}
        for update in pending.keys() - self._begun:
            for entity in pending[update].served_entities:
                self._on_begin(entity)
        self._begun = frozenset(pending)

    async def _settle(self, endpoint: ServingEndpoint) -> None:
        pending = endpoint.pending_config
        if pending is None:
            return
        verdict = judge({entity.name: self._deployments.trial(entity) for entity in pending.served_entities})
        if isinstance(verdict, Commit):
            for entity in pending.served_entities:
                self._on_commit(entity.deployment_id)  # before: nothing of it may fall asleep meanwhile
            if await asyncio.to_thread(self._service.commit, endpoint):
                log.info("endpoint.updated", endpoint=endpoint.name, config_version=pending.version)
        elif isinstance(verdict, GiveUp) and await asyncio.to_thread(self._service.fail, endpoint, verdict.failures):
            log.warning("endpoint.update_failed", endpoint=endpoint.name, failures=dict(verdict.failures))
