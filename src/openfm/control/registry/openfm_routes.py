"""What openfm has beside Unity Catalog: uploads that go on, registration from the hub, and the optimization info."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from openfm.control.files.service import Files
from openfm.control.identity.caller import Caller
from openfm.control.registry.desk import AtRegistry
from openfm.control.registry.uc_schemas import Input, TagInput, tags_of, version_info
from openfm.control.registry.versions import NewVersion
from openfm.core.errors import InvalidParameterValue
from openfm.core.registry import ModelName, version_number

router = APIRouter()

_MOST_FILES = 20_000


class RegisterInput(Input):
    """Where the server shall fetch a model from."""

    source: str
    comment: str | None = None
    tags: tuple[TagInput, ...] = ()


class OfferedFile(Input):
    """A file that the client could upload."""

    path: str
    digest: str
    size: int = 0


class OfferInput(Input):
    """The files of a version, before they are uploaded."""

    files: tuple[OfferedFile, ...]


def _files(request: Request) -> Files:
    files: Files = request.app.state.files
    return files


@router.post("/api/2.0/openfm/models/{full_name}/register")
async def register(full_name: str, body: RegisterInput, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Fetch a model from the Hugging Face hub; the version's `status_message` tells how it goes on."""
    new = NewVersion(source=body.source, comment=body.comment or "", tags=tags_of(body.tags))
    return version_info(await desk.imports.start(ModelName.parse(full_name), caller, new))


@router.post("/api/2.0/openfm/models/{full_name}/{version}/have")
def have(
    full_name: str, version: str, body: OfferInput, caller: Caller, files: Annotated[Files, Depends(_files)]
) -> dict[str, Any]:
    """Which of these files need no upload, and the parts that are here of those begun; named ones become the version's.

    A content counts as here if the caller may read it anyway: knowing a digest opens nobody else's files.
    """
    if len(body.files) > _MOST_FILES:
        raise InvalidParameterValue(f"Offer at most {_MOST_FILES} files at a time.", param="files")
    name, number = ModelName.parse(full_name), version_number(version)
    offered = {file.path: file.digest for file in body.files}
    linked = files.link(name, number, caller, offered)
    begun = files.begun(name, number, caller)
    return {
        "have": sorted(linked),
        "uploads": [
            {
                "path": session.path,
                "session_token": session.token,
                "parts": [{"part_number": part.number, "etag": part.etag} for part in parts],
            }
            for session, parts in begun
        ],
    }


@router.get("/api/2.0/serving-endpoints/get-model-optimization-info/{name}/{version}")
def optimization_info(name: str, version: str, caller: Caller, desk: AtRegistry) -> dict[str, Any]:
    """Whether throughput can be provisioned for a model version, and in which steps."""
    return desk.servable.optimization(name, version, caller)
