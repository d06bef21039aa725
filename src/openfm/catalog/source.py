"""Where weights come from: `hf://`, `pypi://` and `file://` addresses, as values. Fetching them is `ops/sources.py`."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from openfm.core.errors import InvalidParameterValue

_FORMS = "hf://org/repo[@revision][/file], pypi://package==version/member or file:///path"
_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.+))?")
_PACKAGE = re.compile(r"(?P<package>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)==(?P<version>[^/]+)/(?P<member>.+)")


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on the Hugging Face hub, or one file of it."""

    repo: str
    revision: str = "main"
    path: str | None = None

    def __str__(self) -> str:
        """The address this was read from, in its shortest form."""
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf://{self.repo}{revision}" + (f"/{self.path}" if self.path else "")


@dataclass(frozen=True, slots=True)
class PackageSource:
    """One file inside a wheel of the Python package index."""

    package: str
    version: str
    member: str

    def __str__(self) -> str:
        """The address this was read from."""
        return f"pypi://{self.package}=={self.version}/{self.member}"


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file or folder of this machine."""

    path: Path

    def __str__(self) -> str:
        """The address this was read from."""
        return self.path.as_uri()


Source = HubSource | PackageSource | FileSource


def parse_source(uri: str) -> Source:
    """The source that `uri` names. Raises `InvalidParameterValue` for every other text."""
    scheme, _, rest = uri.partition("://")
    if ".." in rest.split("/"):
        raise InvalidParameterValue(f"The source '{uri}' leaves its folder; write the path without '..'.")
    if scheme == "hf" and (match := _HUB.fullmatch(rest)):
        return HubSource(match["repo"], match["revision"] or "main", match["path"])
    if scheme == "pypi" and (match := _PACKAGE.fullmatch(rest)):
        return PackageSource(match["package"], match["version"], match["member"])
    if scheme == "file" and (path := _file_path(uri)) is not None:
        return FileSource(path)
    raise InvalidParameterValue(f"'{uri}' is no source openfm knows; write {_FORMS}.")


def _file_path(uri: str) -> Path | None:
    """The absolute path of a `file:` address of this machine."""
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    return path if parts.netloc in {"", "localhost"} and path.is_absolute() else None
