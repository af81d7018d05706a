"""What every recommender promises, as tests: for nightrec's own models and for those of a site. Needs pytest.

A model's test inherits the claims and says how to make one:

    from recmodels.testing import RecommenderContract
    from shop.models import Margin


    class TestMargin(RecommenderContract):
        def make(self) -> Margin:
            return Margin(power=0.5)

Let `conftest.py` say `pytest.register_assert_rewrite("recmodels.testing")`, so that failures show the values.
"""

import sys
import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

try:
    import pytest
except ImportError as error:
    raise ImportError("recmodels.testing needs pytest: pip install pytest") from error

from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.arrays import Csr, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.fallback import serve
from recmodels.persistence import load, save
from recmodels.popularity import Popularity
from recmodels.ranking.topk import TopK

N_USERS, N_ITEMS = 40, 30
NEWCOMER, COMPLETIST = 38, 39  # a user without history; one who has seen everything
NEVER_SEEN = 29  # an item that only the completist has


def small_site(seed: int = 0, n_users: int = N_USERS) -> Dataset:
    """40 users in two taste groups, 30 items, with terms by taste: binary weights, so that scores tie often."""
    rng = np.random.default_rng(seed)
    taste = np.arange(N_ITEMS) % 2 == np.arange(n_users)[:, None] % 2
    seen = rng.random((n_users, N_ITEMS)) < np.where(taste, 0.5, 0.1)
    seen[:, NEVER_SEEN] = False
    seen[NEWCOMER], seen[COMPLETIST] = False, True
    users, items = np.nonzero(seen)
    words = rng.random((N_ITEMS, 12)) * (rng.random((N_ITEMS, 12)) < 0.4)
    words[:, 0] = 0.1
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    times = rng.integers(0, 10**12, len(users))
    return Dataset.from_arrays(
        users,
        items,
        timestamp=times,
        terms=sparse.csr_array(words.astype(np.float32)),
        n_users=n_users,
        n_items=N_ITEMS,
    )


@contextmanager
def threads(n: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compute on n threads, whichever library does: those of BLAS, numba, torch, and our own."""
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    with monkeypatch.context() as patch, threadpool_limits(n), _torch_threads(n):
        patch.setenv("OMP_NUM_THREADS", str(n))
        numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        try:
            yield
        finally:
            numba.set_num_threads(before)


@contextmanager
def _torch_threads(n: int) -> Iterator[None]:
    if "torch" not in sys.modules:  # should the model load it, torch takes as many as OMP_NUM_THREADS says
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def traced_peak(model: Recommender, data: Dataset, users: np.ndarray) -> int:
    """The most bytes that Python and numpy held at once while lists of one item were made."""
    tracemalloc.start()
    model.recommend(data, users, 1, batch=64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def assert_same(left: TopK, right: TopK) -> None:
    np.testing.assert_array_equal(left.items, right.items)
    np.testing.assert_array_equal(left.scores, right.scores)


class RecommenderContract(ABC):
    """The claims; `everybody` is the batch of all users of `small_site`."""

    recommends_unseen_items = False  # whether items without interactions can be recommended
    rounding = 0.0  # by how much, relative to the highest, the number of threads may change a score
    everybody: Ints = np.arange(N_USERS, dtype=np.int32)
    catalogue: Ints = np.arange(N_ITEMS, dtype=np.int32)

    @abstractmethod
    def make(self) -> Recommender:
        """A recommender that is not fitted yet."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> Dataset:
        return small_site()

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, data: Dataset) -> Recommender:
        """Fitted once for all claims, none of which changes it."""
        return cls().make().fit(data)

    def similar(self, model: Recommender, k: int, **options: np.ndarray) -> TopK | None:
        """The items most similar to each item; None where the model says that it has no similarity."""
        try:
            return model.similar_items(self.catalogue, k, **options)
        except NightrecError as error:
            assert str(error) == f"{type(model).__name__} has no similarity of items."
            return None

    def test_construction_stores_parameters_only_and_fit_returns_self(self, data: Dataset) -> None:
        model = self.make()
        assert set(vars(model)) == {field.name for field in fields(model)}
        with pytest.raises(NightrecError, match="call fit first"):
            model.recommend(data, self.everybody, 5)
        assert model.fit(data) is model

    def test_it_can_be_cloned_as_an_estimator_of_scikit_learn(self) -> None:
        model = self.make()
        params = model.get_params()
        again = type(model)(**params)
        assert again == model and all(again.get_params()[name] is value for name, value in params.items())
        assert again.set_params(**params) is again
        assert repr(model).startswith(f"{type(model).__name__}(")

    def test_lists_are_ranked_finite_and_without_repeats(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, 10)
        assert top.items.dtype == np.int32 and top.scores.dtype == np.float32
        assert top.items.shape == top.scores.shape == (N_USERS, 10)
        listed = top.items >= 0
        assert listed[:NEWCOMER].any(axis=1).all()
        assert np.array_equal(np.isfinite(top.scores), listed)
        assert np.isneginf(top.scores[~listed]).all()
        assert (top.scores[:, 1:] <= top.scores[:, :-1]).all()
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in top.items)

    def test_equal_scores_are_ordered_by_item(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, N_ITEMS)
        tied = (top.scores[:, 1:] == top.scores[:, :-1]) & (top.items[:, 1:] >= 0)
        assert (top.items[:, 1:] > top.items[:, :-1])[tied].all()

    def test_seen_items_are_never_recommended(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, N_ITEMS)
        for user in self.everybody:
            seen = data.item_index[data.indptr[user] : data.indptr[user + 1]]
            assert not set(top.items[user]) & set(seen)

    def test_repeats_bring_seen_items_back(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, np.array([COMPLETIST]), N_ITEMS, repeats=True)
        assert (top.items >= 0).any()

    def test_items_that_are_not_allowed_are_never_recommended(self, model: Recommender, data: Dataset) -> None:
        allowed = np.arange(N_ITEMS) % 3 != 0
        for repeats in (False, True):
            top = model.recommend(data, self.everybody, N_ITEMS, allowed=allowed, repeats=repeats)
            assert allowed[top.items[top.items >= 0]].all()
        assert (model.recommend(data, self.everybody, 5, allowed=np.zeros(N_ITEMS, bool)).items == -1).all()

    def test_no_list_that_is_served_holds_a_seen_item_or_one_that_is_not_allowed(
        self, model: Recommender, data: Dataset
    ) -> None:
        allowed = np.arange(N_ITEMS) % 3 != 0
        for repeats in (False, True):
            served = serve(
                model,
                Popularity().fit(data),
                data,
                self.everybody,
                N_ITEMS,
                allowed=allowed,
                repeats=repeats,
                explain=True,
            )
            user, place = np.nonzero(served.items >= 0)
            items = served.items[user, place]
            assert allowed[items].all() and np.isfinite(served.scores[user, place]).all()
            seen = data.seen.toarray() > 0
            assert repeats or not seen[user, items].any()
            eligible = allowed & (repeats | ~seen)  # [N_USERS, N_ITEMS]
            np.testing.assert_array_equal(np.bincount(user, minlength=N_USERS), eligible.sum(axis=1))
            assert (served.scores[:, 1:] <= served.scores[:, :-1]).all()

    def test_a_user_who_has_everything_gets_nothing(self, model: Recommender, data: Dataset) -> None:
        assert (model.recommend(data, np.array([COMPLETIST]), 5).items == -1).all()

    def test_a_user_without_history_gets_nothing_unless_the_model_needs_none(
        self, model: Recommender, data: Dataset
    ) -> None:
        top = model.recommend(data, np.array([NEWCOMER]), 5)
        assert (top.items == -1).all() if model.needs_history else (top.items >= 0).all()

    def test_item_0_can_be_recommended(self, model: Recommender, data: Dataset) -> None:
        assert (model.recommend(data, self.everybody, N_ITEMS).items == 0).any()

    def test_items_without_interactions_need_other_evidence(self, data: Dataset) -> None:
        known = data.item_index != NEVER_SEEN
        data = Dataset.from_arrays(
            data.user_index[known], data.item_index[known], terms=data.terms, n_users=N_USERS, n_items=N_ITEMS
        )
        top = self.make().fit(data).recommend(data, self.everybody, N_ITEMS)
        assert (top.items == NEVER_SEEN).any() == self.recommends_unseen_items

    def test_what_was_seen_without_interest_teaches_nothing_and_is_not_recommended(self, data: Dataset) -> None:
        disliked = (data.item_index == NEVER_SEEN) | (data.user_index == 0)
        disliked |= (data.user_index == 1) & (data.item_index % 3 == 0)
        seen = data.seen
        data = Dataset.from_arrays(
            data.user_index,
            data.item_index,
            weight=~disliked,
            terms=data.terms,
            n_users=N_USERS,
            n_items=N_ITEMS,
        )
        model = self.make().fit(data)
        top = model.recommend(data, self.everybody, N_ITEMS)
        assert np.isfinite(top.scores[top.items >= 0]).all()
        assert (top.items[0] == -1).all() == model.needs_history
        assert not set(top.items[1]) & set(seen.indices[seen.indptr[1] : seen.indptr[2]])
        assert (top.items == NEVER_SEEN).any() == self.recommends_unseen_items

    def test_a_k_beyond_the_catalogue_is_filled_up_with_nothing(self, model: Recommender, data: Dataset) -> None:
        short, long = (model.recommend(data, self.everybody, k) for k in (N_ITEMS, N_ITEMS + 7))
        assert_same(short, TopK(long.items[:, :N_ITEMS], long.scores[:, :N_ITEMS]))
        assert (long.items[:, N_ITEMS:] == -1).all()

    def test_a_shorter_list_is_the_start_of_a_longer_one(self, model: Recommender, data: Dataset) -> None:
        short, long = (model.recommend(data, self.everybody, k) for k in (5, 50))
        assert_same(short, TopK(long.items[:, :5], long.scores[:, :5]))

    @pytest.mark.parametrize("batch", [1, 7, 512])
    @pytest.mark.slow
    def test_the_batch_does_not_change_a_list(self, model: Recommender, data: Dataset, batch: int) -> None:
        shuffled = np.random.default_rng(1).permutation(self.everybody)
        whole = model.recommend(data, self.everybody, 10)
        parts = model.recommend(data, shuffled, 10, batch=batch)
        assert_same(TopK(whole.items[shuffled], whole.scores[shuffled]), parts)

    def test_a_user_alone_gets_the_list_that_they_get_among_others(self, model: Recommender, data: Dataset) -> None:
        whole = model.recommend(data, self.everybody, 10)
        for user in (0, 17, NEWCOMER, COMPLETIST):
            alone = model.recommend(data, np.array([user]), 10)
            assert_same(TopK(whole.items[[user]], whole.scores[[user]]), alone)
        twice = model.recommend(data, np.array([3, 3]), 10)
        assert_same(TopK(twice.items[:1], twice.scores[:1]), TopK(twice.items[1:], twice.scores[1:]))

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_number_of_users(self, model: Recommender, data: Dataset) -> None:
        few, many = (np.resize(self.everybody, n) for n in (1_000, 5_000))  # many, as other threads allocate, too
        model.recommend(data, few, 1, batch=64)  # what is computed once, and imported
        per_user = (traced_peak(model, data, many) - traced_peak(model, data, few)) / (len(many) - len(few))
        assert per_user < 4 * N_ITEMS  # indices, and the list itself; not a row of scores

    def test_no_users_no_lists(self, model: Recommender, data: Dataset) -> None:
        assert model.recommend(data, np.array([], dtype=np.int32), 5).items.shape == (0, 5)

    def test_refitting_equals_fitting_afresh(self, model: Recommender, data: Dataset) -> None:
        refitted = self.make().fit(small_site(seed=1, n_users=N_USERS + 20)).fit(data)
        assert_same(refitted.recommend(data, self.everybody, 10), model.recommend(data, self.everybody, 10))
        assert vars(refitted).keys() == vars(model).keys()  # nothing of the other site is left

    def test_the_same_seed_gives_the_same_lists(self, model: Recommender, data: Dataset) -> None:
        again = self.make().fit(data)
        assert_same(again.recommend(data, self.everybody, 10), model.recommend(data, self.everybody, 10))

    @pytest.mark.slow
    def test_the_number_of_threads_does_not_change_a_list(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = small_site(n_users=400)
        users = np.arange(data.n_users)
        lists = []
        for n in (1, 2):
            with threads(n, monkeypatch):
                lists.append(self.make().fit(data).recommend(data, users, N_ITEMS))
        if self.rounding == 0:
            assert_same(*lists)
            return
        one, two = (np.full((len(users), N_ITEMS), -np.inf) for _ in lists)
        for scores, top in ((one, lists[0]), (two, lists[1])):
            user, place = np.nonzero(top.items >= 0)
            scores[user, top.items[user, place]] = top.scores[user, place]
        np.testing.assert_allclose(one, two, atol=self.rounding * np.abs(one[np.isfinite(one)]).max())

    def test_a_saved_model_recommends_the_same(self, model: Recommender, data: Dataset, tmp_path: Path) -> None:
        save(model, tmp_path)
        loaded = load(tmp_path, type(model))
        assert loaded == model  # the same class and hyper-parameters
        assert_same(model.recommend(data, self.everybody, 10), loaded.recommend(data, self.everybody, 10))
        top = model.recommend(data, self.everybody, 10)
        np.testing.assert_array_equal(
            model.explain(data, self.everybody, top), loaded.explain(data, self.everybody, top)
        )
        if similar := self.similar(model, 5):
            assert_same(similar, loaded.similar_items(self.catalogue, 5))

    def test_reasons_are_items_of_the_users_own_history(self, model: Recommender, data: Dataset) -> None:
        top = model.recommend(data, self.everybody, 10)
        reasons = model.explain(data, self.everybody, top)
        assert reasons.dtype == np.int32 and reasons.shape == top.items.shape
        assert (reasons[top.items == -1] == -1).all()
        users = np.broadcast_to(self.everybody[:, None], reasons.shape)
        assert (data.matrix.toarray()[users, reasons] > 0)[reasons >= 0].all()
        nobody = np.array([NEWCOMER])
        assert (model.explain(data, nobody, TopK(top.items[nobody], top.scores[nobody])) == -1).all()

    def test_inputs_are_left_as_they_were(self, data: Dataset) -> None:
        untouched, allowed, users = small_site(), np.arange(N_ITEMS) % 2 == 0, self.everybody.copy()
        model = self.make().fit(data)
        top = model.recommend(data, users, 10, allowed=allowed)
        model.explain(data, users, top)
        self.similar(model, 10, allowed=allowed)
        for field in fields(Dataset):
            before, after = getattr(untouched, field.name), getattr(data, field.name)
            if isinstance(before, sparse.csr_array):
                np.testing.assert_array_equal(before.toarray(), after.toarray())
            else:
                np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(data.matrix.toarray(), untouched.matrix.toarray())
        np.testing.assert_array_equal(users, self.everybody)
        np.testing.assert_array_equal(allowed, np.arange(N_ITEMS) % 2 == 0)

    def test_users_and_items_out_of_range_are_named(self, model: Recommender, data: Dataset) -> None:
        with pytest.raises(ValueError, match="User index 40 is not one of the 40 users"):
            model.recommend(data, np.array([0, 40]), 5)
        with pytest.raises(ValueError, match="User index -1"):
            model.recommend(data, np.array([-1]), 5)
        with pytest.raises(ValueError, match="31 items, the model was fitted on 30"):
            no_terms: Csr = sparse.csr_array(np.zeros((31, 12), np.float32))
            grown = replace(data, n_items=31, terms=no_terms)
            model.recommend(grown, np.array([0]), 5)

    def test_ten_users_who_each_have_one_item_stay_finite(self) -> None:
        identity = Dataset.from_arrays(
            np.arange(10), np.arange(10), terms=sparse.csr_array(np.eye(10, dtype=np.float32))
        )
        top = self.make().fit(identity).recommend(identity, np.arange(10), 10, repeats=True)
        assert np.isfinite(top.scores[top.items >= 0]).all()

    def test_similar_items_are_ranked_and_never_the_item_itself(self, model: Recommender) -> None:
        if (top := self.similar(model, N_ITEMS)) is None:
            return
        assert top.items.dtype == np.int32 and top.scores.dtype == np.float32
        assert top.items.shape == top.scores.shape == (N_ITEMS, N_ITEMS)
        listed = top.items >= 0
        assert listed[:NEVER_SEEN].any(axis=1).all() and (top.items == 0).any()
        assert not (top.items == self.catalogue[:, None]).any()
        assert np.array_equal(np.isfinite(top.scores), listed)
        assert (top.scores[:, 1:] <= top.scores[:, :-1]).all()
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in top.items)
        tied = (top.scores[:, 1:] == top.scores[:, :-1]) & listed[:, 1:]
        assert (top.items[:, 1:] > top.items[:, :-1])[tied].all()

    def test_similar_items_depend_on_nothing_else_that_is_asked(self, model: Recommender) -> None:
        if (top := self.similar(model, 10)) is None:
            return
        short = model.similar_items(self.catalogue, 3)
        assert_same(short, TopK(top.items[:, :3], top.scores[:, :3]))
        alone = model.similar_items(np.array([7]), 10)
        assert_same(alone, TopK(top.items[[7]], top.scores[[7]]))
        assert model.similar_items(np.array([], dtype=np.int64), 3).items.shape == (0, 3)

    def test_items_that_are_not_allowed_are_not_named_as_similar(self, model: Recommender) -> None:
        allowed = np.arange(N_ITEMS) % 3 != 0
        if (top := self.similar(model, N_ITEMS, allowed=allowed)) is None:
            return
        assert allowed[top.items[top.items >= 0]].all()
        everything = model.similar_items(self.catalogue, N_ITEMS)
        for some, every in zip(top.items, everything.items, strict=True):
            assert some[some >= 0].tolist() == [item for item in every if item >= 0 and allowed[item]]

    def test_an_item_that_is_not_there_is_named(self, model: Recommender) -> None:
        for index in (-1, N_ITEMS):
            with pytest.raises(ValueError, match=f"Item index {index} is not one of the 30 items"):
                model.similar_items(np.array([index]), 5)

    def test_memory_needed_grows_with_the_site(self) -> None:
        small, large = (self.make().memory_needed(10 * n, n, 100 * n) for n in (100, 100_000))
        assert 0 < small < large
