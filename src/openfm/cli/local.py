"""The server's settings, for the verbs that work on this machine without a server."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from openfm.cli.errors import CliError, ExitCode


class LocalSettings(Protocol):
    """The part of `openfm.settings.Settings` that these verbs use."""

    @property
    def home(self) -> Path:
        """State."""
        ...

    @property
    def weights_dir(self) -> Path:
        """Weights."""
        ...

    @property
    def package_index(self) -> str | None:
        """The package index for weights; pip's own when None."""
        ...

    @property
    def role(self) -> str:
        """What a server does: all, control or gateway."""
        ...

    @property
    def host(self) -> str:
        """Where the server would listen."""
        ...

    @property
    def port(self) -> int:
        """Its port."""
        ...


def load_settings(flags: Mapping[str, Any]) -> LocalSettings:
    """The settings with these flags. Raises `CliError` for wrong ones.

    Loaded by name: reading settings takes longer than the help of every verb together.
    """
    settings = import_module("openfm.settings")
    try:
        return cast("LocalSettings", settings.load(flags))
    except settings.SettingsError as error:
        raise CliError(str(error), ExitCode.USAGE) from error
