"""What is measured: an endpoint of this server, or any URL that speaks OpenAI's API."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from openfm.cli.client import Client
from openfm.cli.errors import CliError, ExitCode
from openfm.cli.profile import Server
from openfm.core.model import Task

_ROUTES = {Task.CHAT: "chat/completions", Task.COMPLETIONS: "completions", Task.EMBEDDINGS: "embeddings"}
_SHORT_TASKS = {"chat": Task.CHAT, "completions": Task.COMPLETIONS, "embeddings": Task.EMBEDDINGS}


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, as whom, and for which task. `model` goes into each body where the route wants one."""

    url: str
    token: str | None
    task: Task
    model: str | None

    @property
    def headers(self) -> Mapping[str, str]:
        """Of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def body(self, prompt: str, output_tokens: int) -> Mapping[str, object]:
        """One request. Answers are as long as asked (`ignore_eos`) where the server knows that field; vLLM does too."""
        named: dict[str, object] = {} if self.model is None else {"model": self.model}
        if self.task is Task.EMBEDDINGS:
            return {**named, "input": prompt}
        asked: dict[str, object] = {"max_tokens": output_tokens, "temperature": 0.0, "ignore_eos": True, "stream": True}
        content: dict[str, object] = {"prompt": prompt}
        if self.task is Task.CHAT:
            content = {"messages": [{"role": "user", "content": prompt}]}
        return {**named, **content, **asked, "stream_options": {"include_usage": True}}


def is_url(text: str) -> bool:
    """Whether the target is an address and not an endpoint's name."""
    return text.startswith(("http://", "https://"))


def server_part(url: str) -> str:
    """Scheme and host of the URL: whose token it is that goes with it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def url_target(url: str, server: Server, model: str | None, task: str | None) -> Target:
    """A base URL like `http://host:8000/v1`, or the whole URL of a route. Raises `CliError`."""
    chosen = _task(task)
    bare = url.rstrip("/")
    of_route = next((known for known, route in _ROUTES.items() if bare.endswith(f"/{route}")), None)
    # Both end in "completions"; the longer one is looked at first.
    if of_route is None and not bare.endswith("/invocations"):
        bare = f"{bare}/{_ROUTES[chosen]}"
    if model is None and not bare.endswith("/invocations"):
        raise CliError("Say which model to ask for: --model NAME.", ExitCode.USAGE)
    return Target(bare, server.token, of_route or chosen, model)


async def endpoint_target(name: str, client: Client, model: str | None, task: str | None) -> Target:
    """The endpoint `name` of the server. Raises `CliError`."""
    found = await client.get_endpoint(name)
    served = Task(str(found.get("task") or Task.CHAT))
    chosen = _task(task) if task else served
    url = f"{client.server.url}/serving-endpoints/{quote(name, safe='')}/invocations"
    return Target(url, client.server.token, chosen, model)


def _task(text: str | None) -> Task:
    if text is None:
        return Task.CHAT
    if text not in _SHORT_TASKS:
        raise CliError(f"'{text}' is no task. Use one of: {', '.join(_SHORT_TASKS)}.", ExitCode.USAGE)
    return _SHORT_TASKS[text]
