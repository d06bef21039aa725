"""The system's Chromium, installed where it is missing and can be."""

import os
import shutil
import subprocess

_INSTALL_LIMIT_S = 900


class NoChromium(Exception):
    """There is none, and it cannot be installed; the message says why."""


def chromium() -> str:
    """The path of the program. Raises `NoChromium`."""
    return shutil.which("chromium") or _installed()


def _installed() -> str:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoChromium("Chromium is not here. Install it: apt install chromium")
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-q", "update"],
        ["apt-get", "-qy", "install", "--no-install-recommends", "chromium", "fonts-dejavu-core"],
    ):
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, check=False, timeout=_INSTALL_LIMIT_S
        )
        if done.returncode:
            raise NoChromium(f"{' '.join(command)} failed: {done.stderr[-1000:]}")
    found = shutil.which("chromium")
    if found is None:
        raise NoChromium("The package chromium is installed, but its program is not on the PATH.")
    return found
