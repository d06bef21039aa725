"""Reports of usage out of the database: charge-back by principal, endpoint, tag or day."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass

from openfm.core.errors import InvalidParameterValue
from openfm.core.invoice import Used
from openfm.core.price import shown_pico
from openfm.core.principal import Principal
from openfm.core.report import DAY_US, Days, Grouping, GroupKind, Report, ReportKey, day_of
from openfm.metering.corrections import correction_costs
from openfm.metering.invoice import safe
from openfm.metering.sums import closed
from openfm.metering.unit_hours import unit_costs
from openfm.store.database import Database

_COLUMNS = ("currency", "requests", "prompt_tokens", "cached_tokens", "completion_tokens", "amount")
_NAMES = {GroupKind.PRINCIPAL: "principal_name", GroupKind.ENDPOINT: "endpoint_name"}


@dataclass(frozen=True, slots=True)
class ReportDesk:
    """Writes reports; its calls block."""

    database: Database

    def report(self, by: Grouping, days: Days, caller: Principal, form: str) -> str:
        """See `control.usage.ports.Reports`. Raises `InvalidParameterValue` for another form than csv and json."""
        writers: dict[str, Callable[[Report], str]] = {"json": as_json, "csv": as_csv}
        if form not in writers:
            raise InvalidParameterValue(f"format must be one of {', '.join(writers)}.", param="format")
        return writers[form](self.made(by, days, caller))

    def made(self, by: Grouping, days: Days, caller: Principal) -> Report:
        """The sums; a day at a time, for readers and writers of the database take turns."""
        lines: dict[ReportKey, Used] = {}
        start_us, end_us = days.bounds_us
        names = ["currency", *([] if by.kind is GroupKind.DAY else [_NAMES.get(by.kind, str(by))])]
        for day_us in range(start_us, end_us, DAY_US):
            with self.database.transaction() as connection:
                span_us = day_us, day_us + DAY_US
                hours = unit_costs(connection, names, span_us, caller)
                corrections = correction_costs(connection, names, span_us, caller)
                for found, used in (*closed(connection, names, span_us, caller), *hours, *corrections):
                    key = ReportKey(found[0], day_of(day_us) if by.kind is GroupKind.DAY else found[1])
                    lines[key] = lines[key] + used if key in lines else used
        return Report(by, days, "everybody" if caller.is_admin else caller.name, dict(sorted(lines.items())))


def as_json(report: Report) -> str:
    """One JSON object; amounts are strings, for they are exact."""
    body = {
        "by": str(report.by),
        "from": report.days.first.isoformat(),
        "to": report.days.last.isoformat(),
        "for": report.subject,
        "lines": [{"key": key.key, "currency": key.currency, **_facts(used)} for key, used in report.lines.items()],
        "totals": [{"currency": currency, **_facts(used)} for currency, used in report.totals.items()],
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_csv(report: Report) -> str:
    """A header and one record a line."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((str(report.by), *_COLUMNS))
    for key, used in report.lines.items():
        writer.writerow((safe(key.key), key.currency, *_facts(used).values()))
    return out.getvalue()


def _facts(used: Used) -> dict[str, object]:
    return {
        "requests": used.requests,
        "prompt_tokens": used.prompt,
        "cached_tokens": used.cached,
        "completion_tokens": used.completion,
        "amount": shown_pico(used.cost_pico),
    }
