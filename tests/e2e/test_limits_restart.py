"""A limit's windows go on over `kill -9` and a restart."""

import signal

import aiohttp
import pytest

from tests.conftest import CHAT, Server, StartServer
from tests.e2e.load import Management

_DENIED = 429


async def ask(session: aiohttp.ClientSession, server: Server) -> tuple[int, str]:
    """A chat request; its status and text."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 24}
    url, headers = f"{server.url}/serving-endpoints/{CHAT}/invocations", {"authorization": f"Bearer {server.token}"}
    async with session.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.timeout(300)
async def test_what_was_used_before_a_crash_counts_after_it(start_server: StartServer) -> None:
    server = start_server()
    async with aiohttp.ClientSession() as session:
        limit = {"measure": "tokens", "amount": 300, "period": "hour"}
        await Management(server, session).ask("PUT", "/api/2.0/openfm/limits", limit)
        answers = [await ask(session, server)]
        while answers[-1][0] == 200:
            answers.append(await ask(session, server))
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        again = start_server(home=server.home)
        status, text = await ask(session, again)
    assert len(answers) > 1
    assert (status, text.partition(" are used")[0]) == (_DENIED, answers[-1][1].partition(" are used")[0])
