"""What cannot run here says why."""

import re
from dataclasses import replace

import pytest

from openfm.catalog.catalog import EngineName, load_catalog
from openfm.catalog.fit import Gpu, Machine, size_words, why_not

LAPTOP = Machine(8 * 10**9, 100 * 10**9, (), frozenset({EngineName.LLAMA_CPP, EngineName.ONNX}))
H100 = Gpu("NVIDIA H100", 85 * 10**9)
CLUSTER = Machine(10**12, 10**13, (H100,) * 8, frozenset(EngineName))


def test_the_defaults_run_on_a_laptop() -> None:
    assert [why_not(model, LAPTOP) for model in load_catalog().defaults] == [None, None]


def test_everything_runs_on_eight_large_gpus() -> None:
    assert [why_not(model, CLUSTER) for model in load_catalog().models] == [None] * len(load_catalog().models)


@pytest.mark.parametrize(
    ("name", "machine", "reason"),
    [
        ("dbrx-instruct", LAPTOP, "no GPU"),
        ("dbrx-instruct", replace(CLUSTER, gpus=(H100,)), "85.0 GB together"),
        ("dbrx-instruct", replace(CLUSTER, disk_free_bytes=10**9), "264 GB of disk"),
        ("dbrx-instruct", replace(CLUSTER, engines=LAPTOP.engines), r"vLLM, is not installed.*openfm\[vllm\]"),
        ("bge-large-en", replace(LAPTOP, memory_bytes=10**9), "2.0 GB of memory; this machine has 1.0 GB"),
        ("smollm2-135m-instruct", replace(LAPTOP, engines=frozenset()), "llama.cpp, is not installed"),
    ],
)
def test_the_reason_has_both_numbers_or_the_command(name: str, machine: Machine, reason: str) -> None:
    assert re.search(reason, why_not(load_catalog().find(name), machine) or "it runs")


def test_what_is_on_disk_already_needs_no_room() -> None:
    model = load_catalog().defaults[0]
    full = replace(LAPTOP, disk_free_bytes=0)
    assert why_not(model, full, model.size_bytes) is None
    assert why_not(model, full) is not None


@pytest.mark.parametrize(("size", "words"), [(466_247, "466 kB"), (98_362_432, "98 MB"), (13_800_000_000, "13.8 GB")])
def test_sizes_are_decimal(size: int, words: str) -> None:
    assert size_words(size) == words
