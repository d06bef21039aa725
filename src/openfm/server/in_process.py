"""Requests to the data plane that the server makes itself, on behalf of whoever asked for them.

They come through the same door as everybody's: token, permission, limits, budgets and the ledger are the caller's own.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openfm.batch.asking import Refusal
from openfm.batch.memory import Models
from openfm.batch.question import EMBEDDINGS, STATEMENT_TAG, Question
from openfm.core.endpoint import ServingEndpoint
from openfm.core.principal import Principal
from openfm.gateway.asgi import Message, Receive, Send
from openfm.server.router import AsgiApp

_OK = 200


@dataclass(frozen=True, slots=True)
class StatementModels:
    """Fulfils `control.sql.ports.ModelsOf` by a data plane; `visible` gives the endpoints that a caller may see."""

    data: AsgiApp
    visible: Callable[[Principal], Sequence[ServingEndpoint]]

    def __call__(self, statement_id: str, caller: Principal, token: str) -> Models:
        """Who answers the statement's questions."""
        tasks = {endpoint.name: str(endpoint.task) for endpoint in self.visible(caller)}
        vectors = frozenset(name for name, task in tasks.items() if task == EMBEDDINGS)
        return Models(_Server(self.data, token, tasks, statement_id), vectors)


@dataclass(frozen=True, slots=True)
class _Server:
    """Fulfils `batch.asking.Server`."""

    data: AsgiApp
    token: str
    tasks: Mapping[str, str]
    statement_id: str

    def keeps_answers(self, _endpoint: str) -> bool:
        """See `batch.asking.Server`."""
        return False

    async def ask(self, question: Question, _idempotency_key: str) -> dict[str, Any]:
        """See `batch.asking.Server`. No key is needed: an answer cannot be lost on its way."""
        asked = question.body(self.tasks.get(question.endpoint, ""), {STATEMENT_TAG: self.statement_id})
        exchange = _Exchange(json.dumps(asked).encode())
        path = f"/serving-endpoints/{question.endpoint}/invocations"
        headers = [(b"authorization", b"Bearer " + self.token.encode()), (b"content-type", b"application/json")]
        await exchange.run(self.data, {"type": "http", "method": "POST", "path": path, "headers": headers})
        answer: dict[str, Any] = json.loads(exchange.body)
        if exchange.status != _OK:
            raise _refusal(exchange, answer)
        return answer


@dataclass(slots=True)
class _Exchange:
    """A client of an ASGI application that waits for the whole answer, and hangs up when it is cancelled."""

    sent: bytes
    status: int = 0
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    _has_sent: bool = False
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, app: AsgiApp, scope: dict[str, Any]) -> None:
        """Until the application has answered."""
        receive: Receive = self._receive
        send: Send = self._send
        answering = asyncio.ensure_future(app(scope, receive, send))
        try:
            await asyncio.shield(answering)
        finally:
            self._left.set()
            await asyncio.wait({answering})  # it closes its bill

    async def _receive(self) -> Message:
        if not self._has_sent:
            self._has_sent = True
            return {"type": "http.request", "body": self.sent, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message.get("body", b"")


def _refusal(exchange: _Exchange, answer: Mapping[str, Any]) -> Refusal:
    wait_ms = exchange.headers.get(b"retry-after-ms")
    is_final = exchange.headers.get(b"x-should-retry") == b"false"
    retry_after_s = None if wait_ms is None else float(wait_ms) / 1000
    return Refusal(str(answer.get("message", "")), exchange.status, retry_after_s, is_final=is_final)
