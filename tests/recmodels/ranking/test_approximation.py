"""Approximate lists have the recall that was measured, which is at least the one that was wanted; or they are exact."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.data.arrays import Bools, Csr, Floats
from recmodels.ranking import approximation, cells, product_search
from recmodels.ranking.approximation import (
    Approximation,
    Sample,
    approximate,
    load_search,
    recall_of,
    save_search,
)
from recmodels.ranking.product_search import SearchedItems, top_products
from recmodels.ranking.topk import TopK
from tests.recmodels.ranking.test_cells import KINDS, some_seen, vectors_of


@pytest.fixture(autouse=True)
def _few_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few items are as many, and a score by itself costs as little as in a product."""
    monkeypatch.setattr(approximation, "BY_ITSELF", approximation.IN_A_PRODUCT)
    monkeypatch.setattr(approximation, "ITS_NUMBER", approximation.A_NUMBER)
    monkeypatch.setattr(product_search, "FIRST_TILE", 32)
    monkeypatch.setattr(product_search, "ITEM_TILE", 16)
    monkeypatch.setattr(cells, "ITEMS_A_CELL", 16)


def items_and_users(kind: str, n_items: int, n_users: int) -> tuple[SearchedItems, Floats, Csr]:
    """Items that can be left out by their cell alone, as all have one length, or by their length alone."""
    rng = np.random.default_rng(3)
    vectors = vectors_of("clusters" if kind == "cells" else "normal", rng, n_items, 16)
    if kind == "cells":
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        users = vectors_of("clusters", rng, n_users, 16)
    else:
        vectors *= rng.lognormal(0, 0.5, (n_items, 1)).astype(np.float32)
        users = vectors_of("normal", rng, n_users, 16)
    return SearchedItems(vectors), users, some_seen(rng, n_users, n_items)


def recall_by_hand(found: TopK, scores: Floats, seen: Bools, k: int) -> float:
    """The share of the k best unseen items, by sorting all scores, whose places others fill with as good a score."""
    hits = places = 0
    for row, line in enumerate(np.where(seen, -np.inf, scores)):
        best = np.sort(line)[::-1][:k]
        best = best[np.isfinite(best)]
        if len(best):
            hits += int((found.scores[row] >= best[-1] - 1e-4 * abs(best[-1]) - 1e-6).sum())
        places += len(best)
    return hits / max(places, 1)


@settings(max_examples=12)
@given(st.sampled_from(KINDS), st.integers(0, 99), st.sampled_from([1, 10, 500]), st.sampled_from([0.9, 0.99]))
def test_recall_is_as_measured_and_as_wanted(kind: str, seed: int, k: int, recall: float) -> None:
    rng = np.random.default_rng(seed)
    users, items = vectors_of(kind, rng, 80, 8), SearchedItems(vectors_of(kind, rng, 400, 8))
    seen = some_seen(rng, 80, 400)
    search, about = approximate(items, Sample(users, seen), k, recall, seed)
    if search is None:
        assert about.exact is not None
        assert (about.recall, about.users, about.products) == (1, 0, 1)
        return
    found = search(users[20:], k=k, seen=seen[20:])  # the first quarter chose the way
    assert about.users == 60
    scores = users[20:] @ items.vectors[np.argsort(items.labels)].T
    assert about.recall == pytest.approx(recall_by_hand(found, scores, seen[20:].toarray() > 0, k), abs=0.02)
    assert about.recall >= recall
    listed = found.items >= 0
    assert not (seen[20:].toarray()[np.nonzero(listed)[0], found.items[listed]] > 0).any()


@pytest.mark.parametrize(("kind", "way"), [("cells", "_by_cells"), ("lengths", "_by_length")])
def test_what_can_be_left_out_is(kind: str, way: str) -> None:
    items, users, seen = items_and_users(kind, 6000, 200)
    search, about = approximate(items, Sample(users, seen), 5, 0.95)
    assert search is not None
    assert search.func.__name__ == way  # type: ignore[attr-defined]
    assert about.products < 0.25
    assert about.recall >= 0.95


@pytest.mark.parametrize("kind", ["cells", "lengths"])
def test_neither_batches_nor_threads_change_an_approximate_list(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    items, users, seen = items_and_users(kind, 3000, 700)
    search, about = approximate(items, Sample(users, seen), 5, 0.95, seed=2)
    assert search is not None
    whole = search(users, k=5, seen=seen)
    for rows in (slice(0, 1), slice(5, 7), slice(100, 650)):
        part = search(users[rows], k=5, seen=seen[rows])
        np.testing.assert_array_equal(part.items, whole.items[rows])
        np.testing.assert_array_equal(part.scores, whole.scores[rows])
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    again, same = approximate(items, Sample(users, seen), 5, 0.95, seed=2)
    assert again is not None
    assert same == about
    np.testing.assert_array_equal(again(users, k=5, seen=seen).items, whole.items)


@pytest.mark.parametrize("kind", ["cells", "lengths"])
def test_a_search_that_was_written_makes_the_same_lists(kind: str, tmp_path: Path) -> None:
    items, users, seen = items_and_users(kind, 3000, 200)
    search, _ = approximate(items, Sample(users, seen), 5, 0.95)
    assert search is not None
    save_search(search, tmp_path / "search")
    whole, read = search(users, k=5, seen=seen), load_search(tmp_path / "search", items)(users, k=5, seen=seen)
    np.testing.assert_array_equal(read.items, whole.items)
    np.testing.assert_array_equal(read.scores, whole.scores)
    exact = top_products(users, items, 5, seen=seen)
    assert (exact.items != whole.items).any() or kind == "cells"  # it is no exact one that was read


def test_a_way_that_misses_too_much_is_tuned_again_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    items, users, seen = items_and_users("cells", 3000, 100)
    measured = [0.91, 0.93, 0.96]
    monkeypatch.setattr(approximation, "recall_of", lambda *_: measured.pop(0))
    search, about = approximate(items, Sample(users, seen), 5, 0.95)
    assert search is not None
    assert (about.recall, measured) == (0.96, [])
    monkeypatch.setattr(approximation, "recall_of", lambda *_: 0.949)
    given_up = approximate(items, Sample(users, seen), 5, 0.95)
    assert given_up == (None, Approximation(exact="a faster way found 94.90% of them"))


def test_few_items_or_users_have_exact_lists() -> None:
    rng = np.random.default_rng(1)
    for n_users, n_items in [(50, 20), (1, 500), (0, 500)]:
        users, items = vectors_of("ties", rng, n_users, 3), SearchedItems(vectors_of("ties", rng, n_items, 3))
        search, about = approximate(items, Sample(users, some_seen(rng, max(n_users, 1), n_items)), 5, 0.9)
        assert search is None
        assert about.exact == "there are few items, or few users"


def test_an_equal_score_is_no_miss() -> None:
    exact = TopK(np.array([[4, 5], [1, -1]], np.int32), np.array([[2, 1], [3, -np.inf]], np.float32))
    other = TopK(np.array([[4, 7], [-1, -1]], np.int32), np.array([[2, 1], [-np.inf, -np.inf]], np.float32))
    assert recall_of(exact, exact) == 1
    assert recall_of(other, exact) == pytest.approx(2 / 3)


def test_a_cut_leaves_out_what_could_reach_the_list_only_in_nearly_its_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product_search, "FIRST_TILE", 1)
    user, items = np.array([[1, 0]], np.float32), SearchedItems(np.array([[1, 1.8], [1.9, 0]], np.float32))
    assert top_products(user, items, 1).items.tolist() == [[1]]
    assert top_products(user, items, 1, cut=0.6).items.tolist() == [[1]]  # .6 · 1.9 = 1.14, and item 0 scores 1
    assert top_products(user, items, 1, cut=0.5).items.tolist() == [[0]]  # .5 · 1.9 = .95
