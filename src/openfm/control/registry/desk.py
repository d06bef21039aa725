"""What the handlers of the registry work with."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from openfm.control.registry.imports import Imports
from openfm.control.registry.models import ServableModels
from openfm.control.registry.service import Models
from openfm.control.registry.versions import Versions


@dataclass(frozen=True, slots=True)
class RegistryDesk:
    """The services behind the routes."""

    models: Models
    versions: Versions
    servable: ServableModels
    imports: Imports


def _desk(request: Request) -> RegistryDesk:
    desk: RegistryDesk = request.app.state.registry_desk
    return desk


AtRegistry = Annotated[RegistryDesk, Depends(_desk)]
