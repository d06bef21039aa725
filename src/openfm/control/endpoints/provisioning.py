"""What may be asked for as provisioned throughput: which fields go together, and in what steps it is sold. Pure."""

from typing import TypedDict

from openfm.control.endpoints.inputs import ServedEntityInput
from openfm.core.endpoint import EntitySettings
from openfm.core.errors import InvalidParameterValue
from openfm.core.limits import MOST
from openfm.scheduling.work import Throughput

_LEAST, _MOST, _UNITS = "min_provisioned_throughput", "max_provisioned_throughput", "provisioned_model_units"


class Provisioned(TypedDict):
    """The three fields of `EntitySettings` that say it."""

    min_provisioned_throughput: int | None
    max_provisioned_throughput: int | None
    provisioned_model_units: int | None


def provisioned(asked: ServedEntityInput) -> Provisioned:
    """What was asked for, if the fields go together. Raises `InvalidParameterValue`."""
    least, most, units = (getattr(asked, field) for field in (_LEAST, _MOST, _UNITS))
    for field, value, lowest in ((_LEAST, least, 0), (_MOST, most, 1), (_UNITS, units, 1)):
        if value is not None and not lowest <= value <= MOST:
            raise InvalidParameterValue(f"{field} is {value}; it must be {lowest} to {MOST}.", param=field)
    if units is not None and (least is not None or most is not None):
        raise InvalidParameterValue(
            f"Throughput is provisioned either by {_UNITS} or by {_LEAST} and {_MOST}. Send one of both.", param=_UNITS
        )
    if least is not None and most is None:
        raise InvalidParameterValue(f"{_LEAST} needs {_MOST} beside it: at least as much, and above 0.", param=_MOST)
    if least is not None and most is not None and least > most:
        raise InvalidParameterValue(f"{_LEAST} is {least}, above {_MOST}, which is {most}.", param=_LEAST)
    return {
        "min_provisioned_throughput": least,
        "max_provisioned_throughput": most,
        "provisioned_model_units": units,
    }


def is_as_before(settings: EntitySettings, before: EntitySettings) -> bool:
    """Whether the same throughput is asked for: it is kept, whatever was measured since it was."""
    return all(getattr(settings, field) == getattr(before, field) for field in (_LEAST, _MOST, _UNITS))


def check_chunks(settings: EntitySettings, throughput: Throughput) -> None:
    """Refuse what is no multiple of the chunk. Raises `InvalidParameterValue` with the nearest that the machine has."""
    chunk = throughput.chunk
    most = max(1, throughput.chunks()) * chunk
    for field, value, lowest in (
        (_LEAST, settings.min_provisioned_throughput, 0),
        (_MOST, settings.max_provisioned_throughput, chunk),
    ):
        if value is not None and value % chunk:
            below = value - value % chunk
            near = {min(max(one, lowest), most) for one in (below, below + chunk)}
            raise InvalidParameterValue(
                f"{field} is {value}; this model's throughput is sold in multiples of {chunk} tokens per second. "
                f"Use {' or '.join(str(one) for one in sorted(near))}.",
                param=field,
            )
