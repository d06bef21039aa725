"""Files of model versions, as the Files API sees them. Every method blocks."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from openfm.control.files.paths import FilePath, checked_file
from openfm.control.registry import repository
from openfm.control.registry.resources import Resources, refuse_while_fetched, still_pending
from openfm.core.errors import AlreadyExists, InvalidParameterValue, NotFound, PermissionDenied
from openfm.core.principal import Principal
from openfm.core.registry import FileEntry, Manifest, ModelName
from openfm.store.blobs import Blob, BlobWriter
from openfm.store.uploads import Part, PartWriter, UploadSession

_LINKED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file to send: where its content is, and what is known of it."""

    content: Path
    entry: FileEntry


@dataclass(frozen=True, slots=True)
class Listed:
    """A file or folder in a folder; folders have no entry."""

    name: str
    entry: FileEntry | None


class Files:
    """What the Files API does."""

    def __init__(self, resources: Resources) -> None:
        self._own = resources

    # ------------------------------------------------------------------------------------------------------- reading

    def find(self, where: FilePath, caller: Principal) -> StoredFile:
        """The file. Raises `NotFound`, `PermissionDenied`, `BlobDamaged`."""
        entry = self._manifest(where, caller).get(where.path)
        if entry is None:
            raise _no_file(where)
        return StoredFile(self._own.blobs.check(Blob(entry.digest, entry.size)), entry)

    def list(self, where: FilePath, caller: Principal) -> Sequence[Listed]:
        """What is in a folder, by name. Raises `NotFound` where there is no folder."""
        prefix = f"{where.path}/" if where.path else ""
        found: dict[str, FileEntry | None] = {}
        for path, entry in self._manifest(where, caller).items():
            if path.startswith(prefix):
                name, _, below = path.removeprefix(prefix).partition("/")
                found[name] = None if below else entry
        if prefix and not found:
            raise NotFound(f"There is no folder {where.absolute}.", param="path")
        return [Listed(name, found[name]) for name in sorted(found)]

    # ------------------------------------------------------------------------------------------------------- writing

    def check_writable(self, where: FilePath, caller: Principal, *, overwrite: bool) -> None:
        """Return if the caller may put a file there. Raises `Conflict` once the version is final."""
        with self._own.database.transaction() as connection:
            self._writable(connection, where, caller, overwrite=overwrite)

    def reserve(self, size: int) -> None:
        """Return if so many bytes fit. Raises `Unavailable`."""
        self._own.blobs.reserve(size)

    def receive(self) -> BlobWriter:
        """A content on its way in."""
        return self._own.blobs.receive()

    def put(self, where: FilePath, caller: Principal, blob: Blob, *, overwrite: bool) -> None:
        """Make a content that is held the file's; what an overwritten file had is collected with its version."""
        entry = FileEntry(blob.digest, blob.size, self._own.now_ms())
        with self._own.database.transaction() as connection:
            self._writable(connection, where, caller, overwrite=overwrite)
            repository.put_files(connection, where.name, where.version, {where.path: entry})

    def remove(self, where: FilePath, caller: Principal) -> None:
        """Take a file out of a version that is not final yet. Raises `NotFound`."""
        with self._own.database.transaction() as connection:
            self._pending(connection, where.name, where.version, caller)
            if not repository.remove_file(connection, where.name, where.version, where.path):
                raise _no_file(where)
        self._own.collect()

    def link(self, name: ModelName, version: int, caller: Principal, offered: Mapping[str, str]) -> frozenset[str]:
        """Take what the caller may read already: which of the offered paths (to SHA-256) are now the version's."""
        for path in offered:
            if not checked_file(path):
                raise InvalidParameterValue("A file needs a path.", param="files")
        with self._own.database.transaction() as connection:
            self._pending(connection, name, version, caller)
        with self._own.blobs.holding(frozenset(offered.values())) as here:
            wanted = {path: digest for path, digest in offered.items() if digest in here}
            pairs = list(wanted.items())
            check_places(wanted.keys())
            # Piece by piece: others get their turn at the database in between.
            return frozenset(
                path
                for begin in range(0, len(wanted), _LINKED_AT_ONCE)
                for path in self._link(name, version, caller, dict(pairs[begin : begin + _LINKED_AT_ONCE]))
            )

    # --------------------------------------------------------------------------------------------- uploads in parts

    def begin(self, where: FilePath, caller: Principal, *, overwrite: bool) -> UploadSession:
        """A new upload in parts."""
        self.check_writable(where, caller, overwrite=overwrite)
        return self._own.uploads.begin(
            where.name.full_name, where.version, where.path, caller.name, overwrite=overwrite
        )

    def begun(self, name: ModelName, version: int, caller: Principal) -> Sequence[tuple[UploadSession, Sequence[Part]]]:
        """The caller's uploads to a version, with the parts that are here."""
        return [
            (session, self._own.uploads.parts(session.token))
            for session in self._own.uploads.of_version(name.full_name, version)
            if session.owner == caller.name
        ]

    def session(self, token: str, where: FilePath, caller: Principal) -> UploadSession:
        """The upload. Raises `NotFound` for another path's, `PermissionDenied` for somebody else's."""
        session = self._own.uploads.find(token)
        if (session.full_name, session.version, session.path) != (where.name.full_name, where.version, where.path):
            raise NotFound(f"The upload is not for {where.absolute}.", param="session_token")
        if session.owner != caller.name and not caller.is_admin:
            raise PermissionDenied("Somebody else began this upload. Begin your own.")
        return session

    def receive_part(self, token: str, number: int) -> PartWriter:
        """A part on its way in."""
        return self._own.uploads.receive(token, number)

    def complete(self, where: FilePath, caller: Principal, token: str, parts: Sequence[Part]) -> None:
        """Put the parts together; a second call, after an answer that got lost, changes nothing."""
        session = self.session(token, where, caller)
        with self._own.uploads.completing(token) as is_done:
            if is_done:
                return
            self._own.blobs.reserve(self._own.uploads.size(token, parts))
            with self._own.blobs.receive() as writer:
                for chunk in self._own.uploads.chunks(token, parts):
                    writer.write(chunk)
                self.put(where, caller, writer.commit(), overwrite=session.overwrite)
            self._own.uploads.complete(token)

    def abort(self, token: str) -> None:
        """Forget an upload. Raises `NotFound`."""
        self._own.uploads.find(token)
        self._own.uploads.end(token)

    # ------------------------------------------------------------------------------------------------------- helpers

    def _manifest(self, where: FilePath, caller: Principal) -> Manifest:
        with self._own.database.transaction() as connection:
            self._own.viewable(connection, where.name, caller)
            self._own.version(connection, where.name, where.version)
            return repository.manifest(connection, where.name, where.version)

    def _writable(self, connection: Connection, where: FilePath, caller: Principal, *, overwrite: bool) -> None:
        if not where.path:
            raise InvalidParameterValue("A file needs a path below its version.", param="path")
        self._pending(connection, where.name, where.version, caller)
        paths = repository.paths(connection, where.name, where.version)
        if where.path in paths and not overwrite:
            raise AlreadyExists(f"{where.absolute} exists already; say overwrite=true to replace it.", param="path")
        check_places(paths | {where.path})

    def _link(self, name: ModelName, version: int, caller: Principal, wanted: Mapping[str, str]) -> AbstractSet[str]:
        with self._own.database.transaction() as connection:
            self._pending(connection, name, version, caller)
            sizes = self._readable(connection, sorted(set(wanted.values())), caller)
            now = self._own.now_ms()
            entries = {
                path: FileEntry(digest, sizes[digest], now) for path, digest in wanted.items() if digest in sizes
            }
            check_places(repository.paths(connection, name, version) | entries.keys())
            repository.put_files(connection, name, version, entries)
        return entries.keys()

    def _pending(self, connection: Connection, name: ModelName, number: int, caller: Principal) -> None:
        self._own.changeable(connection, name, caller)
        refuse_while_fetched(still_pending(self._own.version(connection, name, number)))

    def _readable(self, connection: Connection, digests: Sequence[str], caller: Principal) -> Mapping[str, int]:
        held = repository.holders(connection, digests)
        may = {name: self._own.grants.may_execute(caller, name) for name in {name for _, _, name in held}}
        return {digest: size for digest, size, name in held if may[name]}


def check_places(paths: AbstractSet[str]) -> None:
    """Refuse a file where a folder is, or below a file. Raises `InvalidParameterValue`."""
    folders = set[str]()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    if both := folders & paths:
        raise InvalidParameterValue(f"'{min(both)}' would be a file and a folder at once.", param="path")


def _no_file(where: FilePath) -> NotFound:
    return NotFound(f"There is no file {where.absolute}.", param="path")
