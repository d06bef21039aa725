"""Inference tables in SQL: `catalog.schema.prefix_payload`, for those who manage its endpoints."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfm.core.errors import InvalidRequest
from openfm.core.principal import Principal
from openfm.metering.payloads import PayloadDesk
from openfm.metering.sql.sources import PAYLOAD_COLUMNS

MOST_BYTES = 512 << 20
"""Of requests and answers, that one question may be about."""

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class PayloadTables:
    """`managed` gives the tables of endpoints that a caller manages: their ids by name, which is in lower case."""

    desk: PayloadDesk
    managed: Callable[[Principal], Mapping[str, Sequence[str]]]
    most_bytes: int = MOST_BYTES

    def written(self, question: str, caller: Principal, folder: Path) -> Sequence[Mapping[str, str]]:
        """The caller's tables, by name; with rows, as JSON lines, for those that the question names.

        Raises `InvalidRequest` for more of them than one question may be about.
        """
        asked = question.lower().replace('""', '"')
        found = []
        left = self.most_bytes
        for number, (name, endpoint_ids) in enumerate(sorted(self.managed(caller).items())):
            path = folder / f"payloads-{number}.jsonl"
            with path.open("w", encoding="utf-8") as file:
                for row in self._rows(endpoint_ids if name.rpartition(".")[2] in asked else ()):
                    left -= file.write(json.dumps({column: row[column] for column in PAYLOAD_COLUMNS}) + "\n")
                    if left < 0:
                        raise _too_large(name, self.most_bytes)
            found.append({"name": name, "rows": str(path)})
        return found

    def _rows(self, endpoint_ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Page by page: who writes waits for who reads."""
        for endpoint_id in endpoint_ids:
            rows, token = self.desk.page(endpoint_id, None, _ROWS_AT_ONCE)
            yield from rows
            while token is not None:
                rows, token = self.desk.page(endpoint_id, token, _ROWS_AT_ONCE)
                yield from rows


def _too_large(name: str, most_bytes: int) -> InvalidRequest:
    return InvalidRequest(
        f"{name} has more than {most_bytes >> 20} MiB, too much for one question. Read it page by page: "
        "GET /api/2.0/openfm/inference-tables/{the endpoint's name}."
    )
