"""Our figures beside those of ranx, ir-measures and RecTools, as tests/benchmarks/metric_peers.py recorded them."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from recmodels.metrics import beyond_accuracy as beyond
from recmodels.metrics import ranking as metrics

SEEN = json.loads(Path(__file__).with_name("peers.json").read_text())
ITEMS = np.array(SEEN["items"], np.int32)
RATING = np.array(SEEN["rating"])
CASES = [(library, metric) for library, figures in SEEN["figures"].items() for metric in figures]


def ours(metric: str) -> np.ndarray:
    users_of_item = np.array(SEEN["users_of_item"])
    if metric == "ndcg_graded":
        return metrics.ndcg_graded(ITEMS, sparse.csr_array(RATING))
    if metric == "coverage":
        return np.array(metrics.coverage(ITEMS, RATING.shape[1]))
    if metric == "novelty":
        return beyond.novelty(ITEMS, users_of_item, SEEN["n_users"])
    if metric == "average_popularity":  # RecTools' is a share of all interactions, ours of all users
        return beyond.average_popularity(ITEMS, users_of_item, users_of_item.sum())
    return metrics.per_user(ITEMS, sparse.csr_array(RATING > 0))[metric]


@pytest.mark.parametrize(("library", "metric"), CASES)
def test_figures_equal_those_of_other_libraries(library: str, metric: str) -> None:
    theirs, expected = np.array(SEEN["figures"][library][metric]), ours(metric)
    relevant = (RATING > 0).sum(axis=1)
    if metric == "map":  # these divide by all relevant items, also where they outnumber the k places
        expected = expected * np.minimum(SEEN["k"], relevant) / relevant
    if (library, metric) == ("rectools", "ndcg"):  # its ideal list has k hits, however few items are relevant
        discount = 1 / np.log2(np.arange(2, SEEN["k"] + 2))
        expected = expected * np.cumsum(discount)[np.minimum(SEEN["k"], relevant) - 1] / discount.sum()
    np.testing.assert_allclose(expected, theirs, rtol=1e-6, atol=1e-9)
