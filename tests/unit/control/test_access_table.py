"""The table of rights and the routes are the same set."""

from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from openfm.catalog.catalog import load_catalog
from openfm.control.access import MANAGEMENT, Who
from openfm.control.api import ControlPlane, management_api
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.routes import Desk
from openfm.control.registry.setup import Neighbours, Registry
from openfm.store.blobs import BlobStore
from tests.unit.control.access_world import World


@pytest.fixture
def api(people: World, tmp_path: Path) -> FastAPI:
    """The management API; nothing of it is called."""
    nobody = cast("Any", None)
    directory = EndpointDirectory(people.access.grants)
    neighbours = Neighbours(people.access.grants, directory, nobody, nobody, nobody)
    registry = Registry(people.database, BlobStore(tmp_path / "blobs"), load_catalog(), neighbours)
    desk = Desk(directory, nobody, nobody, nobody, nobody)
    names = ("usage", "platform", "sql", "statements", "calibrations", "throughput", "payloads")
    nobodies: dict[str, Any] = dict.fromkeys(names, nobody)
    books: dict[str, Any] = {"limits": people.limits, "weights": people.weights, "budgets": people.budgets}
    return management_api(ControlPlane(people.access, desk, registry, "1", None, **books, **nobodies))


def routes_of(api: FastAPI) -> set[tuple[str, str]]:
    return {(method, str(route.path)) for route in iter_route_contexts(api.routes) for method in route.methods or ()}


def test_every_route_has_a_row_and_every_row_a_route(api: FastAPI) -> None:
    routes = routes_of(api)
    assert len(routes) > 100
    assert routes - set(MANAGEMENT) == set(), "routes that nobody may call: give each a row in control/access.py"
    assert set(MANAGEMENT) - routes == set(), "rows of routes that are not there"


def test_rights_on_endpoints_can_be_looked_up() -> None:
    for (_, path), who in MANAGEMENT.items():
        if who in (Who.CAN_VIEW, Who.CAN_QUERY, Who.CAN_MANAGE):
            assert "{name}" in path or "{endpoint_id}" in path


def test_only_these_routes_are_open() -> None:
    open_ones = {path for (_, path), who in MANAGEMENT.items() if who is Who.ANYBODY}
    assert open_ones == {
        "/oidc/.well-known/oauth-authorization-server",
        "/oidc/v1/token",
        "/api/openapi.json",
        "/ui/session",
    }
