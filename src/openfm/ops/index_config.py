"""Which Python package index to use: openfm's own setting, else what pip and uv are told.

Reads the configuration files of pip and uv, but never the environment: callers hand it over.
"""

import configparser
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PYPI = "https://pypi.org/simple"


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """Index addresses in the order they are asked, and the certificates to trust instead of the usual ones."""

    urls: tuple[str, ...] = (PYPI,)
    ca_file: Path | None = None


def index_config(environ: Mapping[str, str], package_index: str | None = None) -> IndexConfig:
    """The configured indexes.

    `package_index` (or OPENFM_PACKAGE_INDEX) is the only index if given. Else the first one set of PIP_INDEX_URL,
    UV_DEFAULT_INDEX, UV_INDEX_URL, pip's files and uv's files is asked first, or PyPI when none is; then the extra
    ones of all of them.
    """
    pip, uv = _pip_files(environ), _uv_files(environ)
    ca_file = environ.get("PIP_CERT") or environ.get("SSL_CERT_FILE") or pip.get("cert")
    certificates = Path(ca_file) if ca_file and Path(ca_file).is_file() else None
    if own := package_index or environ.get("OPENFM_PACKAGE_INDEX"):
        return IndexConfig((own.rstrip("/"),), certificates)
    first = (
        environ.get("PIP_INDEX_URL")
        or environ.get("UV_DEFAULT_INDEX")
        or environ.get("UV_INDEX_URL")
        or pip.get("index-url")
        or uv.get("index-url")
        or PYPI
    )
    texts = [
        first if not _is_true(environ.get("PIP_NO_INDEX") or pip.get("no-index", "")) else "",
        environ.get("PIP_EXTRA_INDEX_URL") or pip.get("extra-index-url", ""),
        environ.get("UV_INDEX", ""),
        environ.get("UV_EXTRA_INDEX_URL") or uv.get("extra-index-url", ""),
    ]
    urls = dict.fromkeys(_without_name(url).rstrip("/") for text in texts for url in text.split())
    return IndexConfig(tuple(urls), certificates)


def _is_true(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on"}


def _without_name(index: str) -> str:
    """uv allows `name=https://…`."""
    name, equals, url = index.partition("=")
    return url if equals and "/" not in name else index


def _pip_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The `[global]` and `[install]` options of pip's files; later files and `[install]` win, as in pip."""
    options: dict[str, str] = {}
    for file in _pip_paths(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "download", "install"):
            if parser.has_section(section):
                options.update(parser.items(section))
    return options


def _pip_paths(environ: Mapping[str, str]) -> Iterator[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == "/dev/null":
        return
    for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"):
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if home:
        yield Path(home) / ".pip" / "pip.conf"
        yield Path(environ.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "pip" / "pip.conf"
        yield Path(home) / "Library" / "Application Support" / "pip" / "pip.conf"
    if "APPDATA" in environ:
        yield Path(environ["APPDATA"]) / "pip" / "pip.ini"
    yield Path(sys.prefix) / "pip.conf"
    if named:
        yield Path(named)


def _uv_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The indexes of uv's files; those of the user win over those of the system."""
    options: dict[str, str] = {}
    for file in _uv_paths(environ):
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        options.update(_uv_indexes(document))
    return options


def _uv_paths(environ: Mapping[str, str]) -> Iterator[Path]:
    yield Path("/etc/uv/uv.toml")
    home = environ.get("HOME")
    if home or environ.get("XDG_CONFIG_HOME"):
        yield Path(environ.get("XDG_CONFIG_HOME") or f"{home}/.config") / "uv" / "uv.toml"
    if "UV_CONFIG_FILE" in environ:
        yield Path(environ["UV_CONFIG_FILE"])


def _uv_indexes(document: Mapping[str, object]) -> dict[str, str]:
    """uv's `index-url` and `extra-index-url`, and its newer `[[index]]` tables, in pip's words."""
    options: dict[str, str] = {}
    extra: list[str] = []
    if isinstance(url := document.get("index-url"), str):
        options["index-url"] = url
    if isinstance(urls := document.get("extra-index-url"), list):
        extra += [url for url in urls if isinstance(url, str)]
    tables = document.get("index")
    for table in tables if isinstance(tables, list) else []:
        if not isinstance(table, dict) or not isinstance(url := table.get("url"), str) or table.get("explicit"):
            continue
        if table.get("default"):
            options["index-url"] = url
        else:
            extra.append(url)
    if extra:
        options["extra-index-url"] = " ".join(extra)
    return options
