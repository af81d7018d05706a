"""The power that is chosen by the data, and what it is chosen on."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.knn import popularity_power
from recmodels.knn.item_knn import ItemKNN
from recmodels.knn.popularity_power import PLAIN, USUAL, chosen_power, held_out
from recmodels.testing import small_site


def niches(n_users: int = 1000, n_niches: int = 100) -> Dataset:
    """Users choose three of six items of their niche, and four of 20 that everybody chooses, in any order."""
    rng = np.random.default_rng(0)
    own = 20 + 6 * (np.arange(n_users) % n_niches)[:, None] + rng.random((n_users, 6)).argsort(axis=1)[:, :3]
    chosen = np.concatenate((own, rng.random((n_users, 20)).argsort(axis=1)[:, :4]), axis=1)
    users = np.repeat(np.arange(n_users), 7)
    return Dataset.from_arrays(users, rng.permuted(chosen, axis=1).ravel(), n_items=20 + 6 * n_niches)


def random_site(n_users: int = 1500) -> Dataset:
    """Users without a taste: what is popular is all that can be known."""
    rng = np.random.default_rng(0)
    chances = np.arange(1, 301) ** -0.8
    pairs = np.unique(
        [np.repeat(np.arange(n_users), 12), rng.choice(300, 12 * n_users, p=chances / chances.sum())], axis=1
    )
    order = np.lexsort((rng.random(pairs.shape[1]), pairs[0]))
    return Dataset.from_arrays(*pairs[:, order], n_users=n_users, n_items=300)


def test_narrow_tastes_want_the_plain_cosine_and_none_want_popular_neighbors() -> None:
    assert ItemKNN().fit(niches()).popularity_power_ == PLAIN
    assert ItemKNN().fit(random_site()).popularity_power_ == USUAL


def test_the_choice_trains_as_the_power_itself_does() -> None:
    data = random_site()
    chosen, given = ItemKNN(neighbors=10).fit(data), ItemKNN(neighbors=10, popularity_power=USUAL).fit(data)
    np.testing.assert_array_equal(chosen.similarity_.toarray(), given.similarity_.toarray())


def test_few_users_and_measures_without_powers_choose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(power: float, data: Dataset) -> ItemKNN:
        raise AssertionError

    assert chosen_power(never, small_site()) == USUAL
    monkeypatch.setattr("recmodels.knn.item_knn.chosen_power", never)
    ItemKNN(weighting="jaccard").fit(random_site(20))
    ItemKNN(popularity_power=0.3).fit(random_site(20))


def test_the_latest_interactions_of_some_users_are_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popularity_power, "TESTED", 300)
    data = random_site()
    trial = held_out(data)
    assert trial is not None and len(trial.users) == 300
    matrix = data.matrix.toarray()[:, data.known_items] > 0  # PRODUCTS suffice for all of them
    learned = trial.train.matrix.toarray() > 0
    untested = np.setdiff1d(np.arange(data.n_users), trial.users)
    np.testing.assert_array_equal(learned[untested], matrix[untested])
    np.testing.assert_array_equal(learned[trial.users] ^ (trial.truth.toarray() > 0), matrix[trial.users])
    place = np.searchsorted(data.known_items, data.item_index)
    for row, user in enumerate(trial.users[:20]):
        own = place[data.indptr[user] : data.indptr[user + 1]]
        assert set(own[-int(np.ceil(len(own) / 5)) :]) == set(trial.truth[[row]].indices)


def test_large_data_are_looked_at_by_some_items_with_all_their_interactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popularity_power, "PRODUCTS", (np.diff(random_site().indptr) ** 2.0).sum() / 4)
    data = random_site()
    trial = held_out(data)
    assert trial is not None and trial.train.n_items == pytest.approx(len(data.known_items) / 2, abs=1)
    counts = trial.train.item_counts + np.asarray(trial.truth.sum(axis=0)).ravel()
    assert np.isin(counts, data.item_counts).all()
