"""An index of cells: with whole radii it loses nothing, whatever the vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recmodels.data.arrays import Csr, Floats
from recmodels.ranking import cells as module
from recmodels.ranking.cells import make_cells, top_in_cells
from recmodels.ranking.product_search import SearchedItems, top_products


def vectors_of(kind: str, rng: np.random.Generator, n: int, f: int) -> Floats:
    """Vectors that are hard to part: of one length, with ties, all the same, of no common scale, or in clusters."""
    vectors = rng.standard_normal((n, f))
    if kind == "one length":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    elif kind == "ties":
        vectors = rng.integers(-1, 2, (n, f)).astype(np.float64)
    elif kind == "all the same":
        vectors[:] = vectors[0]
    elif kind == "long tail":
        vectors *= rng.pareto(1, (n, 1))
    elif kind == "one direction":
        vectors[:, 1:] = 0
    elif kind == "clusters":
        vectors = 4 * rng.standard_normal((8, f))[rng.integers(0, 8, n)] + 0.3 * vectors
    return vectors.astype(np.float32)


KINDS = ["one length", "ties", "all the same", "long tail", "one direction", "clusters"]


def some_seen(rng: np.random.Generator, n: int, m: int) -> Csr:
    """Some users have seen nothing, one everything."""
    seen = rng.random((n, m)) < rng.random((n, 1)) * 0.3
    seen[0] = True
    return sparse.csr_array(seen.astype(np.float32))


@settings(max_examples=20)
@given(st.sampled_from(KINDS), st.integers(0, 99), st.integers(1, 12), st.sampled_from([1, 5, 300]))
def test_with_whole_radii_lists_are_exact(kind: str, seed: int, f: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    users, vectors = vectors_of(kind, rng, 20, f), vectors_of(kind, rng, 250, f)
    items = SearchedItems(vectors, np.flatnonzero(rng.random(250) < 0.9).astype(np.int32))
    seen = some_seen(rng, 20, 250)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ITEMS_A_CELL", 16)
        cells = make_cells(items, users[:10], seed)
    found, exact = top_in_cells(users, cells, 1.0, k, seen), top_products(users, items, k, seen=seen)
    np.testing.assert_array_equal(found.items, exact.items)
    np.testing.assert_array_equal(found.scores, exact.scores)


def test_each_item_is_in_one_cell_and_within_its_radius() -> None:
    rng = np.random.default_rng(1)
    items = SearchedItems(vectors_of("clusters", rng, 3000, 6))
    cells = make_cells(items, vectors_of("clusters", rng, 50, 6), 0)
    assert sorted(cells.labels) == list(range(3000))
    assert len(cells.radii) == 5  # 3000 items, 512 to a cell
    counter_turn = np.linalg.inv(cells.turn.astype(np.float64)).T
    for cell, (start, stop) in enumerate(zip(cells.starts[:-1], cells.starts[1:], strict=True)):
        assert (np.sort(cells.labels[start:stop]) == np.sort(items.labels[cells.cell_of == cell])).all()
        distances = np.linalg.norm(cells.vectors[start:stop] @ counter_turn - cells.centers[cell], axis=1)
        assert distances.max() == pytest.approx(cells.radii[cell], rel=1e-3)


def test_a_score_that_is_no_number_is_refused() -> None:
    cells = make_cells(SearchedItems(np.full((3, 2), 1e19, np.float32)), np.ones((2, 2), np.float32), 0)
    with pytest.raises(ValueError, match="Row 1 of the scores"):
        top_in_cells(np.array([[1, 1], [1e25, 1e25]], np.float32), cells, 1.0, 2, sparse.csr_array((2, 3)))
