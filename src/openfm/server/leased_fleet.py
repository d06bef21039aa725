"""A gateway's view of a fleet that the control server runs: see `leases.py` for the other side."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from openfm.core.endpoint import ServedEntity
from openfm.core.errors import ApiError, EntityWithdrawn, NoReplicaReady
from openfm.engines.base import EngineLink
from openfm.engines.catalog import linked_engine
from openfm.server.control_link import ControlLink, ControlUnreachable
from openfm.server.external import ExternalEngines
from openfm.server.held_engine import HeldEngine
from openfm.server.leases import LEASE_S
from openfm.server.router import Answer, readiness
from openfm.wire.fleet import LentReplica, Picture, Report, Wake, Woken

log = structlog.get_logger(__name__)

_RETRY_S = 1.0
_LOST_RETRY_S = 5.0


class LeasedFleet:
    """Fulfils the gateway's `Roster`. `catch_up` reads what changed in the database; `take_used` access tokens' use.

    `run` must be running. A request waits for a new picture up to `patience_s`.
    """

    def __init__(
        self,
        control: ControlLink,
        externals: ExternalEngines,
        catch_up: Callable[[], Awaitable[None]],
        take_used: Callable[[], Mapping[str, int]],
        patience_s: float,
    ) -> None:
        self._control = control
        self._externals = externals
        self._catch_up = catch_up
        self._take_used = take_used
        self._patience_s = patience_s
        self._clock = asyncio.get_running_loop().time
        self._seen = 0
        self._revision = 0
        self._heard_s = -LEASE_S
        self._not_ready: Mapping[str, str] = {}
        self._gateways = 1
        self._held: dict[LentReplica, HeldEngine] = {}
        self._by_deployment: dict[str, list[HeldEngine]] = {}
        self._going: list[HeldEngine] = []
        self._touched: set[str] = set()
        self._wakings: dict[str, asyncio.Task[Woken]] = {}
        self._changed = asyncio.Event()

    @property
    def waiting_for(self) -> Mapping[str, str]:
        """Default endpoints that are not READY, with the reasons; the control server itself where it is not heard."""
        if self._is_lost:
            return {"control server": "It does not answer. Start it with --role control on the same home folder."}
        return self._not_ready

    @property
    def gateways(self) -> int:
        """How many gateways there are, this one included."""
        return self._gateways

    async def joined(self) -> None:
        """Return when the first picture is there. Raises `ControlUnreachable` where the control server is no such."""
        while self._is_lost:
            await self._changed.wait()

    def readiness(self) -> Answer:
        """See `router.Readiness`."""
        return readiness(self.waiting_for)

    async def ready(self, entity: ServedEntity) -> Sequence[HeldEngine]:
        """See `gateway.ports.Roster.ready`."""
        if self._is_lost:
            raise _lost()
        if entity.external is not None:
            return await self._externals.ready(entity)
        self._touched.add(entity.deployment_id)
        return self._by_deployment.get(entity.deployment_id) or await self._woken(entity)

    async def run(self) -> None:
        """Report and take pictures over, until cancelled; then say that this gateway leaves."""
        try:
            while True:
                try:
                    await self._turn()
                except (ControlUnreachable, ApiError) as error:
                    log.warning("control.not_heard", reason=str(error))
                    await asyncio.sleep(_RETRY_S)
        finally:
            with suppress(ControlUnreachable, ApiError):
                await self._control.report(Report(self._control.gateway, is_leaving=True))

    async def _turn(self) -> None:
        touched, self._touched = self._touched, set()
        self._going = [engine for engine in self._going if engine.ongoing]
        engines = (*self._held.values(), *self._going)
        ongoing: dict[str, int] = {}
        for engine in engines:
            ongoing[engine.id] = ongoing.get(engine.id, 0) + engine.ongoing
        report = Report(self._control.gateway, self._seen, ongoing, tuple(touched), self._take_used())
        picture = await self._control.report(report)
        if picture.revision != self._revision:
            await self._catch_up()
            self._revision = picture.revision
            self._externals.sweep()
        self._take_over(picture)
        self._heard_s = self._clock()
        self._changed.set()
        self._changed = asyncio.Event()

    def _take_over(self, picture: Picture) -> None:
        shown = frozenset(picture.replicas)
        for gone in self._held.keys() - shown:
            engine = self._held.pop(gone)
            engine.let_go()
            self._going.append(engine)
        for lent in picture.replicas:
            if lent not in self._held:
                link = EngineLink(lent.engine, lent.url, lent.secret, lent.has_tool_template)
                self._held[lent] = HeldEngine(lent.id, lent.slots, linked_engine(link), frozenset(lent.hardware))
        by_deployment: dict[str, list[HeldEngine]] = {}
        for lent, engine in self._held.items():
            by_deployment.setdefault(lent.deployment_id, []).append(engine)
        self._by_deployment = by_deployment
        self._not_ready = picture.not_ready
        self._gateways = picture.gateways
        self._seen = picture.epoch

    async def _woken(self, entity: ServedEntity) -> Sequence[HeldEngine]:
        """Let the control server wait for a replica, all callers as one; then for the picture that shows it."""
        woken = await self._ask(entity.deployment_id)
        if woken.outcome == "not_ready":
            raise NoReplicaReady(woken.message, retry_after_s=woken.retry_after_s)
        is_there = False
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                while self._revision < woken.revision or self._seen < woken.epoch:
                    await self._changed.wait()
                is_there = True
        if woken.outcome == "withdrawn":
            raise EntityWithdrawn(f"{entity.name} is no longer served. Send the request again.", retry_after_s=1.0)
        found = self._by_deployment.get(entity.deployment_id)
        if not is_there or not found:
            raise NoReplicaReady(f"{entity.name} is being started. Send the request again.", retry_after_s=1.0)
        return found

    async def _ask(self, deployment_id: str) -> Woken:
        asking = self._wakings.get(deployment_id)
        if asking is None:
            asking = asyncio.create_task(self._control.wake(Wake(deployment_id)), name=f"wake {deployment_id}")
            asking.add_done_callback(lambda _: self._wakings.pop(deployment_id, None))
            self._wakings[deployment_id] = asking
        try:
            return await asyncio.shield(asking)
        except ControlUnreachable:
            raise _lost() from None

    @property
    def _is_lost(self) -> bool:
        return self._clock() - self._heard_s >= LEASE_S


def _lost() -> NoReplicaReady:
    return NoReplicaReady(
        "This gateway does not hear its control server. Send the request again in a moment.",
        retry_after_s=_LOST_RETRY_S,
    )
