"""Builds a tiny model of every architecture, with its own configuration class, and says what it answers.

    python -m tests.integration.tiny_models.build CORPUS OUT [NAME …]

Runs in the `convert` environment. For each name in `CASES`: OUT/NAME/base, OUT/NAME/merged (a LoRA change, merged),
OUT/NAME/adapter (the same change as peft stores it), and OUT/NAME/expected.json, transformers' own answers.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DbrxConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    MptConfig,
    Qwen2Config,
    Qwen3Config,
)

from tests.integration.tiny_models import tokenizers_made as made

CONTEXT = 128
NUM_TOKENS = 8
NUM_PROMPTS = 3
PROMPT_TOKENS = 12
RANK, ALPHA = 4, 8
# Engines multiply 16-bit numbers: a token that leads by less than this may be another one there.
SMALLEST_LEAD = 0.05
FEWEST_DIFFERENT = 4
_TEXTS = ("the tide comes in at noon", "a model answers with tokens", "Hello, world! 123")
_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_DENSE = (*_ATTENTION, "gate_proj", "up_proj", "down_proj")
_USUAL = {
    "vocab_size": made.VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
    "tie_word_embeddings": False,
}
_PIECES = {"bos_token_id": 1, "eos_token_id": 2}
_GEMMA = {**_USUAL, **_PIECES, "head_dim": 16, "tie_word_embeddings": True}
_WINDOW = {"sliding_window": 32, "query_pre_attn_scalar": 16}

MakeTokenizer = Callable[[Path, list[str]], None]
_LLAMA3 = partial(made.byte_level, pattern="llama3", has_bos=True)
_QWEN2 = partial(made.byte_level, pattern="qwen2", has_bos=False, end="<|endoftext|>")
_UNHEARD_OF = partial(made.byte_level, pattern="unheard of", has_bos=False)
_GPT2 = partial(made.byte_level, pattern=None, has_bos=False)
_DBRX = partial(made.byte_level, pattern="llama3", has_bos=False)
_SPM = partial(made.sentence_pieces, keeps_model=True)
_SPM_FAST = partial(made.sentence_pieces, keeps_model=False)
_SPM_GEMMA = partial(made.sentence_pieces, keeps_model=True, adds_prefix=False)


@dataclass(frozen=True)
class Case:
    """A configuration, the way to make its tokenizer, and the linear layers that the adapter changes."""

    config: Any
    tokenizer: MakeTokenizer
    targets: tuple[str, ...]


def _mpt() -> Any:
    return MptConfig(
        vocab_size=made.VOCABULARY, d_model=64, n_heads=4, n_layers=2, max_seq_len=CONTEXT, expansion_ratio=4,
        attn_config={"attn_type": "multihead_attention", "alibi": True, "clip_qkv": 6.0},
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip


def _dbrx() -> Any:
    return DbrxConfig(
        vocab_size=made.VOCABULARY, d_model=64, n_heads=4, n_layers=2, max_seq_len=CONTEXT,
        bos_token_id=0, eos_token_id=1,
        attn_config={"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 500000.0},
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        ffn_config={"ffn_hidden_size": 96, "moe_num_experts": 4, "moe_top_k": 2}, tie_word_embeddings=False,
    )  # fmt: skip


CASES: dict[str, Callable[[], Case]] = {
    "Llama 3": lambda: Case(LlamaConfig(**_USUAL, rope_theta=500000.0), _LLAMA3, _DENSE),
    "Unheard of": lambda: Case(LlamaConfig(**_USUAL), _UNHEARD_OF, _DENSE),
    "Llama 3.2": lambda: Case(
        LlamaConfig(
            **_USUAL | {"tie_word_embeddings": True},
            rope_scaling={
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        ),
        _LLAMA3,
        _DENSE,
    ),
    "Llama 2": lambda: Case(LlamaConfig(**_USUAL | _PIECES | {"num_key_value_heads": 4}), _SPM, _DENSE),
    "Llama": lambda: Case(LlamaConfig(**_USUAL | _PIECES | {"num_key_value_heads": 4}), _SPM_FAST, _DENSE),
    "Mistral": lambda: Case(MistralConfig(**_USUAL | _PIECES, sliding_window=None), _SPM_FAST, _DENSE),
    "Mixtral": lambda: Case(
        MixtralConfig(**_USUAL | _PIECES, num_local_experts=4, num_experts_per_tok=2), _SPM, _ATTENTION
    ),
    "MPT": lambda: Case(_mpt(), _GPT2, ("Wqkv", "out_proj", "up_proj", "down_proj")),
    "DBRX": lambda: Case(_dbrx(), _DBRX, ("Wqkv", "out_proj")),
    "BGE": lambda: Case(
        BertConfig(
            **{key: value for key, value in _USUAL.items() if key not in {"num_key_value_heads", "pad_token_id"}},
            architectures=["BertModel"],
        ),
        made.word_pieces,
        ("query", "key", "value", "dense"),
    ),
    "Qwen2": lambda: Case(Qwen2Config(**_USUAL), _QWEN2, _DENSE),
    "Qwen3": lambda: Case(Qwen3Config(**_USUAL, head_dim=16), _QWEN2, _DENSE),
    "Gemma": lambda: Case(GemmaConfig(**_GEMMA), _SPM_GEMMA, _DENSE),
    "Gemma 2": lambda: Case(Gemma2Config(**_GEMMA, **_WINDOW), _SPM_GEMMA, _DENSE),
    "Gemma 3": lambda: Case(Gemma3TextConfig(**_GEMMA, **_WINDOW), _SPM_GEMMA, _DENSE),
}


def main(arguments: list[str]) -> None:
    """Build what is asked for."""
    texts = Path(arguments[0]).read_text(encoding="utf-8").splitlines()
    torch.set_num_threads(2)
    for name in arguments[2:] or CASES:
        _build(CASES[name](), Path(arguments[1]) / name, texts)


def _build(case: Case, folder: Path, texts: list[str]) -> None:
    torch.manual_seed(7)
    base = folder / "base"
    case.tokenizer(base, texts)
    made.copy(base, folder / "merged")
    is_bert = isinstance(case.config, BertConfig)
    model = (BertModel(case.config) if is_bert else AutoModelForCausalLM.from_config(case.config)).eval()
    _randomize(model)
    answer = _embed if is_bert else _answer
    tokenizer = AutoTokenizer.from_pretrained(base)
    _save(model, base)
    expected: dict[str, Any] = {}
    with torch.inference_mode():
        changes = _changes(model, case.targets)
        expected["base"] = answer(model, tokenizer)
        _write_adapter(folder / "adapter", changes, base)
        for module, a, b in changes.values():
            module.weight += ALPHA / RANK * b @ a
        expected["adapter"] = answer(model, tokenizer)
        model.half().float()
        _save(model, folder / "merged")
        expected["merged"] = answer(model, tokenizer)
    expected["tokens"] = {text: tokenizer.encode(text) for text in _TEXTS}
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


def _randomize(model: Any) -> None:
    """Weights large enough that answers differ, and exact in 16 bits, so that nothing is lost on the way."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.normal_(0, 0.15 if weights.dim() > 1 else 0.1)
            if weights.dim() == 1 and name.endswith("weight") and "emma" not in type(model).__name__:
                weights.add_(1)
            if "embed" in name or "wte" in name:
                # Where the head is tied to them, large ones repeat the last token whatever the layers say.
                weights.mul_(0.3 if model.config.tie_word_embeddings else 4)
    model.half().float()


def _save(model: Any, folder: Path) -> None:
    model.half().save_pretrained(folder)
    model.float()


def _changes(model: Any, targets: tuple[str, ...]) -> dict[str, tuple[Any, torch.Tensor, torch.Tensor]]:
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name.rpartition(".")[2] in targets and "pooler" not in name:
            a = torch.randn(RANK, module.in_features) * 0.1
            found[name] = (module, a, torch.randn(module.out_features, RANK) * 0.1)
    return found


def _write_adapter(folder: Path, changes: dict[str, tuple[Any, torch.Tensor, torch.Tensor]], base: Path) -> None:
    """As peft's save_pretrained does."""
    folder.mkdir()
    tensors = {}
    for name, (_, a, b) in changes.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = a
        tensors[f"base_model.model.{name}.lora_B.weight"] = b
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(base), "r": RANK,
        "lora_alpha": ALPHA, "bias": "none", "target_modules": sorted({name.rpartition(".")[2] for name in changes}),
        "use_rslora": False, "use_dora": False, "rank_pattern": {}, "alpha_pattern": {}, "modules_to_save": None,
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")


def _answer(model: Any, tokenizer: Any) -> list[dict[str, list[int]]]:
    """Prompts of random ids, and the tokens that the model takes next, where each leads clearly."""
    generator = torch.Generator().manual_seed(11)
    special = set(tokenizer.all_special_ids)
    found: list[dict[str, list[int]]] = []
    for _attempt in range(400):
        prompt = torch.randint(10, made.VOCABULARY - 10, (PROMPT_TOKENS,), generator=generator).tolist()
        tokens = _greedy(model, prompt)
        if tokens is not None and not special & set(tokens) and len(set(tokens)) >= FEWEST_DIFFERENT:
            found.append({"prompt": prompt, "tokens": tokens})
        if len(found) == NUM_PROMPTS:
            return found
    raise SystemExit(f"{type(model).__name__}: only {len(found)} prompts have clear answers")


def _greedy(model: Any, prompt: list[int]) -> list[int] | None:
    tokens: list[int] = []
    for _ in range(NUM_TOKENS):
        logits = model(torch.tensor([[*prompt, *tokens]])).logits[0, -1]
        best = logits.topk(2)
        if best.values[0] - best.values[1] < SMALLEST_LEAD * logits.std():
            return None
        tokens.append(int(best.indices[0]))
    return tokens


def _embed(model: Any, tokenizer: Any) -> list[dict[str, Any]]:
    """Texts and their vectors: the first token's, of length 1."""
    found = []
    for text in _TEXTS:
        state = model(torch.tensor([tokenizer.encode(text)])).last_hidden_state[0, 0]
        found.append({"prompt": text, "vector": torch.nn.functional.normalize(state, dim=0).tolist()})
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
