"""Routes that another process of this workspace answers."""

from dataclasses import dataclass

from starlette.responses import Response

from openfm.core.errors import NotFound
from openfm.gateway.asgi import Receive, Scope, Send
from openfm.wire.manner import ErrorShape
from openfm.wire.problems import problem


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An ASGI application that refuses every request with `sentence`, which says where to go."""

    sentence: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404."""
        shape = ErrorShape.OPENAI if scope["path"].startswith("/v1/") else ErrorShape.DATABRICKS
        refused = problem(NotFound(self.sentence), shape)
        await Response(refused.body, refused.status, media_type="application/json")(scope, receive, send)
