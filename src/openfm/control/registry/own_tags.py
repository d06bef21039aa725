"""Tags of versions that mean something to openfm: which values they have, and that they stay."""

from collections.abc import Mapping

from openfm.core.errors import InvalidParameterValue
from openfm.core.registry import BASE_TAG, QUANTIZATION_TAG, SOURCE_KIND_TAG, ModelVersion
from openfm.weights.preparation import QUANTIZATIONS

_STAY = (BASE_TAG, QUANTIZATION_TAG)
"""Who may serve an adapter was judged by the base it had, and a version never comes to mean other weights."""


def check_values(tags: Mapping[str, str | None]) -> None:
    """Raise `InvalidParameterValue` for a tag of openfm's that has another value than it may."""
    asked = tags.get(QUANTIZATION_TAG)
    if asked is not None and asked not in QUANTIZATIONS:
        raise InvalidParameterValue(
            f"The tag {QUANTIZATION_TAG} is '{asked}'; use one of: {', '.join(QUANTIZATIONS)}.", param=QUANTIZATION_TAG
        )


def check_changes(version: ModelVersion, changes: Mapping[str, str | None]) -> None:
    """Raise `InvalidParameterValue` for changes of openfm's tags that this version cannot have."""
    check_values(changes)
    for tag in _STAY:
        known = version.tags.get(tag)
        if known is not None and changes.get(tag, known) != known:
            raise InvalidParameterValue(
                f"The tag {tag} of '{version.name}' version {version.version} is '{known}' and stays so. "
                "Register the model again as a new version with another one.",
                param=tag,
            )
    known = version.tags.get(SOURCE_KIND_TAG)
    if changes.get(SOURCE_KIND_TAG, known) != known:
        raise InvalidParameterValue(
            f"The tag {SOURCE_KIND_TAG} says how the version came here; only whoever makes the version sets it.",
            param=SOURCE_KIND_TAG,
        )
