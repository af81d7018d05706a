"""Intra-list diversity is the mean distance of pairs."""

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import cosine_distances

from recmodels.metrics.diversity import intra_list


def test_diversity_is_the_mean_cosine_distance_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    terms = rng.random((25, 8)) * (rng.random((25, 8)) < 0.5) + np.eye(25, 8)
    terms[8:, 0] += 0.1
    terms = (terms / np.linalg.norm(terms, axis=1, keepdims=True)).astype(np.float32)
    lists = np.argsort(rng.random((30, 25)), axis=1)[:, :6].astype(np.int32)
    expected = [cosine_distances(terms[row])[np.triu_indices(6, 1)].mean() for row in lists]
    np.testing.assert_allclose(intra_list(lists, sparse.csr_array(terms)), expected, rtol=1e-5)


def test_intra_list_diversity_is_one_minus_the_mean_cosine_of_pairs() -> None:
    terms = sparse.csr_array(np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32))
    lists = np.array([[0, 1, 2], [0, 2, -1], [1, -1, -1]], np.int32)
    np.testing.assert_allclose(intra_list(lists, terms), [1 - (0.8 + 0 + 0.6) / 3, 1, np.nan], rtol=1e-6)
