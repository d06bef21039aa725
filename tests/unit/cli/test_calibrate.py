"""`openfm calibrate` beside calibrations that others asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner, Result

from openfm.cli.throughput.calibrate import app
from tests.unit.scheduling.test_profile import FULL

_PATH = "/api/2.0/openfm/calibrations"
OBJECTIVE = {"ttft_ms": 3000.0, "tpot_ms": 200.0, "e2e_ms": None, "percentile": 95.0}
QUICK: dict[str, Any] = {
    "id": "quick",
    "entity_name": "main.default.m",
    "entity_version": "1",
    "state": "RUNNING",
    "is_provisional": True,
    "progress": 0.5,
    "message": "",
    "objective": OBJECTIVE,
    "seed": 0,
}


@dataclass
class Desk:
    """A server that measures at once; `joins` says that what is asked is what runs. `ends` is how it ends."""

    joins: bool = False
    ends: str = "SUCCEEDED"
    note: str = ""
    asked: list[Any] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_get(_PATH, self._list)
        application.router.add_post(_PATH, self._create)
        application.router.add_get(_PATH + "/{id}", self._get)
        application.router.add_delete(_PATH + "/{id}", self._delete)
        application.router.add_get("/api/2.0/openfm/models/main.default.m/1/throughput-profiles", self._profiles)
        async with TestServer(application) as server:
            yield str(server.make_url(""))

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"calibrations": [QUICK]})

    async def _create(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        return web.json_response(QUICK if self.joins else {**QUICK, "id": "own", "is_provisional": False})

    async def _get(self, request: web.Request) -> web.Response:
        done = {"id": request.match_info["id"], "state": self.ends, "message": self.note}
        return web.json_response({**QUICK, **done})

    async def _delete(self, request: web.Request) -> web.Response:
        self.deleted.append(request.match_info["id"])
        return web.json_response({})

    async def _profiles(self, _: web.Request) -> web.Response:
        shown = {**FULL.to_json(), "throughput_chunk_size": FULL.chunk_size, "warning": None}
        return web.json_response({"profiles": [shown]})


async def calibrated(desk: Desk, *arguments: str) -> Result:
    async with desk.serving() as url:
        words = ["main.default.m", *arguments, "--url", url, "--token", "t"]
        return await asyncio.to_thread(CliRunner().invoke, app, words)


async def test_what_differs_from_the_one_that_runs_is_asked_for_and_waits_behind_it() -> None:
    desk = Desk()
    result = await calibrated(desk, "--ttft", "500", "--seed", "9")
    assert result.exit_code == 0, result.output
    (asked,) = desk.asked
    assert (asked["objective"], asked["seed"], asked["is_provisional"]) == ({"ttft_ms": 500.0}, 9, False)
    assert "otherwise (quick, TTFT ≤ 3000 ms, TPOT ≤ 200 ms at p95, seed 0)" in result.stderr


async def test_what_is_being_measured_already_is_watched() -> None:
    result = await calibrated(Desk(joins=True), "--quick")
    assert result.exit_code == 0, result.output
    assert "Just this is being measured already" in result.stderr


async def test_the_exit_status_tells_that_nothing_was_measured() -> None:
    result = await calibrated(Desk(ends="FAILED", note="The engine fell over."))
    assert result.exit_code == 8
    assert "The engine fell over." in result.stderr


async def test_what_was_measured_but_not_kept_is_said() -> None:
    result = await calibrated(Desk(note="It was not kept."), "--quick")
    assert result.exit_code == 0
    assert "It was not kept." in result.stderr


async def test_cancelling_ends_all_that_is_open_of_the_version_and_no_other() -> None:
    desk = Desk()
    assert (await calibrated(desk, "--cancel")).exit_code == 0
    assert desk.deleted == ["quick"]
