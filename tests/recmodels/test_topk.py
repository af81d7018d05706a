import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from recmodels.dataset import Floats
from recmodels.topk import keep_top, top_k

FEW_VALUES = st.sampled_from([-np.inf, -1.5, 0.0, 0.25, 3.0])  # so that ties are everywhere
MATRICES = st.tuples(st.integers(0, 6), st.integers(0, 700)).flatmap(
    lambda shape: (
        arrays(np.float32, shape, elements=FEW_VALUES)
        | arrays(np.float32, shape, elements=st.floats(-1e6, 1e6, width=32))
    )
)


def naive(row: Floats, k: int) -> list[int]:
    order = np.lexsort((np.arange(len(row)), -row))[:k]
    best = [int(i) for i in order if row[i] > -np.inf]
    return best + [-1] * (k - len(best))


@given(MATRICES, st.integers(1, 60))
def test_top_k_equals_sorting_everything(scores: Floats, k: int) -> None:
    top = top_k(scores, k)
    assert top.items.tolist() == [naive(row, k) for row in scores]
    for row, items, best in zip(scores, top.items, top.scores, strict=True):
        np.testing.assert_array_equal(best[items >= 0], row[items[items >= 0]])
        assert np.isneginf(best[items < 0]).all()


@pytest.mark.parametrize(("n", "m", "k"), [(3, 100_000, 10), (3, 5_000, 1), (2, 40, 50), (5, 3_001, 100)])
def test_top_k_equals_sorting_everything_at_scale(n: int, m: int, k: int) -> None:
    rng = np.random.default_rng(m)
    for scores in (
        rng.normal(size=(n, m)),
        rng.integers(0, 9, (n, m)),
        np.zeros((n, m)),
        np.tile(np.arange(m), (n, 1)),
    ):
        scores32 = scores.astype(np.float32)
        assert top_k(scores32, k).items.tolist() == [naive(row, k) for row in scores32]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_numbers_are_refused(bad: float) -> None:
    scores = np.zeros((3, 500), np.float32)
    scores[1, 499] = bad
    with pytest.raises(ValueError, match="Row 1 of the scores"):
        top_k(scores, 3)


def test_the_scores_are_not_changed() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    before = scores.copy()
    top_k(scores, 5)
    np.testing.assert_array_equal(scores, before)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_keep_top_keeps_what_sorting_would(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    dense = (rng.integers(1, 5, (6, 40)) * (rng.random((6, 40)) < rng.random((6, 1)))).astype(np.float32)
    kept = keep_top(sparse.csr_array(dense), k).toarray()
    for row, best in zip(dense, kept, strict=True):
        expected = sorted(i for i in naive(np.where(row > 0, row, -np.inf), k) if i >= 0)
        assert np.flatnonzero(best).tolist() == expected
        np.testing.assert_array_equal(best[expected], row[expected])
