"""The model registry as the command line asks for it: one method a request, the server's JSON as the answer."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from openfm.cli.client import Client
from openfm.cli.errors import CliError, ExitCode

_MODELS = "/api/2.1/unity-catalog/models"
_OWN = "/api/2.0/openfm/models"
_FILES = "/api/2.0/fs"
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Registry:
    """Registered models of one server. Every method raises `CliError`."""

    client: Client

    async def models(self) -> list[Facts]:
        """Every model that the caller may execute."""
        return [model async for model in self._pages(_MODELS, "registered_models")]

    async def model(self, name: str) -> Facts:
        """One model."""
        return await self.client.call("GET", _model(name))

    async def ensure_model(self, name: str) -> None:
        """Make the model where it is missing."""
        try:
            await self.model(name)
        except CliError as error:
            if error.exit_code is not ExitCode.NOT_FOUND:
                raise
            await self.client.call("POST", _MODELS, {"full_name": name})

    async def versions(self, name: str) -> list[Facts]:
        """The model's versions, newest first."""
        return [version async for version in self._pages(f"{_model(name)}/versions", "model_versions")]

    async def version(self, name: str, number: int) -> Facts:
        """One version."""
        return await self.client.call("GET", _version(name, number))

    async def create_version(self, name: str, body: Mapping[str, object]) -> Facts:
        """A version that waits for its files."""
        catalog, schema, model = levels(name)
        names = {"catalog_name": catalog, "schema_name": schema, "model_name": model}
        return await self.client.call("POST", f"{_MODELS}/versions", {**body, **names})

    async def finalize(self, name: str, number: int) -> Facts:
        """End the version's registration."""
        return await self.client.call("PATCH", f"{_version(name, number)}/finalize", {})

    async def fetch(self, name: str, body: Mapping[str, object]) -> Facts:
        """A version that the server fetches itself."""
        return await self.client.call("POST", f"{_OWN}/{_quoted(name)}/register", body)

    async def offer(self, name: str, number: int, files: Sequence[Facts]) -> Facts:
        """Which of the files the server has already, and the uploads to go on with."""
        return await self.client.call("POST", f"{_OWN}/{_quoted(name)}/{number}/have", {"files": list(files)})

    async def set_alias(self, name: str, alias: str, number: int) -> None:
        """Point the alias to the version."""
        await self.client.call("PUT", f"{_model(name)}/aliases/{_quoted(alias)}", {"version_num": number})

    async def delete_alias(self, name: str, alias: str) -> None:
        """Remove the alias."""
        await self.client.call("DELETE", f"{_model(name)}/aliases/{_quoted(alias)}")

    async def delete(self, name: str, number: int | None) -> None:
        """Remove a version, or the model with all of them."""
        await self.client.call("DELETE", _model(name) if number is None else _version(name, number))

    async def put_file(self, path: str, content: bytes) -> None:
        """A whole file, by its path in the Files API."""
        await self.client.put_bytes(f"{_FILES}/files{quote(path)}?overwrite=true", content)

    async def begin_upload(self, path: str) -> str:
        """An upload in parts; its token."""
        answer = await self.client.call("POST", f"{_FILES}/files{quote(path)}?action=initiate-upload&overwrite=true")
        return str(answer["multipart_upload"]["session_token"])

    async def put_part(self, token: str, number: int, content: bytes) -> None:
        """One part."""
        await self.client.put_bytes(f"{_FILES}/uploads/{_quoted(token)}/parts/{number}", content)

    async def complete_upload(self, path: str, token: str, parts: Sequence[Facts]) -> None:
        """Put the parts together."""
        query = f"action=complete-upload&upload_type=multipart&session_token={_quoted(token)}"
        await self.client.call("POST", f"{_FILES}/files{quote(path)}?{query}", {"parts": list(parts)})

    async def _pages(self, path: str, key: str) -> AsyncIterator[Facts]:
        token = ""
        while True:
            page = await self.client.call("GET", f"{path}?max_results=1000&page_token={_quoted(token)}")
            for item in page.get(key, []):
                yield item
            token = page.get("next_page_token", "")
            if not token:
                return


def levels(name: str) -> tuple[str, str, str]:
    """Catalog, schema and model. Raises `CliError`."""
    parts = name.split(".")
    if len(parts) != 3 or not all(parts):
        raise CliError(f"'{name}' is no model name.", ExitCode.USAGE, hint="Write catalog.schema.model.")
    return parts[0], parts[1], parts[2]


def _model(name: str) -> str:
    levels(name)
    return f"{_MODELS}/{_quoted(name)}"


def _version(name: str, number: int) -> str:
    return f"{_model(name)}/versions/{number}"


def _quoted(text: str) -> str:
    return quote(text, safe="")
