"""What the tests of the control plane share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.control.access_world import World as AccessWorld


@pytest.fixture
def people(tmp_path: Path) -> Iterator[AccessWorld]:
    """An opened access with the bootstrap admin in it."""
    opened = AccessWorld(tmp_path)
    yield opened
    opened.database.close()
