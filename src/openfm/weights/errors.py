"""Why weights are not taken in. All are the caller's to mend, so all are 400s."""

from openfm.core.errors import InvalidParameterValue


class CorruptModel(InvalidParameterValue):
    """A file contradicts its own format, or leads out of its folder."""


class RefusedModel(InvalidParameterValue):
    """The files are whole, but using them would run somebody's code or never end."""


class UnsupportedModel(InvalidParameterValue):
    """A model that nothing here can serve."""


class ConversionFailed(InvalidParameterValue):
    """The weights could not be brought into a form that an engine reads."""
