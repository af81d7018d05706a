"""Content by dense vectors."""

import numpy as np
import pytest
from scipy import sparse

from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError, DataRefused
from recmodels.simulation.policies import Trained
from recmodels.simulation.run import NightSeen, simulate
from recmodels.simulation.vectors import VectorContent
from tests.recmodels.simulation.policies.test_trained import known_on, lists_of
from tests.recmodels.simulation.tiny import Tiny

DAY = 86_400_000_000


def data_of(vectors: np.ndarray) -> Dataset:
    """Two users of four items: one had item 0 and, thirty days later, item 1; the other had item 2 twice as much."""
    return Dataset.from_arrays(
        [0, 0, 1], [0, 1, 2], timestamp=[0, 30 * DAY, 0], weight=[1, 1, 2], n_items=4,
        terms=sparse.csr_array(vectors.astype(np.float32)),
    )  # fmt: skip


VECTORS = np.array([[1, 0], [0, 1], [-1, 0.5], [0.6, 0.8]])


def test_scores_are_cosines_of_the_faded_profile_and_popularity():
    data = data_of(VECTORS)
    model = VectorContent(popularity=0.5, centered=False).fit(data)
    profile = 0.5 * VECTORS[0] + VECTORS[1]  # item 0 is half a life older
    cosines = VECTORS @ profile / np.linalg.norm(profile) / np.linalg.norm(VECTORS, axis=1)
    prior = 0.5 * np.log1p([1, 1, 2, 0]) / np.log(3)
    np.testing.assert_allclose(model._score(data, np.array([0], np.int32))[0], cosines + prior, rtol=1e-5)


def test_an_item_that_nobody_had_is_ranked_by_what_it_is():
    data = data_of(VECTORS)
    model = VectorContent(half_life_days=None).fit(data)
    assert model.recommend(data, [0], k=1).items.tolist() == [[3]]


def test_what_all_vectors_have_in_common_says_nothing():
    shifted = data_of(VECTORS + 100)
    plain, same = (VectorContent().fit(data)._score(data, np.array([0, 1])) for data in (data_of(VECTORS), shifted))
    np.testing.assert_allclose(plain, same, atol=1e-3)


def test_without_vectors_it_says_so():
    with pytest.raises(DataRefused, match="no vectors"):
        VectorContent().fit(Dataset.from_arrays([0], [0]))


def by_category(n_items: int = 60) -> np.ndarray:
    """What an encoder that reads categories would give."""
    return np.eye(4, dtype=np.float32)[np.arange(n_items) % 4] + 0.01 * np.random.default_rng(0).normal(
        size=(n_items, 4)
    )


def test_a_policy_ranks_what_is_new_by_its_vectors():
    known, policy = known_on(3), Trained("content", vectors=by_category())
    policy.learn(3, known, np.random.default_rng(0))
    new = np.bincount(known.pairs.item, minlength=60) == 0
    assert new[lists_of(policy, known)].any()


@pytest.mark.parametrize(
    ("name", "parameters", "table"),
    [
        ("hybrid", {"factors": 4, "epochs": 1}, "items_terms"),
        ("transformer", {"dim": 8, "epochs": 1, "content": True}, "0.term_projection"),
    ],
)
@pytest.mark.slow
def test_models_that_are_trained_learn_what_each_number_of_a_vector_says(name, parameters, table):
    known, policy = known_on(3), Trained(name, parameters, vectors=by_category())
    policy.learn(3, known, np.random.default_rng(0))
    assert len(vars(policy.model)["tables_"][table]) == 4


def test_it_goes_on_from_its_state():
    nights: list[NightSeen] = []
    policy = Trained("content", vectors=by_category())
    simulate(Tiny(), policy, 2, observe=nights.append)
    again = Trained("content", vectors=by_category())
    again.restore(policy.state())
    known = nights[-1].known
    assert (lists_of(again, known) == lists_of(policy, known)).all()


def test_vectors_are_of_all_items():
    with pytest.raises(ConfigError, match="vectors of 50 items, and 60 items"):
        simulate(Tiny(), Trained("content", vectors=by_category(50)), 1)
