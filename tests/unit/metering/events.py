"""Requests for tests of the ledger, and a disk that can fail."""

import errno
from dataclasses import dataclass, field
from pathlib import Path

from openfm.core.ledger import LedgerEntry, LedgerState, Settlement
from openfm.core.principal import PrincipalKind
from openfm.core.usage import TokenCounts
from openfm.metering.disk import RealDisk
from openfm.metering.journal import Journal
from openfm.metering.journal_folder import JournalFolder

NOON_US = 1_800_000_000_000_000


def clock_us() -> int:
    """A clock that stands still."""
    return NOON_US


def entry(request_id: str = "r1", *, endpoint: str = "chat", received_us: int = NOON_US) -> LedgerEntry:
    """A request on its way."""
    return LedgerEntry(
        request_id=request_id,
        principal_id="7",
        principal_name="ana@example.com",
        principal_kind=PrincipalKind.USER,
        token_id="t1",
        endpoint_id="e" * 32,
        endpoint_name=endpoint,
        served_entity="smol-1",
        entity_name="system.ai.smol",
        entity_version="1",
        config_version=3,
        task="llm/v1/chat",
        is_streaming=True,
        received_us=received_us,
        reserved_prompt_tokens=100,
        reserved_completion_tokens=64,
        client_request_id="mine",
        tags=(("team", "red"),),
    )


def settlement(
    request_id: str = "r1", billed: TokenCounts = TokenCounts(10, 5), state: LedgerState = LedgerState.SETTLED
) -> Settlement:
    """Its end."""
    return Settlement(
        request_id=request_id,
        served_entity="smol-1",
        entity_name="system.ai.smol",
        entity_version="1",
        state=state,
        status=200,
        finish_reason="stop",
        admitted_us=NOON_US + 1,
        first_token_us=NOON_US + 2,
        finished_us=NOON_US + 3,
        queue_us=1,
        generated=billed,
        billed=billed,
    )


@dataclass
class FailingDisk(RealDisk):
    """Takes `room` bytes, then is full; and refuses what is named in `broken`."""

    room: int = 1 << 40
    broken: set[str] = field(default_factory=set)

    def _check(self, what: str) -> None:
        if what in self.broken:
            raise OSError(errno.EIO, f"{what} failed")

    def create(self, path: Path) -> int:
        self._check("create")
        return super().create(path)

    def write(self, descriptor: int, data: bytes) -> int:
        self._check("write")
        if not self.room:
            raise OSError(errno.ENOSPC, "no space")
        taken = super().write(descriptor, data[: self.room])
        self.room -= taken
        return taken

    def truncate(self, descriptor: int, size: int) -> None:
        self._check("truncate")
        super().truncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        del descriptor
        self._check("sync")


def journal_in(folder: JournalFolder, disk: FailingDisk | None = None, segment_bytes: int = 1 << 20) -> Journal:
    """A journal without a thread."""
    folder.path.mkdir(exist_ok=True)
    return Journal("gateway", folder, disk or FailingDisk(), segment_bytes)
