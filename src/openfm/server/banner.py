"""What the server says when it starts."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from openfm import __version__
from openfm.control.identity.admin_token import ADMIN_TOKEN_FILE
from openfm.core.endpoint import ServingEndpoint
from openfm.core.model import Task


def welcome(url: str, home: Path, new_token: str | None, endpoints: Sequence[ServingEndpoint]) -> str:
    """Where the server is, how to get the token, and a line to paste. `new_token` is shown this once."""
    token_file = home / ADMIN_TOKEN_FILE
    lines = [f"openfm {__version__} listens on {url}"]
    if new_token is not None:
        lines.append(f"Admin token (shown this once, kept in {token_file}): {new_token}")
    elif token_file.exists():
        lines.append(f"Admin token: cat {shlex.quote(str(token_file))}")
    else:
        lines.append("Admin token: the one given as OPENFM_ADMIN_TOKEN")
    lines.append(f"In a browser: open {url} and sign in with that token.")
    lines += [f"  {endpoint.name}  {endpoint.task}" for endpoint in endpoints]
    chat = next((endpoint for endpoint in endpoints if endpoint.task is Task.CHAT), None)
    if chat is not None and token_file.exists():
        body = '{"messages": [{"role": "user", "content": "Name the capital of France."}], "temperature": 0}'
        lines.append("Try it, once it is ready:")
        lines.append(
            f"  curl {url}/serving-endpoints/{chat.name}/invocations"
            f' -H "Authorization: Bearer $(cat {shlex.quote(str(token_file))})" -d {shlex.quote(body)}'
        )
    return "\n".join(lines)
