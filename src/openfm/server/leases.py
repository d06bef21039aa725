"""The control's side of gateways in other processes: it lends them replicas, and knows when they have let go of one.

A gateway works by the last picture of the fleet that it took over, and says with each report which one that is. So what
is shown to it is lent until it reports a later picture without it, and has no request there any more: a replica that
goes is stopped only then. One that is silent for `LEASE_S` has lost what it had.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import msgspec
import structlog
from starlette.responses import Response

from openfm.core.endpoint import ServedEntity
from openfm.core.errors import (
    ApiError,
    EntityWithdrawn,
    InvalidRequest,
    MethodNotAllowed,
    NoReplicaReady,
    NotFound,
    PermissionDenied,
)
from openfm.fleet.replica import Replica, ReplicaState
from openfm.gateway.asgi import Receive, Scope, Send
from openfm.gateway.auth import authenticate
from openfm.gateway.body import BodyLimits, read_body
from openfm.server.engine_room import EngineRoom
from openfm.server.state import State
from openfm.wire.fleet import REPORT_PATH, WAKE_PATH, LentReplica, Outcome, Picture, Report, Wake, Woken
from openfm.wire.hang_up import ClientGone
from openfm.wire.manner import ErrorShape
from openfm.wire.problems import problem

log = structlog.get_logger(__name__)

_Message = TypeVar("_Message", Report, Wake)

LEASE_S = 15.0
_LONGEST_HOLD_BACK_S = 0.5
_LARGEST_BODY = 1 << 20


@dataclass(slots=True)
class _Gateway:
    heard_s: float = 0.0
    shown: dict[int, frozenset[str]] = field(default_factory=dict)
    ongoing: Mapping[str, int] = field(default_factory=dict)
    lent: dict[str, Replica] = field(default_factory=dict)


class Leases:
    """Which replicas each gateway may be using. `clock` gives seconds; times are on it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._gateways: dict[str, _Gateway] = {}

    @property
    def count(self) -> int:
        """How many gateways there are."""
        return len(self._gateways)

    def hear(self, report: Report) -> None:
        """It works by the picture that it names: what only older ones showed, it uses no more."""
        gateway = self._gateways.get(report.gateway)
        if gateway is None:
            gateway = self._gateways[report.gateway] = _Gateway()
            log.info("gateway.joined", gateway=report.gateway)
        gateway.heard_s = self._clock()
        gateway.ongoing = report.ongoing
        gateway.shown = {epoch: ids for epoch, ids in gateway.shown.items() if epoch >= report.seen}
        self._settle(report.gateway, gateway)
        if report.is_leaving:
            self._forget(report.gateway, "gateway.left")

    def show(self, name: str, epoch: int, replicas: Sequence[Replica]) -> None:
        """A picture goes out to it: from now on it may use what is in it."""
        gateway = self._gateways.get(name)
        if gateway is None:
            return
        gateway.shown[epoch] = frozenset(replica.id for replica in replicas)
        gateway.lent |= {replica.id: replica for replica in replicas}
        self._settle(name, gateway)

    def forget_silent(self) -> None:
        """Take back what gateways have that were not heard of for `LEASE_S`."""
        now = self._clock()
        for name in [name for name, gateway in self._gateways.items() if now - gateway.heard_s > LEASE_S]:
            self._forget(name, "gateway.lost")

    def forget_all(self) -> None:
        """Take back everything."""
        for name in tuple(self._gateways):
            self._forget(name, "gateway.lost")

    def _forget(self, name: str, event: str) -> None:
        for replica in self._gateways.pop(name).lent.values():
            replica.take_back(name)
        log.info(event, gateway=name)

    def _settle(self, name: str, gateway: _Gateway) -> None:
        used = {replica_id for replica_id, count in gateway.ongoing.items() if count > 0}
        used.update(*gateway.shown.values())
        for replica_id, replica in tuple(gateway.lent.items()):
            if replica_id in used:
                replica.lend(name, gateway.ongoing.get(replica_id, 0))
            else:
                replica.take_back(name)
                del gateway.lent[replica_id]


class LeaseDesk:
    """The ASGI application of `/internal/gateways`, for admins. `not_ready` are default endpoints with the reasons."""

    def __init__(self, state: State, room: EngineRoom, not_ready: Callable[[], Mapping[str, str]]) -> None:
        loop = asyncio.get_running_loop()
        self._state = state
        self._room = room
        self._revision = revision = state.revision
        self._not_ready = not_ready
        self._leases = Leases(loop.time)
        self._epoch = revision.value
        self._gateways = 0
        self._changed = asyncio.Event()
        room.on_change(self._note_change)
        revision.on_change(partial(loop.call_soon_threadsafe, self._note_change))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body = await self._answer(scope, receive)
        except ClientGone:
            return
        except ApiError as error:
            refused = problem(error, ErrorShape.DATABRICKS)
            await Response(refused.body, refused.status, media_type="application/json")(scope, receive, send)
            return
        await Response(body, media_type="application/json")(scope, receive, send)

    async def run(self) -> None:
        """Forget gateways that are gone, until cancelled: this server ends, and hears none of them any more.

        What they have is theirs for one more lease then, while the engines drain.
        """
        try:
            while True:
                await asyncio.sleep(1.0)
                self._leases.forget_silent()
                self._count()
        finally:
            asyncio.get_running_loop().call_later(LEASE_S, self._leases.forget_all)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        if not authenticate(scope["headers"], self._state.access.token_book).is_admin:
            raise PermissionDenied("Only gateways of this server speak here, with an admin's token.")
        if scope["method"] != "POST":
            raise MethodNotAllowed(scope["method"], "POST")
        raw = await read_body(scope["headers"], receive, BodyLimits(_LARGEST_BODY))
        if scope["path"] == REPORT_PATH:
            return msgspec.json.encode(await self.report(_decoded(raw, Report)))
        if scope["path"] == WAKE_PATH:
            return msgspec.json.encode(await self.wake(_decoded(raw, Wake)))
        raise NotFound(f"There is no route {scope['path']}.")

    async def report(self, report: Report) -> Picture:
        """Take the report over, and answer when there is news, or soon."""
        self._leases.hear(report)
        self._count()
        self._state.access.token_book.note_used(report.used_tokens)
        for deployment_id in report.touched:
            self._room.demand.touch(deployment_id)
        if report.is_leaving:
            return self._picture(())
        changed = self._changed  # this one: the next is set by the next change
        if report.seen == self._epoch:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_HOLD_BACK_S):
                    await changed.wait()
        lendable = self._lendable()
        self._leases.show(report.gateway, self._epoch, [replica for replica, _ in lendable])
        return self._picture([shown for _, shown in lendable])

    async def wake(self, wake: Wake) -> Woken:
        """Wait until the deployment has a replica, as a request of this server would."""
        entity = self._entity(wake.deployment_id)
        if entity is None:
            return self._woken("withdrawn")
        try:
            await self._room.fleet.ready(entity)
        except EntityWithdrawn:
            return self._woken("withdrawn")
        except NoReplicaReady as error:
            return self._woken("not_ready", error)
        return self._woken("ready")

    def _lendable(self) -> list[tuple[Replica, LentReplica]]:
        found = []
        for deployment_id, replicas in self._room.reconciler.deployments.items():
            for replica in replicas:
                if replica.status.state is ReplicaState.READY and (link := replica.engine.link) is not None:
                    shown = LentReplica(
                        replica.id,
                        deployment_id,
                        replica.slots,
                        link.engine,
                        link.url,
                        link.secret,
                        link.has_tool_template,
                        tuple(sorted(replica.hardware)),
                    )
                    found.append((replica, shown))
        return found

    def _picture(self, replicas: Sequence[LentReplica]) -> Picture:
        return Picture(self._epoch, self._revision.value, replicas, self._not_ready(), max(1, self._gateways))

    def _woken(self, outcome: Outcome, error: ApiError | None = None) -> Woken:
        message = "" if error is None else error.message
        wait_s = 0.0 if error is None else error.retry_after_s or 0.0
        return Woken(outcome, self._epoch, self._revision.value, message, wait_s)

    def _entity(self, deployment_id: str) -> ServedEntity | None:
        for endpoint in self._state.directory.endpoints:
            for entity in endpoint.wanted_entities:
                if entity.deployment_id == deployment_id:
                    return entity
        return None

    def _count(self) -> None:
        """Tell all gateways when there are more or fewer of them."""
        if self._leases.count != self._gateways:
            self._gateways = self._leases.count
            self._note_change()

    def _note_change(self) -> None:
        self._epoch += 1
        self._changed.set()
        self._changed = asyncio.Event()


def _decoded(raw: bytes, kind: type[_Message]) -> _Message:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This is no {kind.__name__.lower()} of a gateway of this version: {error}.") from error
