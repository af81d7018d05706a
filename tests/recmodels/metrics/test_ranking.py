from math import log2

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import ndcg_score, roc_auc_score

from recmodels.metrics import ranking
from recmodels.metrics.ranking import METRICS, auc, coverage, matched, ndcg_graded, per_user

Lists = list[list[int]]


def measured(items: Lists, truth: Lists, n_items: int = 20) -> dict[str, list[float]]:
    relevant = np.zeros((len(truth), n_items), bool)
    for row, indices in zip(relevant, truth, strict=True):
        row[indices] = True
    values = per_user(np.array(items, dtype=np.int32), sparse.csr_array(relevant))
    assert tuple(values) == METRICS
    return {name: [float(value) for value in column] for name, column in values.items()}


def test_four_users_worked_by_hand() -> None:
    # k = 3. hits at 1 and 3 of 2 relevant | a hit at 2 of 4 relevant | none | all three of 5 relevant
    values = measured(
        [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]], [[0, 2], [4, 12, 13, 14], [15], [9, 10, 11, 1, 2]]
    )
    full = 1 + 1 / log2(3) + 1 / log2(4)
    assert values["ndcg"] == pytest.approx([(1 + 1 / log2(4)) / (1 + 1 / log2(3)), (1 / log2(3)) / full, 0, 1])
    assert values["recall"] == pytest.approx([1, 1 / 4, 0, 3 / 5])
    assert values["precision"] == pytest.approx([2 / 3, 1 / 3, 0, 1])
    assert values["hit_rate"] == [1, 1, 0, 1]
    assert values["map"] == pytest.approx([(1 + 2 / 3) / 2, (1 / 2) / 3, 0, 1])
    assert values["mrr"] == pytest.approx([1, 1 / 2, 0, 1])


def test_two_hits_in_ten_are_a_precision_of_a_fifth_and_full_recall() -> None:
    values = measured([list(range(10))], [[3, 7]])
    assert values["precision"] == pytest.approx([0.2])
    assert values["recall"] == [1]


def test_empty_places_are_no_hits_even_where_item_0_is_relevant() -> None:
    values = measured([[5, -1, -1], [-1, -1, -1], [-1, -1, 0]], [[0, 19], [0], [19]])
    assert all(value == [0, 0, 0] for value in values.values())


def test_swapping_a_hit_backwards_costs_ndcg_map_and_mrr_alone() -> None:
    before, after = measured([[0, 1, 2]], [[0, 7]]), measured([[1, 0, 2]], [[0, 7]])
    for name in METRICS:
        assert (after[name] < before[name]) == (name in {"ndcg", "map", "mrr"})


def test_shifting_all_ranks_by_one_lowers_every_metric() -> None:
    before, after = measured([[0, 1, 2]], [[0, 2]]), measured([[9, 0, 1]], [[0, 2]])
    assert all(after[name] < before[name] for name in set(METRICS) - {"hit_rate"})


def test_users_without_truth_and_repeated_items_are_refused() -> None:
    with pytest.raises(ValueError, match="Row 1 has no relevant item"):
        measured([[0], [1]], [[0], []])
    with pytest.raises(ValueError, match="names an item twice"):
        measured([[1, 2, 1]], [[0]])


def test_metrics_agree_with_trec_eval_and_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    n, m, k = 50, 60, 10
    items = np.argsort(rng.random((n, m)), axis=1)[:, :k].astype(np.int32)
    relevant = rng.random((n, m)) < rng.choice([0.02, 0.1, 0.4], (n, 1))
    relevant[np.arange(n), rng.integers(0, m, n)] = True
    ours = per_user(items, sparse.csr_array(relevant))

    truth = {str(u): {str(i): 1 for i in np.flatnonzero(relevant[u])} for u in range(n)}
    run = {str(u): {str(i): float(k - r) for r, i in enumerate(items[u])} for u in range(n)}
    asked = {f"ndcg_cut.{k}", f"recall.{k}", f"P.{k}", f"success.{k}", f"map_cut.{k}", "recip_rank"}
    trec = pytrec_eval.RelevanceEvaluator(truth, asked).evaluate(run)
    names = {"ndcg": "ndcg_cut", "recall": "recall", "precision": "P", "hit_rate": "success"}
    for name, theirs in names.items():
        np.testing.assert_allclose(ours[name], [trec[str(u)][f"{theirs}_{k}"] for u in range(n)], err_msg=name)
    np.testing.assert_allclose(ours["mrr"], [trec[str(u)]["recip_rank"] for u in range(n)])
    count = relevant.sum(axis=1)  # trec_eval divides by all relevant items, also where they outnumber k
    np.testing.assert_allclose(
        ours["map"] * np.minimum(k, count) / count, [trec[str(u)][f"map_cut_{k}"] for u in range(n)]
    )

    scores = np.zeros((n, m))
    np.put_along_axis(scores, items, np.arange(k, 0, -1.0)[None, :].repeat(n, 0), axis=1)
    ranked = [ndcg_score(relevant[[u]], scores[[u]] - (scores[[u]] == 0) * np.arange(1, m + 1), k=k) for u in range(n)]
    np.testing.assert_allclose(ours["ndcg"], ranked)


def test_coverage_counts_distinct_items() -> None:
    assert coverage(np.array([[0, 1, -1], [1, 5, -1]], dtype=np.int32), 10) == 0.3
    assert coverage(np.array([[-1, -1]], dtype=np.int32), 0) == 0.0


def test_each_mutation_of_a_list_changes_ndcg_by_the_amount_worked_by_hand() -> None:
    # Relevant: 0 and 2, at ranks 1 and 3 of the list; the ideal is 1 + 1 / log2(3).
    ideal = 1 + 1 / log2(3)
    whole = measured([[0, 1, 2]], [[0, 2]])
    swapped, dropped, shifted = (measured([row], [[0, 2]]) for row in ([1, 0, 2], [1, 2, -1], [9, 0, 1]))
    assert whole["ndcg"][0] - swapped["ndcg"][0] == pytest.approx((1 - 1 / log2(3)) / ideal)
    assert whole["ndcg"][0] - dropped["ndcg"][0] == pytest.approx((1 + 1 / 2 - 1 / log2(3)) / ideal)
    assert whole["ndcg"][0] - shifted["ndcg"][0] == pytest.approx((1 + 1 / 2 - 1 / log2(3)) / ideal)
    for name, changes in {
        "map": (1 / 2 * (1 + 2 / 3 - 1 / 2 - 2 / 3), 1 / 2 * (1 + 2 / 3 - 1 / 2), 1 / 2 * (1 + 2 / 3 - 1 / 2)),
        "mrr": (1 / 2, 1 / 2, 1 / 2),
        "recall": (0, 1 / 2, 1 / 2),
        "precision": (0, 1 / 3, 1 / 3),
        "recall_capped": (0, 1 / 2, 1 / 2),
        "hit_rate": (0, 0, 0),
    }.items():
        for changed, by in zip((swapped, dropped, shifted), changes, strict=True):
            assert whole[name][0] - changed[name][0] == pytest.approx(by), name


@given(k=st.integers(1, 60), n=st.integers(1, 60))
def test_a_perfect_list_gives_exactly_1(k: int, n: int) -> None:
    items = np.arange(k, dtype=np.int32)[None]
    values = per_user(items, sparse.csr_array(np.arange(60)[None] < n))
    assert {name: float(values[name][0]) for name in ("ndcg", "recall_capped", "hit_rate", "map", "mrr")} == {
        "ndcg": 1, "recall_capped": 1, "hit_rate": 1, "map": 1, "mrr": 1,
    }  # fmt: skip
    gains = sparse.csr_array((np.arange(60)[None] < n) * np.arange(60, 0, -1)[None])
    assert ndcg_graded(items, gains).tolist() == [1]


def test_duplicates_in_the_truth_change_nothing() -> None:
    once = sparse.csr_array((np.ones(2), np.array([3, 5]), np.array([0, 2])), shape=(1, 9))
    twice = sparse.csr_array((np.ones(4), np.array([5, 3, 5, 5]), np.array([0, 4])), shape=(1, 9))
    lists = np.array([[5, 1, 3]], np.int32)
    assert {name: value.tolist() for name, value in per_user(lists, once).items()} == {
        name: value.tolist() for name, value in per_user(lists, twice).items()
    }
    assert ndcg_graded(lists, once).tolist() == ndcg_graded(lists, twice).tolist()


def test_ids_of_another_type_are_an_error_and_no_zeros() -> None:
    truth = sparse.csr_array(np.eye(2, 9, dtype=bool))
    for ids in (np.array([["0"], ["1"]]), np.array([[0.0], [1.0]])):
        with pytest.raises(TypeError, match="rows of item indices"):
            per_user(ids, truth)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Item index 9 is not one of the 9 items"):
        per_user(np.array([[9], [1]], np.int32), truth)


def test_graded_ndcg_worked_by_hand() -> None:
    # Ratings 5 (item 1), 3 (item 2), 1 (item 4); the list has 2, 7, 1.
    truth = sparse.csr_array(np.array([[0, 5, 3, 0, 1, 0, 0, 0]]))
    got = ndcg_graded(np.array([[2, 7, 1]], np.int32), truth)
    assert got == pytest.approx([(3 + 5 / 2) / (5 + 3 / log2(3) + 1 / 2)])
    with pytest.raises(ValueError, match="no relevant item"):
        ndcg_graded(np.array([[2, 7, 1]], np.int32), sparse.csr_array((1, 8)))


def test_auc_is_that_of_scikit_learn_and_a_half_for_constant_scores() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 6, (30, 40)).astype(np.float32)  # many ties
    relevant = rng.random((30, 40)) < 0.3
    excluded = rng.random((30, 40)) < 0.2
    area = auc(scores, sparse.csr_array(relevant), sparse.csr_array(excluded))
    left = [~row for row in excluded]
    expected = [roc_auc_score(r[m], s[m]) for r, s, m in zip(relevant, scores, left, strict=True)]
    np.testing.assert_allclose(area, expected)
    assert auc(np.zeros((30, 40)), sparse.csr_array(relevant)).tolist() == [0.5] * 30
    assert np.isnan(auc(np.zeros((1, 4)), sparse.csr_array((1, 4)))).all()
    # The worst score that there is comes last among the candidates, and not among what is excluded.
    worst, one = np.array([[-np.inf, 1.0, 2.0, 5.0, 6.0]]), sparse.csr_array(np.array([[1, 0, 0, 0, 0]], bool))
    assert auc(worst, one, sparse.csr_array(np.array([[0, 0, 0, 1, 1]], bool))).tolist() == [0.0]


def test_figures_do_not_depend_on_how_many_lists_are_measured_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    items = np.array([rng.permutation(30)[:6] for _ in range(40)], np.int32)
    items[::7, 4:] = -1
    truth = sparse.csr_array(rng.random((40, 30)) < 0.2)
    hits, found, _ = matched(items, truth)
    dense = truth.toarray()
    assert hits.tolist() == [[item >= 0 and bool(dense[row, item]) for item in items[row]] for row in range(40)]
    assert found.tolist() == [column in items[row] for row, column in zip(*np.nonzero(dense), strict=True)]
    whole = per_user(items, truth)
    monkeypatch.setattr(ranking, "ENTRIES_AT_A_TIME", 18)
    parts = matched(items, truth)
    assert np.array_equal(parts[0], hits)
    assert np.array_equal(parts[1], found)
    assert all(np.array_equal(value, whole[metric]) for metric, value in per_user(items, truth).items())
