from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from recmodels.compute import device
from recmodels.data.arrays import Bools, Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.popularity import Popularity
from recmodels.ranking import approximation, product_search
from recmodels.ranking.approximation import Approximation, Sample, Search
from recmodels.ranking.product_search import SearchedItems
from recmodels.ranking.topk import TopK
from recmodels.scoring import dot_product
from recmodels.scoring.dot_product import DotProduct
from recmodels.testing import N_ITEMS, N_USERS, assert_same, small_site


@dataclass
class Given(DotProduct):
    """Given vectors: whole numbers, so that scores are exact and tie often."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        rng = np.random.default_rng(1)
        self.users_ = rng.integers(-2, 3, (data.n_users, 3)).astype(np.float32)
        self.item_vectors_ = rng.integers(-2, 3, (data.n_items, 3)).astype(np.float32)
        self.item_vectors_[11] = 0

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        vectors: Floats = self.users_[users]
        return vectors

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return n_users + n_items


def expected(scores: Floats, denied: Bools, k: int) -> TopK:
    """By sorting every row whole."""
    items, best = np.full((len(scores), k), -1, np.int32), np.full((len(scores), k), -np.inf, np.float32)
    for row, (line, out) in enumerate(zip(scores, denied, strict=True)):
        order = [item for item in np.lexsort((np.arange(len(line)), -line)) if not out[item]][:k]
        items[row, : len(order)], best[row, : len(order)] = order, line[order]
    return TopK(items, best)


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("k", [1, 7, N_ITEMS + 3])
def test_lists_are_those_of_sorting_all_products(k: int, repeats: bool) -> None:
    data = small_site()
    model = Given().fit(data)
    users = np.setdiff1d(np.arange(N_USERS), [38])  # all who have a history
    allowed = np.arange(N_ITEMS) % 5 != 0
    denied = np.tile(~allowed, (len(users), 1))
    denied[:, ~model.item_vectors_.any(axis=1)] = True  # a vector of zeros: nobody knows the item
    if not repeats:
        denied |= data.seen.toarray()[users] > 0
    top = model.recommend(data, users, k, allowed=allowed, repeats=repeats)
    assert_same(top, expected(model.users_[users] @ model.item_vectors_.T, denied, k))


def test_who_has_a_vector_of_zeros_has_neither_scores_nor_a_list() -> None:
    data = small_site()
    model, users = Given().fit(data), np.array([0, 1], np.int32)
    model.users_[0], model.users_[1] = 0, 1
    scores = model._score(data, users)
    assert (scores[0] == -np.inf).all()
    np.testing.assert_array_equal(scores[1] == -np.inf, ~model.item_vectors_.any(axis=1))
    assert (model.recommend(data, users, 5).items[0] == -1).all()


def test_similar_items_are_by_the_cosine_of_their_vectors() -> None:
    model = Given().fit(small_site())
    vectors = model.item_vectors_
    norms = np.linalg.norm(vectors, axis=1)
    top = model.similar_items(np.arange(N_ITEMS), N_ITEMS)
    for item in range(N_ITEMS):
        listed = top.items[item][top.items[item] >= 0]
        if norms[item] == 0:
            assert len(listed) == 0
            continue
        assert set(listed) == set(np.flatnonzero(norms)) - {item}
        cosine = vectors[listed] @ vectors[item] / (norms[listed] * norms[item])
        np.testing.assert_allclose(top.scores[item, : len(listed)], cosine, atol=1e-6)


def test_a_model_without_an_answer_says_so() -> None:
    with pytest.raises(NightrecError, match="Popularity has no similarity of items"):
        Popularity().fit(small_site()).similar_items(np.array([0]), 3)


def test_only_what_was_approximated_is_searched_for_approximately(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_site()
    model = Given().fit(data)
    exact, allowed = model.recommend(data, k=4), np.arange(N_ITEMS) % 5 != 0
    assert model.approximate(data, 4).exact == "there are so few that exact ones take no time"
    asked = []

    def found(items: SearchedItems, sample: Sample, k: int, recall: float, seed: int) -> tuple[Search, Approximation]:
        assert len(sample.users) == len(np.flatnonzero(np.diff(data.indptr))) == sample.seen.shape[0]
        asked.append((len(items.labels), k, recall, seed))
        return nobody, Approximation(0.95, 10, 0.5)

    def nobody(users: Floats, *, k: int, seen: Csr) -> TopK:
        return TopK(np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf, np.float32))

    monkeypatch.setattr(dot_product, "LEAST_PRODUCTS", 0)
    monkeypatch.setattr(dot_product, "approximate", found)
    assert model.approximate(data, 4, allowed=allowed, recall=0.9, seed=7) == Approximation(0.95, 10, 0.5)
    assert asked == [(int((model.item_vectors.any(axis=1) & allowed).sum()), 4, 0.9, 7)]
    assert (model.recommend(data, k=4, allowed=allowed).items == -1).all()
    assert_same(model.recommend(data, k=4), exact)
    assert (model.recommend(data, k=3, allowed=allowed).items >= 0).any()
    assert (model.recommend(data, k=4, allowed=allowed, repeats=True).items >= 0).any()
    model.fit(data)
    assert (model.recommend(data, k=4, allowed=allowed).items >= 0).any()


def test_another_model_reads_how_lists_are_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A loaded one makes the lists of the one that found a faster way, and exact ones where none was found."""
    data, model, other = small_site(), Given(), Given()
    model.fit(data)
    other.fit(data)
    allowed = np.arange(N_ITEMS) % 5 != 0
    model.save_search(tmp_path / "nothing")
    other.load_search(tmp_path / "nothing")
    exact = other.recommend(data, k=4, allowed=allowed)
    assert_same(exact, model.recommend(data, k=4, allowed=allowed))
    monkeypatch.setattr(dot_product, "LEAST_PRODUCTS", 0)
    monkeypatch.setattr(product_search, "FIRST_TILE", 4)
    monkeypatch.setattr(product_search, "ITEM_TILE", 2)
    by_length = partial(approximation._by_length, items=model._searched(allowed), cut=1e-6)
    monkeypatch.setattr(dot_product, "approximate", lambda *_: (by_length, Approximation(0.5, 10, 0.5)))
    model.approximate(data, 4, allowed=allowed)
    model.save_search(tmp_path / "found")
    other.load_search(tmp_path / "found")
    found = other.recommend(data, k=4, allowed=allowed)
    assert_same(found, model.recommend(data, k=4, allowed=allowed))
    assert (found.items != exact.items).any()  # so little is computed that some are missed
    assert_same(other.recommend(data, k=4), model.recommend(data, k=4))


def test_a_gpu_makes_exact_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_site()
    model = Given().fit(data)
    monkeypatch.setattr(dot_product, "LEAST_PRODUCTS", 0)
    monkeypatch.setattr(device, "cuda", lambda: True)
    assert model.approximate(data, 4).exact == "a GPU makes them"


def test_a_model_without_vectors_has_no_approximate_lists() -> None:
    data = small_site()
    assert Popularity().fit(data).approximate(data, 3).exact == "its scores are no products of vectors"
