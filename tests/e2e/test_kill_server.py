"""The server is killed at any moment of an update; what it left behind is the old configuration or the new one."""

import asyncio
import random
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import StartServer
from tests.e2e.load import Management

_ROOT = "/api/2.0/serving-endpoints"
_SEED = 7


def config(letter: str) -> dict[str, Any]:
    """A configuration whose parts all carry its letter: a mixture would show."""
    external = {
        "provider": "openai",
        "name": f"model-{letter}",
        "task": "llm/v1/chat",
        "openai_config": {"openai_api_base": "http://127.0.0.1:9/v1", "openai_api_key_plaintext": "k"},
    }
    entities = [{"name": f"{letter}-{number}", "external_model": external} for number in range(3)]
    routes = [
        {"served_entity_name": f"{letter}-{number}", "traffic_percentage": share}
        for number, share in enumerate((50, 30, 20))
    ]
    return {"served_entities": entities, "traffic_config": {"routes": routes}}


def letters(shown: dict[str, Any]) -> set[str]:
    names = [entity["name"] for entity in shown["served_entities"]]
    names += [route["served_entity_name"] for route in shown["traffic_config"]["routes"]]
    assert len(names) == 6
    return {name[0] for name in names}


class Victim:
    """A server that is killed and started again on the same home."""

    def __init__(self, start: StartServer, home: Path) -> None:
        self._start = start
        self._home = home

    def alive(self, session: aiohttp.ClientSession) -> Management:
        """Start it; it need not have loaded any model."""
        self.server = self._start(home=self._home, path="/health/live", egress_allow="127.0.0.1")
        return Management(self.server, session)

    def kill(self) -> None:
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()


@pytest.mark.parametrize("moments", [12, pytest.param(50, marks=pytest.mark.soak)])
async def test_a_server_killed_during_an_update_has_the_old_or_the_new_config_and_converges(
    moments: int, start_server: StartServer, tmp_path: Path
) -> None:
    chance = random.Random(_SEED)  # noqa: S311  # reproducible moments
    victim = Victim(start_server, tmp_path)
    seen: dict[str, int] = {"old": 0, "new": 0}
    async with aiohttp.ClientSession() as session:
        management = victim.alive(session)
        await management.ask("POST", _ROOT, {"name": "moved", "config": config("a")})
        await management.settled("moved")
        old, new = "a", "b"
        for _ in range(moments):
            asking = asyncio.create_task(management.ask("PUT", f"{_ROOT}/moved/config", config(new)))
            await asyncio.sleep(chance.uniform(0, 0.03))
            victim.kill()
            await asyncio.gather(asking, return_exceptions=True)
            management = victim.alive(session)
            found: Any = await management.ask("GET", f"{_ROOT}/moved")
            assert letters(found["config"]) in ({old}, {new}), found
            if "pending_config" in found:
                assert letters(found["pending_config"]) == {new}
            settled: Any = await management.settled("moved")
            assert settled["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
            (letter,) = letters(settled["config"])
            seen["new" if letter == new else "old"] += 1
            if letter == new:
                old, new = new, old
    sys.stdout.write(
        f"\nkilled at {moments} moments: {seen['old']} times the old configuration, {seen['new']} the new\n"
    )
    assert min(seen.values()) > 0, "the moments miss one side; choose others"
