"""What the routes of prices and invoices need; `metering` fulfils it. All calls block."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from openfm.core.correction import CorrectionRequest, MadeCorrection
from openfm.core.invoice import Month
from openfm.core.price import Price, PriceRequest
from openfm.core.principal import Principal
from openfm.core.report import Days, Grouping


class InvoiceFormat(StrEnum):
    """How an invoice is written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


class Prices(Protocol):
    """Keeps the price book."""

    def all(self) -> Sequence[Price]:
        """Every price ever set, by version."""
        ...

    def set(self, request: PriceRequest, caller: Principal) -> Price:
        """Add a price. Raises `InvalidParameterValue` where requests of that time were priced already."""
        ...


class Reports(Protocol):
    """Writes reports of usage."""

    def report(self, by: Grouping, days: Days, caller: Principal, form: str) -> str:
        """An admin's is about everybody, another caller's about itself. Raises `InvalidParameterValue`."""
        ...


class Retention(Protocol):
    """Forgets what is older than the settings say."""

    def kept(self) -> Mapping[str, object]:
        """The settings, and what is there now."""
        ...

    def sweep(self) -> Mapping[str, object]:
        """Forget it now; the same, and how much went."""
        ...


class Corrections(Protocol):
    """Corrects what requests cost."""

    def correct(self, request: CorrectionRequest, caller: Principal) -> MadeCorrection:
        """Add a correction. Raises `NotFound`, `Conflict`, `InvalidParameterValue`."""
        ...

    def of_month(self, month: Month, caller: Principal) -> Sequence[MadeCorrection]:
        """Those made in a month: for an admin everybody's, else those of the caller's own requests."""
        ...


class Invoices(Protocol):
    """Writes invoices."""

    def invoice(self, month: Month, caller: Principal, form: str) -> str:
        """The month's: an admin's is about everybody, another caller's about itself. The same bytes each time."""
        ...
