"""Conversion to GGUF in child processes: the converter's own, and where a tokenizer is new to it, llama.cpp's."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfm.core.errors import Unavailable
from openfm.weights.child import Command, answers, log_tail
from openfm.weights.errors import ConversionFailed, UnsupportedModel
from openfm.weights.folder import shown
from openfm.weights.trial_header import PLACEHOLDER, padding
from openfm.weights.trial_texts import TRIAL_TEXTS

OnProgress = Callable[[float, str], None]
_TRIAL = "openfm.weights.tokenizer_trial"  # by name: it loads llama.cpp, and this process must not
_WORKER = Path(__file__).with_name("convert_worker.py")
_GIB = 1024**3
_SPARE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ConverterLimits:
    """`memory_bytes` is what a conversion may allocate; `file_bytes` the largest file it may write (0: as expected)."""

    memory_bytes: int = 16 * _GIB
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Converter:
    """The interpreter of the `convert` environment (`convert_environment.ensure` makes it), and what it may use."""

    python: Path
    limits: ConverterLimits = ConverterLimits()


@dataclass(frozen=True, slots=True)
class Conversion:
    """One conversion: `folder` holds nothing but what it needs, `scratch` is the conversion's own for its other files.

    `details` are further fields of the worker's task (`convert_worker.py`).
    """

    folder: Path
    out: Path
    scratch: Path
    expected_bytes: int
    details: Mapping[str, object]


async def convert(converter: Converter, conversion: Conversion, on_progress: OnProgress) -> None:
    """Write `conversion.out`.

    Raises `ConversionFailed` with the converter's reason, `UnsupportedModel` for a tokenizer that llama.cpp cannot
    imitate, `Unavailable` when the disk is full. Cancelling leaves no process behind.
    """
    on_progress(0.0, "starting the converter")
    answer = await _run_worker(converter, conversion, None, on_progress)
    if answer.get("unknown_tokenizer"):
        on_progress(0.0, "finding out how the tokenizer cuts words")
        pre = await _find_pre(conversion)
        answer = await _run_worker(converter, conversion, pre, on_progress)
    if answer.get("is_disk_full"):
        raise Unavailable(
            f"The disk is full: the conversion needs about {conversion.expected_bytes} bytes. "
            "Make room and try again; nothing was left behind.",
            retry_after_s=60,
        )
    if not answer.get("done"):
        raise ConversionFailed(f"The conversion failed: {shown_reason(answer, conversion.scratch)}.")


def shown_reason(answer: Mapping[str, Any], scratch: Path) -> str:
    """The worker's reason, or the end of its log where it died without one."""
    reason = answer.get("failed") or log_tail(_log(scratch)) or "the process was killed"
    return shown(str(reason)[:600].rstrip("."), 600)


async def _run_worker(
    converter: Converter, conversion: Conversion, pre: str | None, on_progress: OnProgress
) -> Mapping[str, Any]:
    most = converter.limits.file_bytes or conversion.expected_bytes * 2 + _SPARE_BYTES
    task = {
        "folder": str(conversion.folder),
        "out": str(conversion.out),
        "expected_bytes": conversion.expected_bytes,
        "memory_bytes": converter.limits.memory_bytes,
        "file_bytes": most,
        "pre": pre,
        "trial": {
            "file": str(conversion.scratch / "trial.gguf"),
            "ids": str(conversion.scratch / "trial.json"),
            "texts": TRIAL_TEXTS,
            "placeholder": PLACEHOLDER,
            "padding": padding(PLACEHOLDER),
        },
        **conversion.details,
    }
    arguments = [str(converter.python), "-I", str(_WORKER)]
    command = Command(arguments, task, _log(conversion.scratch), _environment(conversion.scratch))
    answer: Mapping[str, Any] = {}
    async with aclosing(answers(command)) as lines:
        async for line in lines:
            if "fraction" in line:
                on_progress(float(line["fraction"]), str(line["stage"]))
            else:
                answer = line
    return answer


async def _find_pre(conversion: Conversion) -> str:
    task = {
        "file": str(conversion.scratch / "trial.gguf"),
        "ids": str(conversion.scratch / "trial.json"),
        "texts": TRIAL_TEXTS,
    }
    arguments = [sys.executable, "-I", "-m", _TRIAL]
    command = Command(arguments, task, _log(conversion.scratch), _environment(conversion.scratch))
    answer: Mapping[str, Any] = {}
    async with aclosing(answers(command)) as lines:
        async for line in lines:
            answer = line
    if isinstance(answer.get("pre"), str):
        return str(answer["pre"])
    if "closest" not in answer:
        raise ConversionFailed(f"The tokenizer could not be tried: {shown_reason({}, conversion.scratch)}.")
    raise UnsupportedModel(
        "The tokenizer cuts text into words in a way that llama.cpp does not know; the closest, "
        f"{answer['closest']}, differs at {shown(ascii(answer['differs_at']))}. "
        "Train the model with the pre-tokenizer of a known one, such as Llama 3's."
    )


def _environment(scratch: Path) -> dict[str, str]:
    """No network, no cache of the user's, no secret."""
    return {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HOME": str(scratch),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": str(os.cpu_count() or 1),
    }


def _log(scratch: Path) -> Path:
    return scratch / "log"
