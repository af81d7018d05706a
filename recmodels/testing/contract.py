"""What every recommender promises: its lists, and that it is fitted, saved, repeated and explained as it says."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.persistence import load, save
from recmodels.ranking.topk import TopK
from recmodels.testing.lists import ListClaims
from recmodels.testing.site import N_ITEMS, N_USERS, NEVER_SEEN, assert_same, small_site, threads


class RecommenderContract(ListClaims):
    """All claims."""

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

    def test_inputs_are_left_as_they_were(self, data: Dataset) -> None:
        untouched = replace(small_site(), domains=data.domains)
        allowed, users = np.arange(N_ITEMS) % 2 == 0, self.everybody.copy()
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
