import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recmodels.data.arrays import Floats
from recmodels.ranking import topk
from recmodels.ranking.topk import TopK, top_k

FEW_VALUES = st.sampled_from([-np.inf, -1.5, 0.0, 0.25, 3.0])  # so that ties are everywhere
MATRICES = st.tuples(st.integers(0, 4), st.integers(0, 150)).flatmap(
    lambda shape: (
        arrays(np.float32, shape, elements=FEW_VALUES)
        | arrays(np.float32, shape, elements=st.floats(-1e6, 1e6, width=32))
    )
)


def naive(row: Floats, k: int) -> list[int]:
    order = np.lexsort((np.arange(len(row)), -row))[:k]
    best = [int(i) for i in order if row[i] > -np.inf]
    return best + [-1] * (k - len(best))


def assert_lists(top: TopK, scores: Floats, k: int) -> None:
    assert top.items.tolist() == [naive(row, k) for row in scores]
    for row, items, best in zip(scores, top.items, top.scores, strict=True):
        np.testing.assert_array_equal(best[items >= 0], row[items[items >= 0]])
        assert np.isneginf(best[items < 0]).all()


@pytest.fixture(params=["numpy", "compiled"])
def selection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "compiled":
        monkeypatch.setattr(topk, "COMPILED_FROM", 1)


@given(MATRICES, st.integers(1, 60))
def test_top_k_equals_sorting_everything(scores: Floats, k: int) -> None:
    assert_lists(top_k(scores, k), scores, k)


@given(MATRICES, st.integers(1, 60))
def test_the_compiled_top_k_equals_sorting_everything(scores: Floats, k: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "COMPILED_FROM", 1)
        assert_lists(top_k(scores, k), scores, k)


@pytest.mark.parametrize(("n", "m", "k"), [(3, 100_000, 10), (40, 5_000, 1), (2, 40, 50), (5, 3_001, 100)])
@pytest.mark.usefixtures("selection")
@pytest.mark.slow
def test_top_k_equals_sorting_everything_at_scale(n: int, m: int, k: int) -> None:
    rng = np.random.default_rng(m)
    for scores in (
        rng.normal(size=(n, m)),
        rng.integers(0, 9, (n, m)),
        np.zeros((n, m)),
        np.tile(np.arange(m), (n, 1)),
        np.where(rng.random((n, m)) < 0.01, 1.0, -np.inf),
    ):
        scores32 = scores.astype(np.float32)
        assert_lists(top_k(scores32, k), scores32, k)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.usefixtures("selection")
def test_scores_that_are_not_numbers_are_refused(bad: float) -> None:
    scores = np.zeros((3, 500), np.float32)
    scores[1, 499] = bad
    with pytest.raises(ValueError, match="Row 1 of the scores"):
        top_k(scores, 3)


@pytest.mark.usefixtures("selection")
def test_the_scores_are_not_changed() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    before = scores.copy()
    top_k(scores, 5)
    np.testing.assert_array_equal(scores, before)
