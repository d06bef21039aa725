"""Writes the management API's description, which the web pages' types are made from: `python -m tools.openapi`.

`tests/docs` fails when `web/openapi.json` is not what this writes.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, cast

from openfm.catalog.catalog import load_catalog
from openfm.control.access_setup import open_access
from openfm.control.api import ControlPlane, management_api
from openfm.control.endpoints.directory import EndpointDirectory
from openfm.control.endpoints.routes import Desk
from openfm.control.registry.setup import Neighbours, Registry
from openfm.store.blobs import BlobStore
from openfm.store.database import Database

TARGET = Path(__file__).resolve().parent.parent / "web" / "openapi.json"


def document() -> str:
    """The description, the same for every version of openfm whose routes are the same."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        database = Database(f"sqlite:///{home / 'openfm.db'}")
        try:
            database.migrate()
            described = management_api(_plane(database, home)).openapi()
        finally:
            database.close()
    described["info"]["version"] = ""
    return json.dumps(described, indent=1, sort_keys=True) + "\n"


def _plane(database: Database, home: Path) -> ControlPlane:
    """Enough of the server for its routes to be there; nothing of it is called."""
    nobody = cast("Any", None)
    access = open_access(database, home, "none", lambda: 0, lambda _: lambda: None)
    directory = EndpointDirectory(access.grants)
    neighbours = Neighbours(access.grants, directory, nobody, nobody, nobody)
    return ControlPlane(
        access=access,
        desk=Desk(directory, nobody, nobody, nobody, nobody),
        registry=Registry(database, BlobStore(home / "blobs"), load_catalog(), neighbours),
        workspace_id="1",
        public_url=None,
        usage=nobody,
        limits=nobody,
        weights=nobody,
        platform=nobody,
        sql=nobody,
        statements=nobody,
        calibrations=nobody,
        throughput=nobody,
        budgets=nobody,
        payloads=nobody,
    )


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
