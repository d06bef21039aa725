"""Model versions on the command line: `MODEL` or `MODEL/VERSION`."""

from urllib.parse import quote

from openfm.cli.client import Client
from openfm.cli.errors import CliError, ExitCode


def split_version(model: str) -> tuple[str, str | None]:
    """The name, and the version if there is one."""
    name, _, version = model.partition("/")
    return name, version or None


async def newest_version(client: Client, name: str) -> str:
    """The highest version of a registered model. Raises `CliError` where there is none."""
    answer = await client.call("GET", f"/api/2.1/unity-catalog/models/{quote(name, safe='')}/versions")
    versions = [int(one["version"]) for one in answer.get("model_versions") or []]
    if not versions:
        raise CliError(f"'{name}' has no version.", ExitCode.NOT_FOUND)
    return str(max(versions))
