"""Feature fusion: the features that vectors are sums of, and the users and items that they serve."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.errors import ConfigError, NightrecError
from recmodels.fallback import serve
from recmodels.options import FitOptions, WarmStart
from recmodels.pairwise.hybrid import Embedding, Hybrid, own_factors
from recmodels.pairwise.ncf import NCF
from recmodels.pairwise.training import PairTrainer
from recmodels.popularity import Popularity
from recmodels.testing import RecommenderContract, small_site
from tests.recmodels.renumbered import same_rows
from tests.recmodels.test_sampling import head_and_tail

torch.set_num_threads(1)  # tests run side by side: threads that wait for each other would take ten times as long

SMALL = {"factors": 8, "epochs": 2, "batch": 256}


class TestHybrid(RecommenderContract):
    rounding = 1e-3
    recommends_unseen_items = True

    def make(self) -> Hybrid:
        return Hybrid(**SMALL)


class TestHybridWithWarpAgainstFewNegatives(RecommenderContract):
    rounding = 1e-3

    def make(self) -> Hybrid:
        return Hybrid(**SMALL, loss="warp", negatives=16, content=False, user_ids=False)


class TestEmbedding(RecommenderContract):
    rounding = 1e-3

    def make(self) -> Embedding:
        return Embedding(**SMALL)


def two_tastes(n_users: int = 120, n_items: int = 60) -> tuple[Dataset, np.ndarray]:
    """Users like the items of their own parity, which are the items' terms: a dataset, and what is of whose taste."""
    taste = np.arange(n_items) % 2 == np.arange(n_users)[:, None] % 2
    users, items = np.nonzero(taste & (np.random.default_rng(0).random(taste.shape) < 0.3))
    terms = sparse.csr_array(np.eye(2, dtype=np.float32)[np.arange(n_items) % 2])
    return Dataset.from_arrays(users, items, terms=terms, n_users=n_users, n_items=n_items), taste


@pytest.mark.parametrize("loss", ["softmax", "bpr", "warp", "bce"])
@pytest.mark.parametrize(("features", "epochs"), [({}, 4), ({"history": False, "content": False}, 10)])
@pytest.mark.slow
def test_preferences_are_learned(loss: str, features: dict[str, bool], epochs: int) -> None:
    data, taste = two_tastes()
    users = np.arange(data.n_users)
    settings = SMALL | {"epochs": epochs, "learning_rate": 0.3, "negatives": 32}
    model = Hybrid(**settings, regularization=0.1, loss=loss, **features)
    top = model.fit(data).recommend(data, users, 10)
    assert taste[users[:, None], top.items].mean() > 0.9


def test_a_score_is_the_sum_over_all_pairs_of_features() -> None:
    data = small_site()
    data = replace(data, weight=np.linspace(0.5, 2, len(data), dtype=np.float32))
    model = Hybrid(**SMALL).fit(data)
    top = model.recommend(data, np.array([3]), 5)
    own = slice(data.indptr[3], data.indptr[4])
    items, weights = data.item_index[own], data.matrix.toarray()[3, data.item_index[own]]
    user = model.user_vectors_[3, :8] + weights @ model.history_vectors_[items, :8] / np.sqrt(weights.sum())
    expected = model.item_vectors_[top.items[0]] @ np.append(user, 1)
    np.testing.assert_allclose(top.scores[0], expected, rtol=1e-4)


@pytest.mark.parametrize("kind", [Hybrid, NCF])
def test_a_cold_start_item_is_known_by_its_terms_alone(kind: type[Hybrid | NCF]) -> None:
    data, taste = two_tastes()
    hidden = data.item_index >= 50
    known = Dataset.from_arrays(
        data.user_index[~hidden], data.item_index[~hidden], terms=data.terms, n_users=data.n_users, n_items=data.n_items
    )
    model = kind(factors=8, epochs=6, batch=256, id_dropout=0.5).fit(known)
    vectors = vars(model)["item_vectors_"]
    np.testing.assert_array_equal(vectors[50], vectors[52])
    users = np.arange(data.n_users)
    top = model.recommend(known, users, 5, allowed=np.arange(data.n_items) >= 50)
    assert taste[users[:, None], top.items].mean() > 0.95


@pytest.mark.parametrize("kind", [Hybrid, NCF])
def test_a_cold_start_user_is_known_by_the_user_table(kind: type[Hybrid | NCF]) -> None:
    data, taste = two_tastes()
    of_users = sparse.csr_array(np.eye(2, dtype=np.float32)[np.arange(data.n_users) % 2])
    idle = data.user_index >= 110
    some = Dataset.from_arrays(
        data.user_index[~idle], data.item_index[~idle], user_terms=of_users, n_users=120, n_items=data.n_items
    )
    model = kind(factors=8, epochs=6, batch=256, id_dropout=0.3).fit(some)
    served = serve(model, Popularity().fit(some), some, np.arange(110, 120), 10)
    assert taste[np.arange(110, 120)[:, None], served.items].mean() > 0.9 and not served.cold.any()
    nameless = replace(some, user_terms=sparse.csr_array((120, 2), dtype=np.float32))  # nothing is said of anybody
    assert serve(model, Popularity().fit(some), nameless, np.arange(110, 120), 10).cold.all()
    with pytest.raises(ValueError, match="The data have 0 terms of users, the model was fitted with 2"):
        model.recommend(replace(some, user_terms=sparse.csr_array((120, 0), dtype=np.float32)), np.array([0]), 3)


@pytest.mark.parametrize("model", [Hybrid(factors=8, epochs=10, batch=256), Embedding(factors=8, epochs=10, batch=256)])
def test_a_user_who_came_after_the_training_is_served_by_their_history(model: Hybrid) -> None:
    data, _ = two_tastes()
    model.fit(data)
    more = [120, 120, 120, 121, 121, 121]
    later = Dataset.from_arrays(
        [*data.user_index, *more], [*data.item_index, 0, 2, 4, 1, 3, 5], terms=data.terms, n_items=data.n_items
    )
    top = model.recommend(later, np.array([120, 121]), 10)
    assert (top.items[0] % 2 == 0).mean() > 0.9 and (top.items[1] % 2 == 1).mean() > 0.9


def test_reasons_are_the_items_that_add_most_to_the_score() -> None:
    data = small_site()
    model = Hybrid(**SMALL).fit(data)
    users = np.arange(10)
    top = model.recommend(data, users, 5)
    share = model.history_vectors_[:, :-1] @ model.item_vectors_[:, :-1].T  # [history item, target]
    for user, (items, reasons) in enumerate(zip(top.items, model.explain(data, users, top), strict=True)):
        own = np.unique(data.item_index[data.indptr[user] : data.indptr[user + 1]])
        for item, reason in zip(items[items >= 0], reasons[items >= 0], strict=True):
            best = own[np.argmax(share[own, item])]
            assert reason == (best if share[best, item] > 0 else -1)


@pytest.mark.parametrize("change", [{"popularity_exponent": 1.0}, {"negative_exponent": 1.0, "loss": "bpr"}])
def test_the_tail_is_recommended_more_where_the_head_counts_less(change: dict[str, Any]) -> None:
    data = head_and_tail()
    shares = []
    for parameters in (change | {"popularity_exponent": 0.0, "negative_exponent": 0.0}, change):
        model = Embedding(factors=8, epochs=10, negatives=64, **parameters).fit(data)
        shares.append((model.recommend(data, np.arange(300), 10).items >= 16).mean())
    assert shares[1] > shares[0] + 0.05


def test_training_ends_when_its_time_is_over_in_the_middle_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, step = [], PairTrainer.step
    monkeypatch.setattr(PairTrainer, "step", lambda *given: steps.append(1) or step(*given))
    Hybrid(**SMALL | {"epochs": 40, "batch": 50}).fit(small_site(), FitOptions(minutes=0))
    assert len(steps) == 1


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="Hybrid: loss is 'hinge'; give one of softmax, bpr, warp, bce"):
        Hybrid(loss="hinge").fit(small_site())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="without history and user_ids nothing is known of a user"):
        Hybrid(history=False, user_ids=False).fit(small_site())
    with pytest.raises(NightrecError, match=r"diverged in epoch .; give a smaller learning_rate"):
        Hybrid(**SMALL, learning_rate=1e30).fit(small_site())


@pytest.mark.slow
def test_domains_share_some_factors_and_have_others_for_themselves() -> None:
    """Of eight factors four are shared, and two are of each domain: who is new in one is served by what is shared."""
    data, taste = two_tastes()
    second = np.arange(60) >= 30
    elsewhere = (data.user_index < 30) & second[data.item_index]  # the first thirty users have nothing in the second
    left = Dataset.from_arrays(data.user_index[~elsewhere], data.item_index[~elsewhere], n_users=120, n_items=60)
    left = replace(left, domains=Domains(("a", "b"), second.astype(np.int32)))
    model = Hybrid(factors=8, epochs=8, batch=512, domain_share=0.5).fit(left)
    for vectors in (model.item_vectors_, model.history_vectors_):
        assert vectors is not None
        assert not vectors[second, 4:6].any() and not vectors[~second, 6:8].any()
        assert vectors[:, :4].all() and vectors[~second, 4:6].all() and vectors[second, 6:8].all()
    found = model.recommend(left, np.arange(30, dtype=np.int32), 5, allowed=second)
    assert taste[np.arange(30)[:, None], found.items].mean() > 0.9
    assert own_factors(None, 8, 0.5) is None and own_factors(left.domains, 8, 0.1) is None


def test_parts_of_other_domains_are_no_start(caplog: pytest.LogCaptureFixture) -> None:
    data = small_site()
    data = replace(data, domains=Domains(("a", "b"), np.arange(data.n_items, dtype=np.int32) % 2))
    assert data.domains is not None
    more = replace(data, domains=replace(data.domains, names=("a", "b", "c")))
    model = Hybrid(**SMALL, domain_share=0.5)
    options = FitOptions(warm_start=WarmStart(replace(model).fit(data), same_rows(data)))
    with caplog.at_level("INFO"):
        replace(model).fit(data, options)
        assert "items: 30 of 30 rows are of the earlier model." in caplog.messages
        caplog.clear()
        replace(model).fit(more, options)
    assert "The earlier model has parts for other domains; this one starts anew." in caplog.messages
    assert not [message for message in caplog.messages if "earlier model." in message]
