"""Ensembles: the contract, what they learn from whom, and who is left out."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from recmodels.base import Recommender
from recmodels.content import Content
from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.ensemble.model import MEMBERS, Ensemble
from recmodels.errors import ConfigError, NightrecError
from recmodels.factors.als import ALS
from recmodels.knn.item_knn import ItemKNN
from recmodels.options import DEFAULTS, FitOptions
from recmodels.persistence import save
from recmodels.popularity import Popularity
from recmodels.registry import create
from recmodels.testing import N_USERS, NEWCOMER, RecommenderContract, assert_same, small_site

EVERYBODY = np.arange(N_USERS)
FEW = 3  # trees: where their number is not what is tested


class TestEnsemble(RecommenderContract):
    recommends_unseen_items = True

    def make(self) -> Ensemble:
        return Ensemble(members=["item_knn", "content"], method="stack", trees=FEW)


def test_a_blend_ranks_by_the_weighted_reciprocal_ranks_of_its_members() -> None:
    data = small_site()
    model = Ensemble(members=["item_knn", "popularity"], method="blend", depth=10, offset=5.0).fit(data)
    scores = np.zeros((N_USERS, data.n_items))
    for member, weight in zip((ItemKNN(), Popularity()), model.weights_, strict=True):
        items = member.fit(data).recommend(data, EVERYBODY, 10).items
        for user, row in enumerate(items):
            for rank, item in enumerate(row[row >= 0], start=1):
                scores[user, item] += weight / (5 + rank)
    top = model.recommend(data, EVERYBODY[:38], 20)
    user, place = np.nonzero(top.items >= 0)
    np.testing.assert_allclose(top.scores[user, place], scores[user, top.items[user, place]], rtol=1e-6)
    np.testing.assert_array_equal((top.items >= 0).sum(axis=1), (scores[:38] > 0).sum(axis=1))
    of_all = model._score(data, EVERYBODY[:38])  # with what they have seen, and no other item
    expected = model.recommend(data, EVERYBODY[:38], data.n_items, repeats=True)
    np.testing.assert_array_equal(np.isfinite(of_all).sum(axis=1), (expected.items >= 0).sum(axis=1))
    user, place = np.nonzero(expected.items >= 0)
    np.testing.assert_array_equal(of_all[user, expected.items[user, place]], expected.scores[user, place])


def test_the_linear_score_is_that_of_its_coefficients() -> None:
    data = small_site()
    model = Ensemble(members=["item_knn", "popularity"], method="linear", depth=10).fit(data)
    scores = np.full((N_USERS, data.n_items), np.nan)
    for member, (a, b, c) in zip((ItemKNN(), Popularity()), model.coefficients_.T, strict=True):
        top = member.fit(data).recommend(data, EVERYBODY, 10)
        for user, (items, found) in enumerate(zip(top.items, top.scores.astype(np.float64), strict=True)):
            listed = items >= 0
            low, high = (found[listed].min(), found[listed].max()) if listed.any() else (0, 0)
            for rank, item in enumerate(items[listed], start=1):
                place = (found[rank - 1] - low) / (high - low) if high > low else 1
                scores[user, item] = np.nan_to_num(scores[user, item]) + a + b * np.log(rank) + c * place
    top = model.recommend(data, EVERYBODY[:38], 20)
    user, place = np.nonzero(top.items >= 0)
    np.testing.assert_allclose(top.scores[user, place], scores[user, top.items[user, place]], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal((top.items >= 0).sum(axis=1), np.isfinite(scores[:38]).sum(axis=1))
    assert not len(model.tree_roots_)


def test_the_mean_is_that_of_the_members_scores_each_from_0_to_1() -> None:
    data = small_site()
    model = Ensemble(members=["item_knn", "popularity"], method="mean", depth=10).fit(data)
    scores = np.zeros((N_USERS, data.n_items))
    for member in (ItemKNN(), Popularity()):
        top = member.fit(data).recommend(data, EVERYBODY, 10)
        for user, (items, found) in enumerate(zip(top.items, top.scores.astype(np.float64), strict=True)):
            if (listed := items >= 0).any():
                low, high = found[listed].min(), found[listed].max()
                scores[user, items[listed]] += (found[listed] - low) / (high - low) / 2
    top = model.recommend(data, EVERYBODY[:38], 20)
    user, place = np.nonzero(top.items >= 0)
    np.testing.assert_allclose(top.scores[user, place], scores[user, top.items[user, place]], rtol=1e-5, atol=1e-6)
    assert model.work(10, 20, 100) == Ensemble(members=["item_knn", "popularity"]).work(10, 20, 100) / 2


def test_a_mean_says_that_it_sees_no_columns(caplog: pytest.LogCaptureFixture) -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0])
    Ensemble(members=["item_knn", "popularity"], method="mean", item_columns=["price"]).fit(data)
    assert "method = 'mean' has no trees, which alone see columns of the site and contexts." in caplog.text


def test_the_informative_member_gets_the_weight() -> None:
    rng = np.random.default_rng(0)
    group = np.arange(200) % 2
    own = np.array([rng.permutation(np.arange(40) * 2 + side)[:12] for side in group])  # of 80 items, half for each
    data = Dataset.from_arrays(np.repeat(np.arange(200), 12), own.ravel(), n_users=200, n_items=80)
    model = Ensemble(members=["popularity", "item_knn"], method="blend").fit(data)
    assert model.weights_.sum() == pytest.approx(1) and model.weights_[1] > 0.8


def test_trees_are_taken_only_where_they_rank_better() -> None:
    data = small_site()
    learning = Ensemble(members=["item_knn", "popularity"], trees=FEW, learning_rate=0.5)
    unable = replace(learning, learning_rate=1e-9)  # its trees say next to nothing
    found = [len(one.fit(data).tree_roots_) for one in (learning, unable, replace(unable, method="stack"))]
    assert found == [FEW + 1, 0, FEW + 1]  # with the leaf that they begin with


def test_what_the_fusion_is_fitted_on_is_hidden_from_the_members(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_site()
    trained_on: list[Dataset] = []
    fit = Recommender.fit

    def watched(self: Recommender, data: Dataset, options: FitOptions = DEFAULTS) -> Recommender:
        trained_on.append(data)
        return fit(self, data, options)

    monkeypatch.setattr(Recommender, "fit", watched)
    Ensemble(members=["item_knn", "popularity"], validation_days=3, trees=FEW).fit(data)
    assert [seen is data for seen in trained_on] == [True, True, False, True, False]  # itself, then each member twice
    start = data.end - 3 * 86_400_000_000
    assert all(seen.timestamp.max() < start and seen.end == start for seen in trained_on[2::2])


def test_with_too_few_users_to_fit_on_all_members_have_the_same_weight() -> None:
    data = Dataset.from_arrays(np.arange(10), np.arange(10) % 3)  # nobody has two items
    model = Ensemble(members=["item_knn", "popularity", "als"], trees=FEW).fit(data)
    assert model.weights_.tolist() == [1 / 3] * 3 and not len(model.tree_roots_)


def test_members_that_are_there_already_are_taken_as_they_are(tmp_path: Path) -> None:
    data = small_site()
    recipes = {"small": {"recommender": "als", "params": {"factors": 4}}}
    save(ALS(factors=4).fit(data), tmp_path / "small")
    plain = Ensemble(members=["item_knn", "small"], recipes=recipes, trees=FEW).fit(data)
    taken = replace(plain).fit(data, FitOptions(members={"small": tmp_path / "small"}))
    assert_same(taken.recommend(data, EVERYBODY, 10), plain.recommend(data, EVERYBODY, 10))
    save(ALS(factors=8).fit(data), tmp_path / "other")
    with pytest.raises(NightrecError, match="only item_knn is left; it takes two"):
        replace(plain).fit(data, FitOptions(members={"small": tmp_path / "other"}))


def test_a_member_that_cannot_be_fitted_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    data = replace(small_site(), terms=small_site().terms[:, :0])
    with caplog.at_level(logging.WARNING):
        model = Ensemble(members=["item_knn", "content", "popularity"], trees=FEW).fit(data)
    assert list(model.members_) == ["item_knn", "popularity"] and len(model.weights_) == 2
    assert "content is left out: The items have no terms to compare" in caplog.text
    with pytest.raises(NightrecError, match=r"\(item_knn, content\), only item_knn is left; it takes two"):
        Ensemble(members=["item_knn", "content"], trees=FEW).fit(data)


def test_members_can_be_left_out_by_name() -> None:
    data = small_site()
    model = Ensemble(members=["item_knn", "content", "popularity"], trees=FEW).fit(
        data, FitOptions(without=("content",))
    )
    assert list(model.members_) == ["item_knn", "popularity"]
    with pytest.raises(NightrecError, match=r"Of the members of the ensemble \(none\), none is left"):
        Ensemble(members=["item_knn", "als"], trees=FEW).fit(data, FitOptions(without=("item_knn", "als")))


def test_impossible_members_are_refused() -> None:
    assert list(Ensemble().made()) == list(MEMBERS)
    with pytest.raises(ConfigError, match="did you mean 'als'"):
        Ensemble(members=["alz", "ease"]).made()
    with pytest.raises(ConfigError, match="members names ease; it takes two"):
        Ensemble(members=["ease", "ease"]).made()
    with pytest.raises(ConfigError, match="its member other is an ensemble, too"):
        Ensemble(members=["other", "ease"], recipes={"other": {"recommender": "ensemble"}}).made()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"depth": 0}, "depth is 0; give a whole number of at least 1"),
        ({"method": "vote"}, "method is 'vote'; give one of auto, blend, linear, mean, stack"),
        ({"validation_days": 0.0}, "validation_days is 0.0; give a number above 0, or none"),
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        create("ensemble", parameters).fit(small_site())


def test_a_user_is_known_if_a_member_knows_them_from_the_user_table() -> None:
    group = np.zeros((N_USERS, 2), np.float32)
    group[EVERYBODY, EVERYBODY % 2] = 1
    data = replace(small_site(), user_terms=sparse.csr_array(group))
    newcomer = np.array([NEWCOMER])
    hybrid = {"hybrid": {"recommender": "hybrid", "params": {"epochs": 1}}}
    without = Ensemble(members=["item_knn", "popularity"], trees=FEW).fit(data)
    assert not without.knows(data, newcomer)[0] and (without.recommend(data, newcomer, 5).items == -1).all()
    model = Ensemble(members=["item_knn", "popularity", "hybrid"], recipes=hybrid, trees=FEW).fit(data)
    assert model.knows(data, newcomer)[0] and (model.recommend(data, newcomer, 5).items >= 0).all()


def test_reasons_and_similar_items_come_from_the_member_with_the_largest_weight() -> None:
    data = small_site()
    model = Ensemble(members=["item_knn", "content"], method="blend").fit(data)
    model.weights_ = np.array([0.3, 0.7])
    top = model.recommend(data, EVERYBODY, 10)
    knn, content = (kind.fit(data).explain(data, EVERYBODY, top) for kind in (ItemKNN(), Content()))
    np.testing.assert_array_equal(model.explain(data, EVERYBODY, top), np.where(content >= 0, content, knn))
    items = np.arange(5)
    assert_same(model.similar_items(items, 4), Content().fit(data).similar_items(items, 4))


def test_members_that_count_events_are_weighed_by_repeats_or_count_pairs() -> None:
    data = small_site()
    twice = Events(*(np.repeat(column, 2) for column in (data.user_index, data.item_index, data.timestamp)))
    log = EventLog(twice, data.end)
    plain = Ensemble(members=["personal_frequency", "popularity"], trees=FEW).fit(data, FitOptions(events=log))
    repeats = replace(plain, repeats=True).fit(data, FitOptions(events=log))
    sums = [model.members_["personal_frequency"].profiles_.sum() for model in (plain, repeats)]
    assert sums[1] == pytest.approx(2 * sums[0])
