"""Child process that downloads from the Hugging Face hub: `python -m openfm.ops.hub_worker REPO REVISION CACHE [FILE]`.

A process of its own, because the hub's library is large, blocks, and cannot be interrupted in any other way. It
writes one JSON object a line: progress, then the path or the error. HF_TOKEN and the like reach it untouched.
"""

import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

# Pickled weights run code when they are read; the rest are other engines' copies of the same weights.
_NOT_WANTED = ["*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.gguf", "*.onnx*", "original/*", "metal/*"]
_FORBIDDEN = frozenset({401, 403})


class _ReportedProgress(tqdm):
    """A progress bar that writes JSON lines instead of drawing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("name", None)
        kwargs |= {"disable": False, "file": io.StringIO()}
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]

    def update(self, n: float | None = 1) -> None:
        """Report bytes; counts of files are of no interest."""
        super().update(n)
        if self.unit == "B":
            _say({"done": int(self.n), "total": int(self.total or 0)})


def main(arguments: Sequence[str]) -> None:
    """Download and report."""
    repo, revision, cache, *path = arguments
    try:
        _say({"path": _download(repo, revision, cache, path[0] if path else None)})
    except GatedRepoError:
        _fail(
            "PermissionDenied",
            f"{repo} is gated: accept its licence at https://huggingface.co/{repo} and set HF_TOKEN.",
        )
    except RepositoryNotFoundError:
        _fail("NotFound", f"The hub has no repository {repo}, or HF_TOKEN may not see it.")
    except RevisionNotFoundError:
        _fail("NotFound", f"{repo} has no revision '{revision}'.")
    except RemoteEntryNotFoundError:
        _fail("NotFound", f"{repo} has no file '{path[0] if path else ''}'.")
    except HFValidationError as error:
        _fail("NotFound", f"'{repo}' is no name of a repository: {error}")
    except LocalEntryNotFoundError:
        _fail("Unavailable", "The hub cannot be reached, and the file is not in its cache here.")
    except HfHubHTTPError as error:
        status = error.response.status_code
        kind = "PermissionDenied" if status in _FORBIDDEN else "Unavailable"
        _fail(kind, f"The hub answers {status}: {str(error).splitlines()[0]}")
    except OSError as error:
        _fail("Unavailable", f"The download failed: {error}.")


def _download(repo: str, revision: str, cache: str, path: str | None) -> str:
    if path:
        return hf_hub_download(repo, path, revision=revision, cache_dir=cache, tqdm_class=_ReportedProgress)
    return snapshot_download(
        repo, revision=revision, cache_dir=cache, ignore_patterns=_NOT_WANTED, tqdm_class=_ReportedProgress
    )


def _say(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _fail(kind: str, message: str) -> None:
    _say({"error": kind, "message": message})


if __name__ == "__main__":
    main(sys.argv[1:])
