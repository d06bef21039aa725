"""The bootstrap admin token: made at first start, kept in HOME with mode 600."""

import os
import secrets
from pathlib import Path

_PREFIX = "dapi"  # what tools that look at the shape of a Databricks token expect
ADMIN_TOKEN_FILE = "admin-token"


def ensure_admin_token(home: Path) -> tuple[str, bool]:
    """The token, and whether it was made just now."""
    path = home / ADMIN_TOKEN_FILE
    if path.exists():
        return path.read_text().strip(), False
    token = _PREFIX + secrets.token_hex(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    return token, True
