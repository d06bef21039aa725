"""What was promised before anybody measured it: looked at once it is measured, and told where it cannot be kept."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from openfm.control.endpoints.directory import EndpointDirectory
from openfm.core.event import EventKind
from openfm.server.capacity import PromisedCapacity

log = structlog.get_logger(__name__)

Tell = Callable[[str, EventKind, str], None]
"""Keep an event of a deployment: its id, what happened, a sentence."""


@dataclass(frozen=True, slots=True)
class Overcommitment:
    """The endpoints go on: whoever owns them reads in their events what this machine cannot keep."""

    directory: EndpointDirectory
    capacity: PromisedCapacity
    tell: Tell

    def look(self, version_ids: frozenset[str]) -> None:
        """A profile of this model version was made just now."""
        endpoints = self.directory.endpoints
        for endpoint in endpoints:
            others = [one for one in endpoints if one.id != endpoint.id]
            for entity in endpoint.wanted_entities:
                if entity.version_ids != version_ids:
                    continue
                refusal = self.capacity.refusal([entity], others)
                if refusal is not None:
                    log.warning("promise.too_large", endpoint=endpoint.name, entity=entity.name)
                    self.tell(entity.deployment_id, EventKind.PROMISE_TOO_LARGE, refusal.sentence)
