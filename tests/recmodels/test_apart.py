"""A model of each domain by itself: its lists of a domain are those of the recommender that knows nothing else."""

from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from recmodels.apart import Apart
from recmodels.data.contexts import Weekdays
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import ConfigError
from recmodels.fallback import serve
from recmodels.knn.item_knn import ItemKNN
from recmodels.knn.tifu import TIFUKNN
from recmodels.options import FitOptions
from recmodels.persistence import load, save
from recmodels.popularity import Popularity
from recmodels.testing import N_ITEMS, N_USERS, RecommenderContract, small_site

FILMS = np.arange(N_ITEMS) % 3 == 0
DATA = replace(small_site(), domains=Domains(("books", "films"), FILMS.astype(np.int32)))
EVERYBODY = np.arange(N_USERS, dtype=np.int32)


@dataclass
class Turned(Popularity):
    """What is popular, and in each context that there is the other way round."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        super()._fit(data, options)
        assert options.contexts is not None and len(options.contexts.of(data)) == len(data)
        self.contexts_ = list(options.contexts.names)

    def in_contexts(self) -> dict[str, Self]:
        turned = copy(self)
        turned.scores_ = -self.scores_
        return dict.fromkeys(self.contexts_, turned)


class TestApart(RecommenderContract):
    def make(self) -> Apart:
        return Apart(of="item_knn", parameters={"neighbors": 4})

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> Dataset:
        return DATA


@pytest.fixture(scope="module")
def model() -> Apart:
    return Apart(of="item_knn", parameters={"neighbors": 4}).fit(DATA)


@pytest.mark.parametrize("items", [FILMS, ~FILMS])
def test_lists_of_a_domain_are_those_of_the_domain_alone(model: Apart, items: np.ndarray) -> None:
    alone = DATA.of_items(items)
    expected = ItemKNN(neighbors=4).fit(alone).recommend(alone, EVERYBODY, 5, allowed=items)
    found = model.recommend(DATA, EVERYBODY, 5, allowed=items)
    equal = (found.items == expected.items) | (found.scores == 0)  # the least of all is worth nothing, as of a tie
    assert equal.all() and (found.items >= 0).sum() == (expected.items >= 0).sum() > N_USERS
    served = serve(model, Popularity().fit(DATA), DATA, EVERYBODY, 3, allowed=items)
    new = np.diff(alone.indptr) == 0
    assert new.any() and served.cold[new].all() and (served.items[new] >= 0).all()


def test_mixed_lists_weigh_the_order_of_each_domain_by_what_the_user_does_there(model: Apart) -> None:
    mixed, held = model.recommend(DATA, EVERYBODY, 6), []
    for items in (~FILMS, FILMS):
        alone = DATA.of_items(items)
        held.append(np.diff(alone.indptr) + 1)
        listed = model.recommend(DATA, EVERYBODY, 6, allowed=items)
        for user in EVERYBODY:
            mine = [item for item in mixed.items[user] if item >= 0 and items[item]]
            assert mine == listed.items[user, : len(mine)].tolist()
    share = np.stack(held) / np.sum(held, axis=0)  # what the best of a domain is worth at most
    there = mixed.items >= 0
    users = np.broadcast_to(EVERYBODY[:, None], there.shape)[there]
    assert (mixed.scores[there] <= share[FILMS[mixed.items[there]].astype(int), users] * (1 + 1e-6)).all()


def test_it_is_saved_with_its_models(model: Apart, tmp_path: Path) -> None:
    save(model, tmp_path)
    again = load(tmp_path).recommend(DATA, EVERYBODY, 5)
    np.testing.assert_array_equal(again.items, model.recommend(DATA, EVERYBODY, 5).items)
    reasons = model.explain(DATA, EVERYBODY, again)
    named = reasons >= 0
    assert named.any() and (FILMS[reasons[named]] == FILMS[again.items[named]]).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="name one recommender"):
        Apart(of="ensemble").fit(DATA)


def test_whoever_is_new_in_a_domain_is_shown_what_is_popular_there() -> None:
    model, books = Apart(of="als", parameters={"factors": 4}).fit(DATA), DATA.of_items(~FILMS)
    readers = np.flatnonzero(np.diff(books.indptr)).astype(np.int32)
    served = serve(model, Popularity().fit(DATA), books, readers, 3, allowed=FILMS)  # as if they had seen no films
    assert served.cold.all() and (served.items >= 0).all()
    assert not serve(model, Popularity().fit(DATA), books, readers, 3, allowed=~FILMS).cold[:, 0].all()


def test_its_models_are_told_the_contexts_and_make_the_lists_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Apart, "_made", lambda _: Turned())
    model = Apart().fit(DATA, FitOptions(contexts=Weekdays()))
    monday = model.in_contexts()["Monday"]
    share = (model._score(DATA, EVERYBODY) + monday._score(DATA, EVERYBODY))[:, FILMS]  # of two opposite orders
    np.testing.assert_allclose(share, np.broadcast_to(share[:, :1], share.shape), rtol=1e-5)
    assert len(model.in_contexts()) == 7


def test_its_models_know_the_events_of_their_domain() -> None:
    """Each pair has two events, a day apart: a model of the films alone has the same profiles."""
    user, item, time = (np.repeat(column, 2) for column in (DATA.user_index, DATA.item_index, DATA.timestamp))
    time = time - np.arange(len(time)) % 2 * MICROSECONDS_PER_DAY
    order = np.lexsort((time, user))
    log = EventLog(Events(user[order], item[order], time[order]), DATA.end + 1)  # a fold, which knows what came before
    own = FILMS[log.every.item]
    films = EventLog(Events(*(column[own] for column in log.every)), log.end)
    model = Apart(of="tifu_knn").fit(DATA, FitOptions(events=log)).models_["1"]
    expected = TIFUKNN().fit(DATA.of_items(FILMS), FitOptions(events=films))
    np.testing.assert_array_equal(model.profiles_.toarray(), expected.profiles_.toarray())
    assert (model.profiles_ != TIFUKNN().fit(DATA.of_items(FILMS)).profiles_).nnz


def test_a_domain_may_have_no_ratings() -> None:
    rating = np.where(FILMS[DATA.item_index], DATA.item_index % 5 + 1.0, np.nan)
    columns = {name: getattr(DATA, name) for name in ("user_index", "item_index", "timestamp")}
    rated = Dataset.from_arrays(**columns, rating=rating, n_users=N_USERS, n_items=N_ITEMS)
    model = Apart(of="item_knn").fit(replace(rated, domains=DATA.domains))
    assert model.models_["0"].baseline_ is None and model.models_["1"].baseline_ is not None
    assert rated.without(EVERYBODY).rated is None
