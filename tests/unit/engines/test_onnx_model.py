import numpy as np

from openfm.core.model import Pooling
from openfm.engines.onnx_model import normalized, padded, pooled


def test_shorter_sequences_are_padded_and_masked() -> None:
    ids, mask = padded([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_the_mean_leaves_padding_out() -> None:
    hidden = np.array([[[1.0], [3.0], [100.0]]], dtype=np.float32)
    mask = np.array([[1, 1, 0]], dtype=np.int64)
    assert pooled(hidden, mask, Pooling.MEAN).tolist() == [[2.0]]
    assert pooled(hidden, mask, Pooling.CLS).tolist() == [[1.0]]


def test_a_model_that_pools_itself_is_left_alone() -> None:
    hidden = np.array([[1.0, 2.0]], dtype=np.float32)
    assert pooled(hidden, np.ones((1, 1), dtype=np.int64), Pooling.MEAN).tolist() == [[1.0, 2.0]]


def test_normalised_vectors_have_length_one_and_zero_stays_zero() -> None:
    vectors = normalized(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))
    assert np.allclose(vectors, [[0.6, 0.8], [0.0, 0.0]])
