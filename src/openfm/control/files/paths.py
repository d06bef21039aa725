"""Paths of the Files API: `/Models/<catalog>/<schema>/<model>/<version>/<file>`."""

from dataclasses import dataclass

from openfm.core.errors import InvalidParameterValue, NotFound
from openfm.core.registry import ModelName, version_number

_ROOT = "Models"
_LONGEST_PATH_BYTES = 1024
_LONGEST_SEGMENT_BYTES = 255
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file or folder of a version; `path` is relative to the version and empty for its root."""

    name: ModelName
    version: int
    path: str

    @property
    def absolute(self) -> str:
        """As the API writes it."""
        root = f"/{_ROOT}/{self.name.catalog}/{self.name.schema}/{self.name.model}/{self.version}"
        return f"{root}/{self.path}" if self.path else root


def parse_path(text: str) -> FilePath:
    """The path in `text`, with or without a slash in front.

    Raises `NotFound` for what is not below `/Models`, `InvalidParameterValue` for what could leave its folder.
    """
    segments = text.strip("/").split("/")
    if segments[0] != _ROOT:
        raise NotFound(
            f"There is no folder /{_printable(segments[0])} here; model files are below "
            "/Models/<catalog>/<schema>/<model>/<version>.",
            param="path",
        )
    if len(segments) < 5:
        raise NotFound("Name the version's folder: /Models/<catalog>/<schema>/<model>/<version>.", param="path")
    catalog, schema, model, version, *rest = segments[1:]
    return FilePath(
        ModelName.parse(f"{catalog}.{schema}.{model}"), version_number(version), checked_file("/".join(rest))
    )


def checked_file(path: str) -> str:
    """A relative path that stays in its folder, empty for the folder itself. Raises `InvalidParameterValue`."""
    if not path:
        return path
    segments = path.split("/")
    is_fine = (
        len(segments) <= _DEEPEST and all(map(_is_segment, segments)) and len(path.encode()) <= _LONGEST_PATH_BYTES
    )
    if not is_fine:
        raise InvalidParameterValue(
            f"'{_printable(path)}' is no path of a model file: it must stay in its folder, have no empty names, "
            f"backslashes or control characters, at most {_LONGEST_SEGMENT_BYTES} bytes in each name and "
            f"{_LONGEST_PATH_BYTES} in all (an emoji has four).",
            param="path",
        )
    return path


def _is_segment(segment: str) -> bool:
    is_named = segment not in {"", ".", ".."} and "\\" not in segment
    return is_named and segment.isprintable() and len(segment.encode()) <= _LONGEST_SEGMENT_BYTES


def _printable(text: str) -> str:
    return text[:100].encode("unicode_escape").decode("ascii")
