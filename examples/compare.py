"""The same prompts to several endpoints, side by side: time to the first token, total time, tokens, and the answers.

    python examples/compare.py                                              the default endpoint, three prompts
    python examples/compare.py ENDPOINT ENDPOINT --prompt "…" --prompt "…"

Requests run one after another, so that they do not slow each other down. Each endpoint first answers a short question
that is not counted. Names that one engine answers share its prefix cache: the second of them starts sooner.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connection import CHAT, UsageError, add_arguments, find_connection

_PROMPTS = (
    "Name the capital of France.",
    "Write one sentence about the sea.",
    "Name three fruits.",
)
_WARM_UP = "Say hello."


@dataclass(frozen=True)
class Result:
    """What an endpoint made of one prompt. Times are in seconds from sending the request."""

    served_by: str
    answer: str
    ttft_s: float
    total_s: float
    num_prompt_tokens: int
    num_completion_tokens: int

    @property
    def tokens_per_s(self) -> float | None:
        """Completion tokens per second after the first; None when there was no second."""
        decoding_s = self.total_s - self.ttft_s
        return (self.num_completion_tokens - 1) / decoding_s if self.num_completion_tokens > 1 and decoding_s else None


def ask(client: openai.OpenAI, endpoint: str, prompt: str, max_tokens: int) -> Result:
    """Stream the endpoint's answer and take its times. Raises `openai.APIError`."""
    began = time.perf_counter()
    first: float | None = None
    pieces: list[str] = []
    usage: Any = None
    raw = client.chat.completions.with_raw_response.create(
        model=endpoint,
        messages=[{"role": "user", "content": prompt}],
        temperature=0,
        max_tokens=max_tokens,
        stream=True,
        stream_options={"include_usage": True},
    )
    with raw.parse() as chunks:
        for chunk in chunks:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                if choice.delta.content:
                    first = first or time.perf_counter()
                    pieces.append(choice.delta.content)
    ended = time.perf_counter()
    return Result(
        served_by=raw.headers.get("served-model-name", endpoint),
        answer="".join(pieces),
        ttft_s=(first or ended) - began,
        total_s=ended - began,
        num_prompt_tokens=usage.prompt_tokens if usage else 0,
        num_completion_tokens=usage.completion_tokens if usage else 0,
    )


def compare(client: openai.OpenAI, arguments: argparse.Namespace) -> Iterator[tuple[str, str, Result | str]]:
    """For each prompt and endpoint the result, or why there is none."""
    for endpoint in arguments.endpoints:
        try:
            ask(client, endpoint, _WARM_UP, 1)
        except openai.APIError:
            continue  # the first prompt will say why
    for prompt in arguments.prompt or _PROMPTS:
        for endpoint in arguments.endpoints:
            try:
                yield prompt, endpoint, ask(client, endpoint, prompt, arguments.max_tokens)
            except openai.APIStatusError as error:
                yield prompt, endpoint, error.message


def _table() -> Table:
    table = Table(show_lines=True)
    table.add_column("prompt", ratio=2)
    table.add_column("endpoint", overflow="fold", ratio=2)
    for name in ("TTFT ms", "total ms", "tokens in", "out", "tok/s"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("answer", ratio=4)
    return table


def _cells(endpoint: str, result: Result | str) -> list[str]:
    if isinstance(result, str):
        return [escape(endpoint), *["-"] * 5, escape(result)]
    name = endpoint if result.served_by == endpoint else f"{endpoint} (answered by {result.served_by})"
    return [
        escape(name),
        f"{result.ttft_s * 1000:.0f}",
        f"{result.total_s * 1000:.0f}",
        str(result.num_prompt_tokens),
        str(result.num_completion_tokens),
        "-" if result.tokens_per_s is None else f"{result.tokens_per_s:.0f}",
        escape(result.answer.strip()),
    ]


def main() -> int:
    """Print a row for each prompt and endpoint; the exit status is 1 when one of them has no answer."""
    parser = argparse.ArgumentParser(description="The same prompts to several endpoints, side by side.")
    parser.add_argument("endpoints", nargs="*", default=[CHAT], metavar="ENDPOINT", help=f"default: {CHAT}")
    parser.add_argument("--prompt", action="append", help="may be given several times")
    parser.add_argument("--max-tokens", type=int, default=40, help="longest answer (default: %(default)s)")
    add_arguments(parser)
    arguments = parser.parse_args()
    table = _table()
    all_answered = True
    try:
        client = find_connection(arguments).client()
        for prompt, endpoint, result in compare(client, arguments):
            table.add_row(escape(prompt), *_cells(endpoint, result))
            all_answered &= not isinstance(result, str)
    except (UsageError, openai.APIError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    narrowest = 120  # narrower, the answers could not be read
    Console(width=max(shutil.get_terminal_size().columns, narrowest)).print(table)
    return 0 if all_answered else 1


if __name__ == "__main__":
    sys.exit(main())
