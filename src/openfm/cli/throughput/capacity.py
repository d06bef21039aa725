"""`openfm capacity`: what the fleet has, has promised and has left."""

import typer

from openfm.cli.access_api import Facts, talk
from openfm.cli.errors import reported
from openfm.cli.output import Output, OutputOption, print_facts, print_json, print_table, print_text
from openfm.cli.profile import Given, HomeOption, TokenOption, UrlOption

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def capacity(
    output: OutputOption = Output.TEXT, url: UrlOption = None, token: TokenOption = None, home: HomeOption = None
) -> None:
    """Show what this fleet has, has promised, and has left; for admins."""
    with reported(as_json=output.is_json):
        found = talk(Given(url, token, home), lambda client: client.call("GET", "/api/2.0/openfm/capacity"))
        if output.is_json:
            print_json(found)
            return
        print_facts([("hardware", found["hardware"])])
        print_text("")
        rooms = ("", "MEMORY", "CORES OF ONE'S OWN", "GPU MEMORY", "THROUGHPUT")
        print_table(rooms, [_room(name, found[name]) for name in _ROOMS])
        print_text("")
        columns = ("ENDPOINT", "ENTITY", "REPLICAS", "MEMORY", *_THROUGHPUT, "WARNING")
        print_table(columns, [_deployment(one) for one in found["deployments"]])


_THROUGHPUT = ("PROMISED tok/s", "MEASURED tok/s", "LEFT tok/s")
_ROOMS = ("total", "taken", "left")


def _room(name: str, room: Facts) -> tuple[str, ...]:
    gpus = ", ".join(_gib(size) for size in room["gpu_memory_bytes"]) or "-"
    return name, _gib(room["memory_bytes"]), str(room["cores"]), gpus, f"{room['throughput_share']:.0%}"


def _deployment(one: Facts) -> tuple[str, ...]:
    measured, left = one.get("measured_throughput"), one.get("left_throughput")
    return (
        one["endpoint"] or "-",
        one["served_entity"],
        str(one["replicas"]),
        _gib(one["room"]["memory_bytes"]),
        f"{one['promised_throughput']:g}",
        "not measured" if measured is None else f"{measured:g}",
        "-" if left is None else f"{left:g}",
        one.get("warning") or "",
    )


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
