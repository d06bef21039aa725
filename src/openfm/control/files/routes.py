"""`/api/2.0/fs`: the Files API, for the files of model versions. Bodies are streamed to disk, never held in memory."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from openfm.control.files.paths import FilePath, parse_path
from openfm.control.files.service import Files, Listed
from openfm.control.identity.caller import Caller
from openfm.control.registry.uc_schemas import Input
from openfm.control.workspace.links import base_url
from openfm.core.errors import InvalidParameterValue, InvalidRequest, NotFound
from openfm.store.uploads import MOST_PARTS, Part

_ROOT = "/api/2.0/fs"
router = APIRouter(prefix=_ROOT)

_BATCH_BYTES = 1 << 20
_INITIATE, _COMPLETE = "initiate-upload", "complete-upload"
_OCTETS = "application/octet-stream"
_DEFAULT_PAGE, _LARGEST_PAGE = 1000, 10_000


class PartUrlsInput(Input):
    """Asks where to send parts."""

    path: str
    session_token: str
    start_part_number: int = 1
    count: int = 1


class AbortUrlInput(Input):
    """Asks how to give an upload up."""

    path: str
    session_token: str


class PartInput(Input):
    """A part that was sent, with the ETag that was answered."""

    part_number: int
    etag: str


class CompleteInput(Input):
    """The parts in the file, for `action=complete-upload`."""

    parts: tuple[PartInput, ...] = ()


class UploadAction(Input):
    """What to do with an upload in parts."""

    action: str = ""
    session_token: str = ""
    overwrite: bool = False


class FolderPage(Input):
    """Which piece of a folder's list."""

    page_size: int = _DEFAULT_PAGE
    page_token: str = ""


def _files(request: Request) -> Files:
    files: Files = request.app.state.files
    return files


AtFiles = Annotated[Files, Depends(_files)]


# -------------------------------------------------------------------------------------------------------------- files


@router.put("/files/{path:path}", status_code=204)
async def upload(path: str, request: Request, caller: Caller, files: AtFiles, *, overwrite: bool = False) -> Response:
    """Put a whole file."""
    where, size = parse_path(path), _declared_size(request)
    await asyncio.to_thread(files.check_writable, where, caller, overwrite=overwrite)
    await asyncio.to_thread(files.reserve, size or 0)
    writer = await asyncio.to_thread(files.receive)
    try:
        await _drain(request, writer.write)
        blob = await asyncio.to_thread(writer.commit)
        await asyncio.to_thread(files.put, where, caller, blob, overwrite=overwrite)
    finally:
        await asyncio.to_thread(writer.close)
    return Response(status_code=204)


@router.get("/files/{path:path}")
@router.head("/files/{path:path}")
def download(path: str, caller: Caller, files: AtFiles) -> FileResponse:
    """A file, or the ranges of it that are asked for."""
    found = files.find(parse_path(path), caller)
    headers = {
        "last-modified": formatdate(found.entry.modified_at / 1000, usegmt=True),
        "etag": f'"{found.entry.digest}"',
        "accept-ranges": "bytes",
    }
    return FileResponse(found.content, headers=headers, media_type=_OCTETS)


@router.delete("/files/{path:path}", status_code=204)
def delete(path: str, caller: Caller, files: AtFiles) -> Response:
    """Take a file out of a version that is not final."""
    files.remove(parse_path(path), caller)
    return Response(status_code=204)


@router.post("/files/{path:path}")
def upload_in_parts(
    path: str,
    caller: Caller,
    files: AtFiles,
    action: Annotated[UploadAction, Query()],
    body: CompleteInput | None = None,
) -> dict[str, Any]:
    """Begin or complete an upload in parts."""
    where = parse_path(path)
    if action.action == _INITIATE:
        session = files.begin(where, caller, overwrite=action.overwrite)
        return {"multipart_upload": {"session_token": session.token}}
    if action.action == _COMPLETE:
        parts = [Part(part.part_number, part.etag) for part in (body.parts if body else ())]
        _check_parts(parts)
        files.complete(where, caller, action.session_token, parts)
        return {}
    raise InvalidParameterValue(f"action is {_INITIATE} or {_COMPLETE}.", param="action")


@router.post("/create-upload-part-urls")
def create_upload_part_urls(body: PartUrlsInput, request: Request, caller: Caller, files: AtFiles) -> dict[str, Any]:
    """Where to PUT parts. The addresses carry the upload's token and need no other authorization."""
    session = files.session(body.session_token, parse_path(body.path), caller)
    last = body.start_part_number + body.count - 1
    if body.start_part_number < 1 or body.count < 1 or last > MOST_PARTS:
        raise InvalidParameterValue(f"Part numbers go from 1 to {MOST_PARTS}.", param="start_part_number")
    address = f"{_host(request)}{_ROOT}/uploads/{session.token}"
    headers = [{"name": "Content-Type", "value": _OCTETS}]
    return {
        "upload_part_urls": [
            {"part_number": number, "url": f"{address}/parts/{number}", "headers": headers}
            for number in range(body.start_part_number, last + 1)
        ]
    }


@router.post("/create-abort-upload-url")
def create_abort_upload_url(body: AbortUrlInput, request: Request, caller: Caller, files: AtFiles) -> dict[str, Any]:
    """Where to DELETE an upload."""
    session = files.session(body.session_token, parse_path(body.path), caller)
    url = f"{_host(request)}{_ROOT}/uploads/{session.token}"
    return {"abort_upload_url": {"url": url, "headers": [{"name": "Content-Type", "value": _OCTETS}]}}


@router.post("/create-download-url")
def create_download_url(caller: Caller) -> None:
    """Say that there are no such addresses: clients then download with GET."""
    del caller
    raise NotFound("openfm has no separate download addresses; GET the file itself.")


@router.put("/uploads/{token}/parts/{number}")
async def upload_part(token: str, number: int, request: Request, files: AtFiles) -> Response:
    """Put one part. No caller: only who began the upload knows its token, 128 random bits."""
    await asyncio.to_thread(files.reserve, _declared_size(request) or 0)
    writer = await asyncio.to_thread(files.receive_part, token, number)
    try:
        await _drain(request, writer.write)
        etag = await asyncio.to_thread(writer.commit)
    finally:
        await asyncio.to_thread(writer.close)
    return Response(headers={"ETag": f'"{etag}"'})


@router.delete("/uploads/{token}")
def abort_upload(token: str, files: AtFiles) -> dict[str, Any]:
    """Give an upload up. No caller, as for its parts."""
    files.abort(token)
    return {}


# ------------------------------------------------------------------------------------------------------------ folders


@router.get("/directories/{path:path}")
def list_folder(path: str, caller: Caller, files: AtFiles, page: Annotated[FolderPage, Query()]) -> dict[str, Any]:
    """What is in a folder."""
    where = parse_path(path)
    listed = [item for item in files.list(where, caller) if item.name > page.page_token]
    limit = min(max(1, page.page_size), _LARGEST_PAGE)
    contents = {"contents": [_listed(where, item) for item in listed[:limit]]}
    return contents | ({"next_page_token": listed[limit - 1].name} if len(listed) > limit else {})


@router.head("/directories/{path:path}")
def folder_exists(path: str, caller: Caller, files: AtFiles) -> Response:
    """Whether there is such a folder."""
    files.list(parse_path(path), caller)
    return Response()


@router.put("/directories/{path:path}", status_code=204)
def make_folder(path: str, caller: Caller, files: AtFiles) -> Response:
    """Do nothing: folders are there as long as files are in them."""
    files.check_writable(parse_path(f"{path.rstrip('/')}/-"), caller, overwrite=True)
    return Response(status_code=204)


@router.delete("/directories/{path:path}", status_code=204)
def remove_folder(path: str, caller: Caller, files: AtFiles) -> Response:
    """Do nothing for an empty folder; refuse for any other."""
    where = parse_path(path)
    if files.list(where, caller):
        raise InvalidParameterValue(f"{where.absolute} is not empty; delete its files first.", param="path")
    return Response(status_code=204)


# ------------------------------------------------------------------------------------------------------------ helpers


async def _drain(request: Request, write: Callable[[bytes], None]) -> None:
    """Write the body as it comes. Raises `InvalidRequest` when the client goes away before its end."""
    batch, size = [], 0
    try:
        async for chunk in request.stream():
            batch.append(chunk)
            size += len(chunk)
            if size >= _BATCH_BYTES:
                await asyncio.to_thread(write, b"".join(batch))
                batch, size = [], 0
    except ClientDisconnect:
        raise InvalidRequest("The upload broke off. Send it again.") from None
    await asyncio.to_thread(write, b"".join(batch))


def _declared_size(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


def _check_parts(parts: list[Part]) -> None:
    numbers = {part.number for part in parts}
    if not parts or len(numbers) != len(parts):
        raise InvalidParameterValue("Name each part once, and at least one.", param="parts")


def _host(request: Request) -> str:
    return base_url(request.app.state.public_url, request.scope)


def _listed(where: FilePath, item: Listed) -> dict[str, Any]:
    described: dict[str, Any] = {
        "path": f"{where.absolute}/{item.name}",
        "name": item.name,
        "is_directory": item.entry is None,
    }
    if item.entry is not None:
        described |= {"file_size": item.entry.size, "last_modified": item.entry.modified_at}
    return described
