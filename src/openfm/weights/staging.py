"""Lays out what the converter may see of a model: weights and small files that inspection knows, and nothing else."""

import json
from pathlib import Path
from typing import Any

from openfm.weights.errors import CorruptModel
from openfm.weights.folder import ModelFolder, shown
from openfm.weights.hugging_face import ADAPTER_CONFIG, WEIGHT_INDEX, used_weights

_SMALL = (".json", ".jinja", ".txt", ".model")
_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_LARGEST_RANK = 65_536
# The converter knows MPT by the name of its first publication only.
_RENAMED = {"MptForCausalLM": "MPTForCausalLM"}


def small_bytes(files: ModelFolder) -> int:
    """Bytes of the tokenizer and of all other small files, most of which end up in the converted header."""
    return sum(files.size(name) for name in _small_names(files))


def stage(files: ModelFolder, folder: Path) -> Path:
    """Make `folder` with links to what the converter needs: no pickle, no Python file, no other weights."""
    folder.mkdir()
    for name in _small_names(files):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(files.files[name].resolve())
    weights = used_weights(files)
    for name in weights:
        # The converter takes files called model…; a single one may be called otherwise.
        (folder / (_WEIGHTS if len(weights) == 1 and WEIGHT_INDEX not in files.files else name)).symlink_to(
            files.files[name].resolve()
        )
    config = files.json(_CONFIG)
    config["architectures"] = [_RENAMED.get(name, name) for name in config["architectures"]]
    (folder / _CONFIG).unlink()
    (folder / _CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return folder


def adapter_task(files: ModelFolder) -> dict[str, Any]:
    """How a LoRA adapter scales its matrices (peft's `adapter_config.json`). Raises `CorruptModel`."""
    config = files.json(ADAPTER_CONFIG)
    return {
        "rank": _positive(config, "r"),
        "alpha": _positive(config, "lora_alpha"),
        "rank_pattern": _pattern(config, "rank_pattern"),
        "alpha_pattern": _pattern(config, "alpha_pattern"),
        "is_rank_stabilized": bool(config.get("use_rslora")),
    }


def _small_names(files: ModelFolder) -> list[str]:
    return [name for name in files.files if name.endswith(_SMALL) and name != ADAPTER_CONFIG and name.count("/") <= 1]


def _positive(config: dict[str, Any], name: str) -> float:
    value = config.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST_RANK:
        raise CorruptModel(f"{ADAPTER_CONFIG}: {name} must be a number above 0, not {shown(value)}. Correct it.")
    return value


def _pattern(config: dict[str, Any], name: str) -> dict[str, float]:
    patterns = config.get(name) or {}
    if not isinstance(patterns, dict):
        raise CorruptModel(f"{ADAPTER_CONFIG}: {name} must be an object. Correct it.")
    return {str(key): _positive(patterns, key) for key in patterns}
