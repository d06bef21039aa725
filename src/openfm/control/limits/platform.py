"""The page of the platform's own limits and of what it offers: the same for every caller, whatever was set for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from openfm.control.bodies import LARGEST_BODY
from openfm.core.endpoint import MAX_SERVED_ENTITIES
from openfm.core.limits import MOST


class Availability(StrEnum):
    """Whether a foundation model answers here."""

    SERVED = "SERVED"
    STAND_IN = "STAND_IN"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class PlatformLimit:
    """A bound that nobody's request passes. `setting` is what an operator changes it with, where he can."""

    name: str
    value: float
    unit: str
    setting: str | None = None


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model of the catalogue. `reason` says why it is no more than that; empty for one that is served."""

    endpoint_name: str
    display_name: str
    task: str
    availability: Availability
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """What this deployment is: its region's label, its bounds, and what it offers (asked each time; blocks).

    `egress_allow` names the hosts and networks that the server calls although they are not public; for admins to know.
    """

    region: str
    limits: Sequence[PlatformLimit]
    models: Callable[[], Sequence[OfferedModel]]
    egress_allow: str = ""


FIXED = (
    PlatformLimit("served entities of an endpoint", MAX_SERVED_ENTITIES, "entities"),
    PlatformLimit("rate limits of an endpoint", 20, "limits"),
    PlatformLimit("limits of the operator", 1000, "limits"),
    PlatformLimit("amount of a limit", MOST, "per period"),
    PlatformLimit("answers to a prompt (n)", 16, "answers"),
    PlatformLimit("body of a management request", LARGEST_BODY, "bytes"),
)
"""Bounds that no setting changes."""
