"""Similarities of rows are those of their definitions, and as many neighbors are kept as are asked for."""

import numpy as np
import pytest
from scipy import sparse

from recmodels.ranking.topk import top_k
from recmodels.scoring.similarity import Measure, Weighting, centered, nearest, weighted_rows


def test_tfidf_is_the_cosine_of_rows_weighted_by_how_rare_a_column_is() -> None:
    rows = sparse.csr_array(np.array([[4, 1, 0], [1, 0, 0], [0, 0, 9], [0, 0, 0.0]], np.float32))
    idf = np.log(1 + 4 / np.array([2, 1, 1]))  # 4 rows; 2, 1 and 1 of them store the column
    expected = np.array([[2, 1, 0], [1, 0, 0], [0, 0, 3], [0, 0, 0]]) * idf
    np.testing.assert_allclose(weighted_rows(rows, "tfidf").toarray(), expected, rtol=1e-6)


def test_bm25_saturates_weights_and_discounts_long_rows() -> None:
    rows = sparse.csr_array(np.array([[4, 2, 0], [2, 0, 0], [0, 0, 4], [0, 0, 0.0]], np.float32))
    # mean length 3: lengths 6, 2, 4, 0 give 1 - b + b length / 3 with b = 0.5: 1.5, 5/6, 7/6
    first = 4 * 2.2 / (4 + 1.2 * 1.5) * np.log(1 + 4 / 2)
    third = 4 * 2.2 / (4 + 1.2 * 7 / 6) * np.log(1 + 4 / 1)
    found = weighted_rows(rows, "bm25", k1=1.2, b=0.5).toarray()
    np.testing.assert_allclose([found[0, 0], found[2, 2]], [first, third], rtol=1e-6)


def test_jaccard_counts_columns_whatever_their_weights() -> None:
    rows = sparse.csr_array(np.array([[3, 2, 0], [5, 0, 0], [0, 3, 4]], np.float32))
    found = nearest(weighted_rows(rows, "jaccard"), Measure("jaccard"), 2).toarray()
    np.testing.assert_allclose(found, [[0, 1 / 2, 1 / 3], [1 / 2, 0, 0], [1 / 3, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize(("columns", "density"), [(900, 0.002), (200, 0.3)])
@pytest.mark.parametrize("weighting", ["cosine", "jaccard", "tfidf"])
@pytest.mark.parametrize("support", [1, 2])
def test_rows_short_and_long_keep_the_same_neighbors_as_the_whole_product(
    columns: int, density: float, weighting: Weighting, support: int
) -> None:
    random = sparse.random_array((700, columns), density=density, rng=np.random.default_rng(3), dtype=np.float32)
    rows = weighted_rows(sparse.csr_array(random.astype(bool).astype(np.float32)), weighting)
    product = (rows @ rows.T).toarray()
    common = (rows.astype(bool).astype(np.float32) @ rows.astype(bool).astype(np.float32).T).toarray()
    size = np.diff(rows.indptr)
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.sqrt(np.diag(product))
        expected = product / np.outer(norms, norms)
        if weighting == "jaccard":
            expected = common / (size[:, None] + size - common)
    expected[(common < support) | np.isnan(expected)] = 0
    np.fill_diagonal(expected, 0)
    kind = "jaccard" if weighting == "jaccard" else "dot"
    found = nearest(rows, Measure(kind, min_support=support), 7).toarray()  # type: ignore[arg-type]
    best = top_k(expected.astype(np.float32), 7).scores
    np.testing.assert_allclose(top_k(found, 7).scores, np.where(best > 0, best, 0), atol=1e-6)
    np.testing.assert_allclose(found[found > 0], expected[found > 0], atol=1e-6)


def test_centering_leaves_exact_zeros_of_a_constant_row() -> None:
    rows = sparse.csr_array(np.array([[0.1, 0.1, 0.1], [1, 2, 0]], np.float32))
    assert centered(rows).toarray().tolist() == [[0, 0, 0], [-0.5, 0.5, 0]]
