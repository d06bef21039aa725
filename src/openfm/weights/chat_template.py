"""Chat templates are programs that strangers wrote: each is compiled and run once in a child process with limits.

The child is `template_worker.py`. What the engine later runs is the same text in an interpreter of its own.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from openfm.weights.errors import RefusedModel
from openfm.weights.folder import shown

_LONGEST = 256 * 1024
_WALL_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class TemplateCaps:
    """What a template does with a request beyond its messages."""

    has_tools: bool = False


NO_TEMPLATE = TemplateCaps()


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Tokens by the name that templates know them by, such as `bos_token`."""

    by_name: Mapping[str, str] = field(default_factory=dict)


def try_template(template: str, tokens: SpecialTokens | None = None) -> TemplateCaps:
    """Render a short conversation in the child; what the template can do.

    Raises `RefusedModel` with the reason: it does not compile, reaches into Python, needs more than half a second of
    processor time or 512 MiB, or writes more than a million characters.
    """
    if len(template) > _LONGEST:
        raise RefusedModel(f"The chat template has {len(template)} characters; {_LONGEST} are possible. Shorten it.")
    task = json.dumps({"template": template, "tokens": dict((tokens or SpecialTokens()).by_name)})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "openfm.weights.template_worker"],
            input=task.encode(),
            capture_output=True,
            timeout=_WALL_LIMIT_S,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedModel(f"The chat template did not end within {_WALL_LIMIT_S:.0f} s. Correct it.") from error
    if done.returncode < 0:
        raise RefusedModel("The chat template used up its processor time or memory: it may never end. Correct it.")
    if done.returncode > 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RefusedModel(f"The chat template could not be tried: {shown(last)}. Correct it.")
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise RefusedModel(f"The chat template was refused: {shown(answer['refused'])}. Correct it.")
    return TemplateCaps(has_tools=bool(answer["has_tools"]))
