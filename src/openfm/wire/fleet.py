"""What a gateway process and the control server say to each other about the fleet."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Outcome = Literal["ready", "not_ready", "withdrawn"]
REPORT_PATH, WAKE_PATH = "/internal/gateways/report", "/internal/gateways/wake"


class Report(msgspec.Struct, frozen=True):
    """A gateway's turn: which picture it works by (0: none yet), and what it did since its last report.

    `ongoing` are requests under way by replica, `touched` the deployments asked for, `used_tokens` when access tokens
    were last used (ms since the epoch). One that is leaving uses nothing any more.
    """

    gateway: str
    seen: int = 0
    ongoing: Mapping[str, int] = {}
    touched: Sequence[str] = ()
    used_tokens: Mapping[str, int] = {}
    is_leaving: bool = False


class LentReplica(msgspec.Struct, frozen=True):
    """A replica that takes requests, how to reach its engine (see `engines.base.EngineLink`), what it computes on."""

    id: str
    deployment_id: str
    slots: int
    engine: str
    url: str
    secret: str | None
    has_tool_template: bool
    hardware: tuple[str, ...] = ()


class Picture(msgspec.Struct, frozen=True):
    """The control's turn. Both numbers only grow, over restarts too.

    `epoch` names this picture. `revision` is that of the database's contents about endpoints, access and limits: one
    that is new has to be read before the rest is used. `not_ready` are default endpoints, each with the reason.
    `gateways` is how many there are: each lets in an equal part of what was provisioned.
    """

    epoch: int
    revision: int
    replicas: Sequence[LentReplica]
    not_ready: Mapping[str, str]
    gateways: int = 1


class Wake(msgspec.Struct, frozen=True):
    """A gateway needs a replica of this deployment and has none."""

    deployment_id: str


class Woken(msgspec.Struct, frozen=True):
    """What became of it: there is one in the picture `epoch`, or there will be none in time, or it is served no more.

    `revision` as in `Picture`; `message` and `retry_after_s` are for the caller.
    """

    outcome: Outcome
    epoch: int
    revision: int
    message: str = ""
    retry_after_s: float = 0.0
