"""What every client's story shares. Standard library only: each script runs in its own client's environment.

A script tries what its client's users do, and prints one JSON object: a step's name to `{"value": …}` or
`{"error": class name, "bases": names of the classes above it, "status": HTTP status or None, "message": text}`.
"""

import json
import os
from types import SimpleNamespace

HOST = os.environ.get("OPENFM_TEST_URL", "").rstrip("/")
TOKEN = os.environ.get("OPENFM_TEST_TOKEN", "")
WRONG_TOKEN = "dapi-wrong"

CHAT = "openfm-smollm2-135m-instruct"
EMBEDDING = "openfm-minilm-l6-v2"
UNKNOWN = "no-such-endpoint"
# Names that Databricks serves and this machine cannot; the server answers them with its default models.
CHAT_ALIAS = "databricks-llama-2-70b-chat"
EMBEDDING_ALIAS = "databricks-bge-large-en"

SYSTEM = "You are a helpful assistant."
QUESTION = "Name the capital of France."
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
TOO_LONG = [{"role": "user", "content": "word " * 20_000}]
MAX_TOKENS = 24

CAT, KITTEN, TAX = TEXTS = ["a cat sits on the mat", "a kitten rests on a rug", "quarterly tax report"]
BATCHES = [[f"text number {first + i}" for i in range(min(20, 45 - first))] for first in (0, 20, 40)]


def attempt(action, *expected):
    """What `action` returned, or which of the `expected` exceptions it raised."""
    try:
        return {"value": action()}
    except expected as error:
        response = getattr(error, "response", None)
        status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
        return {
            "error": type(error).__name__,
            "bases": [base.__name__ for base in type(error).__mro__],
            "status": status,
            "message": str(error)[:2000],
        }


def with_host(host=HOST, token=TOKEN):
    """Let Databricks' clients find the server as they do by default: by the environment."""
    os.environ["DATABRICKS_HOST"] = host
    os.environ["DATABRICKS_TOKEN"] = token
    return SimpleNamespace(host=host, token=token)


def tell(steps):
    """Print the story; what libraries print before is not its last line."""
    print("\n" + json.dumps(steps))
