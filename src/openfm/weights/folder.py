"""The files of one model version, listed once, with nothing in them that leads outside."""

import json
import os
import stat
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, NoReturn, Self, cast

from openfm.weights.errors import CorruptModel

_MOST_FILES = 10_000
_DEEPEST = 8
_SMALL_BYTES = 4 * 1024 * 1024
_SHOWN = 80


class ModelFolder:
    """`files` maps a path inside the folder (forward slashes) to the file; every one is a regular file.

    Links are followed only to places inside the folder, or inside `links_into`, the store that laid the files out.
    Raises `CorruptModel`.
    """

    def __init__(self, path: Path, links_into: Path | None = None) -> None:
        root = path.resolve()
        if not root.is_dir():
            raise CorruptModel(f"{path} is not a folder. Give the folder that holds the model's files.")
        self._allowed = (root,) if links_into is None else (root, links_into.resolve())
        found: dict[str, Path] = {}
        self._list(root, "", found)
        self.path = root
        self.files: Mapping[str, Path] = found

    def ending(self, suffix: str, under: str = "") -> tuple[str, ...]:
        """The names directly in the folder `under` ("", or a path with a slash at its end) that end so, sorted."""
        names = (name for name in self.files if name.startswith(under) and name.endswith(suffix))
        return tuple(sorted(name for name in names if "/" not in name.removeprefix(under)))

    def merged(self, *prefixes: str) -> Self:
        """A view with the files of these folders (slash at the end) at the top; of equal names the last wins."""
        view = copy(self)
        view.files = {
            name.removeprefix(prefix): path
            for prefix in prefixes
            for name, path in self.files.items()
            if name.startswith(prefix)
        }
        return view

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in a small file; empty where there is no such file. Raises `CorruptModel`."""
        if name not in self.files:
            return {}
        try:
            value = json.loads(self.text(name), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise CorruptModel(f"{name} is not JSON: {error}. Upload the file again.") from error
        if not isinstance(value, dict):
            raise CorruptModel(f"{name} must hold a JSON object. Upload the file again.")
        return cast(dict[str, Any], value)

    def text(self, name: str, limit: int = _SMALL_BYTES) -> str:
        """The text of a small file. Raises `CorruptModel` for one over `limit` bytes or not UTF-8."""
        with self.files[name].open("rb") as file:
            raw = file.read(limit + 1)
        if len(raw) > limit:
            raise CorruptModel(f"{name} is larger than {limit} bytes. No model of a kind served here needs that.")
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise CorruptModel(f"{name} is not UTF-8 text: {error}. Upload the file again.") from error

    def size(self, name: str) -> int:
        """Bytes of a file."""
        return self.files[name].stat().st_size

    def _list(self, folder: Path, prefix: str, found: dict[str, Path]) -> None:
        if prefix.count("/") > _DEEPEST:
            raise CorruptModel(f"Folders go deeper than {_DEEPEST} levels. Upload only the model's own files.")
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                self._check(entry, name)
                if entry.is_dir():
                    self._list(Path(entry.path), f"{name}/", found)
                    continue
                found[name] = Path(entry.path)
                if len(found) > _MOST_FILES:
                    raise CorruptModel(f"There are more than {_MOST_FILES} files. Upload only the model's own files.")

    def _check(self, entry: os.DirEntry[str], name: str) -> None:
        try:
            target = Path(entry.path).resolve(strict=True)
            mode = target.stat().st_mode
        except (OSError, RuntimeError) as error:  # Python 3.11 and 3.12 say RuntimeError for a loop of links
            raise CorruptModel(f"{shown(name)} cannot be read: {shown(str(error))}. Upload the file itself.") from error
        if entry.is_symlink() and not any(target.is_relative_to(root) for root in self._allowed):
            raise CorruptModel(f"{shown(name)} is a link that leads out of the model's folder. Upload the file itself.")
        if entry.is_symlink() and stat.S_ISDIR(mode):
            raise CorruptModel(f"{shown(name)} is a link to a folder. Upload the files themselves.")
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CorruptModel(f"{shown(name)} is no regular file. Upload only the model's own files.")


def is_plain_name(name: object) -> bool:
    """Whether it names a file right beside the one that mentions it."""
    return isinstance(name, str) and 0 < len(name) < 256 and name not in {".", ".."} and not {"/", "\\", "\0"} & {*name}


def shown(text: object, longest: int = _SHOWN) -> str:
    """Text from a file that nobody trusts, short and printable enough for a message."""
    whole = str(text)
    short = whole if len(whole) <= longest else whole[:longest] + "…"
    return short if short.isprintable() else ascii(short)[1:-1]


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")
