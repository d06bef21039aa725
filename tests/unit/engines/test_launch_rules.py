"""The pure rules of the launchers: batch sizes, environments, catalogue, dialects."""

import pytest

from openfm.core.chat import ChatRequest, Message, ResponseFormat, Role, SamplingParams
from openfm.core.errors import EngineFailed
from openfm.engines.catalog import ENGINES, make_launcher
from openfm.engines.dialect import LLAMA_CPP, read_counters
from openfm.engines.llama_cpp import batch_size
from openfm.engines.onnx import token_budget
from openfm.engines.onnx_model import pick_batch
from openfm.engines.process import child_environment

GIGABYTE = 1_000_000_000


@pytest.mark.parametrize(
    ("weight_bytes", "threads", "tokens"),
    [(98_362_432, 2, 64), (98_362_432, 4, 128), (5 * GIGABYTE, 2, 8), (5 * GIGABYTE, 64, 32), (1, 64, 2048)],
)
def test_a_step_is_sized_to_half_a_second(weight_bytes: int, threads: int, tokens: int) -> None:
    assert batch_size(weight_bytes, threads) == tokens


def test_embedding_runs_are_sized_likewise() -> None:
    assert token_budget(23_000_000, 2) == 2500
    assert token_budget(10 * GIGABYTE, 1) == 64


def test_a_worker_inherits_no_secret() -> None:
    server = {"PATH": "/bin", "LC_ALL": "C", "OPENFM_ADMIN_TOKEN": "x", "OPENFM_DATABASE_URL": "x", "HF_TOKEN": "x"}
    assert child_environment(server) == {"PATH": "/bin", "LC_ALL": "C"}


def test_every_engine_of_the_catalogue_can_be_made() -> None:
    assert set(ENGINES) == {"external", "llama_cpp", "onnx", "scripted"}
    for name in ENGINES:
        assert callable(make_launcher(name, {}).launch)


def test_an_unknown_engine_names_the_known_ones() -> None:
    with pytest.raises(EngineFailed, match="external, llama_cpp, onnx, scripted"):
        make_launcher("nothing", {})


def test_llama_cpps_own_sampling_defaults_are_neutralised() -> None:
    extras = LLAMA_CPP.extras(ChatRequest((Message(Role.USER, "Hi"),)))
    assert (extras["top_k"], extras["min_p"], extras["repeat_penalty"]) == (0, 0.0, 1.0)
    assert "seed" not in extras


@pytest.mark.parametrize("seed", [0, -1, 2**32 - 1, 2**63 - 1, -(2**63)])
def test_a_seed_never_becomes_the_one_that_means_random(seed: int) -> None:
    extras = LLAMA_CPP.extras(ChatRequest((Message(Role.USER, "Hi"),), SamplingParams(seed=seed)))
    assert isinstance(extras["seed"], int)
    assert 0 <= extras["seed"] < 2**32 - 1


def test_any_json_object_is_asked_as_a_schema() -> None:
    extras = LLAMA_CPP.extras(ChatRequest((Message(Role.USER, "Hi"),), response_format=ResponseFormat()))
    assert extras["response_format"] == {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}


def test_counters_are_summed_over_their_labels() -> None:
    text = '# HELP x\nvllm:n{engine="0"} 2\nvllm:n{engine="1"} 3.0\nother 1e3\nbroken line\n'
    assert read_counters(text) == {"vllm:n": 5.0, "other": 1000.0}


@pytest.mark.parametrize(
    ("lengths", "budget", "chosen"),
    [
        ([], 100, []),
        ([500], 100, [0]),
        ([10, 90, 11, 9], 40, [0, 2, 3]),
        ([10, 90, 11, 9], 1000, [0, 2, 3, 1]),
        ([50, 1, 1, 1], 100, [0, 1]),
    ],
)
def test_a_batch_is_the_oldest_and_those_of_like_length(lengths: list[int], budget: int, chosen: list[int]) -> None:
    assert pick_batch(lengths, budget) == chosen
