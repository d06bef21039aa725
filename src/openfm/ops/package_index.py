"""Finds a wheel on a Python package index: the simple API as JSON (PEP 691), else as HTML (PEP 503)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import aiohttp
from yarl import URL

from openfm.catalog.source import PackageSource
from openfm.core.errors import ApiError, NotFound, Unavailable
from openfm.ops.http import RetryPolicy, check_status, redacted, with_retries
from openfm.ops.index_config import IndexConfig

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel as an index lists it; `sha256` where the index says it."""

    filename: str
    url: str
    sha256: str | None

    @property
    def local_path(self) -> Path | None:
        """Its path where the index is a folder of this machine."""
        return _local_path(self.url)


async def find_wheel(
    source: PackageSource, config: IndexConfig, session: aiohttp.ClientSession, retries: RetryPolicy
) -> Wheel:
    """The wheel that has the file, from the first index that lists it; pure Python ones before others.

    Raises `NotFound` when the indexes answer but have none, `Unavailable` when one that might could not be asked.
    """
    troubles: list[ApiError] = []
    for index_url in config.urls:
        try:
            page, base = await _project_page(index_url, source, session, retries)
            wheels = [wheel for wheel in _wheels(page, base) if _is_wanted(wheel.filename, source)]
        except ApiError as error:
            troubles.append(error)
            continue
        if wheels:
            return min(wheels, key=lambda wheel: (not wheel.filename.endswith("-none-any.whl"), wheel.filename))
    for trouble in troubles:
        if not isinstance(trouble, NotFound):
            raise trouble
    asked = ", ".join(redacted(url) for url in config.urls) or "none is configured"
    raise NotFound(f"No package index has a wheel of {source.package} {source.version} (asked: {asked}).")


async def _project_page(
    index_url: str, source: PackageSource, session: aiohttp.ClientSession, retries: RetryPolicy
) -> tuple[str, str]:
    """The index's page about the package, and the address its links are relative to."""
    url = f"{index_url}/{normalized(source.package)}/"
    if folder := _local_path(url):
        file = folder / "index.html"
        if not file.is_file():
            raise NotFound(f"{file} does not exist.")
        return file.read_text(encoding="utf-8"), url

    async def attempt() -> tuple[str, str]:
        async with session.get(url, headers={"Accept": _ACCEPT, "Accept-Encoding": "identity"}) as response:
            check_status(response)
            body = await response.read()
            return body.decode("utf-8", "replace"), _resolved(url, str(response.url))

    try:
        return await with_retries(attempt, retries, lambda: 0)
    except Unavailable as error:
        raise Unavailable(f"The package index {redacted(index_url)} cannot be reached. {error.message}") from error


def normalized(package: str) -> str:
    """The package's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _is_wanted(filename: str, source: PackageSource) -> bool:
    if not filename.endswith(".whl") or filename.count("-") < 4:
        return False
    name, version = filename.split("-")[:2]
    return normalized(name) == normalized(source.package) and unquote(version) == source.version


def _wheels(page: str, base: str) -> Iterator[Wheel]:
    """Every file on the page, whichever of the two forms it has."""
    if page.lstrip().startswith("{"):
        yield from _json_wheels(page, base)
        return
    parser = _Links()
    parser.feed(page)
    for href in parser.hrefs:
        target, fragment = urldefrag(href)
        url = _resolved(base, target)
        sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
        yield Wheel(unquote(url.rsplit("/", 1)[-1]), url, sha256)


def _json_wheels(page: str, base: str) -> Iterator[Wheel]:
    try:
        for file in json.loads(page)["files"]:
            hashes: Mapping[str, str] = file.get("hashes", {})
            yield Wheel(str(file["filename"]), _resolved(base, file["url"]), hashes.get("sha256"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(f"{redacted(base)} does not answer as a package index does: {error}.") from error


def _resolved(base: str, href: str) -> str:
    """The link as an absolute address, with the index's own user and password where it stays on its host."""
    start, target = URL(base), URL(base).join(URL(href))
    is_same_host = start.absolute and target.absolute and start.scheme != "file" and start.origin() == target.origin()
    if is_same_host and start.user and not target.user:
        target = target.with_user(start.user).with_password(start.password)
    return str(target)


class _Links(HTMLParser):
    """Collects the link targets of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the target of an anchor."""
        if tag == "a":
            self.hrefs += [value for name, value in attrs if name == "href" and value]


def _local_path(url: str) -> Path | None:
    return Path(unquote(url.removeprefix("file://"))) if url.startswith("file://") else None
