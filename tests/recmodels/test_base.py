"""A recommender follows scikit-learn's conventions, and says plainly what it cannot do."""

import numpy as np
import pytest
from sklearn.base import clone

from recmodels.compute import memory
from recmodels.ensemble.model import Ensemble
from recmodels.errors import ConfigError, NightrecError
from recmodels.factors.als import ALS
from recmodels.popularity import Popularity
from recmodels.testing import N_USERS, small_site
from recmodels.transformer.model import Transformer


def test_a_clone_has_the_parameters_and_is_not_fitted() -> None:
    model = ALS(factors=4, iterations=1).fit(small_site())
    again = clone(model)
    assert again == model and again is not model
    with pytest.raises(NightrecError, match="ALS is not fitted yet; call fit first"):
        again.recommend(small_site(), np.arange(3), 5)
    assert clone(Ensemble(members=["als", "ease"])).members == ["als", "ease"]


def test_parameters_are_set_by_name() -> None:
    model = ALS().set_params(factors=8, seed=3)
    assert model == ALS(factors=8, seed=3) and model.get_params()["factors"] == 8
    with pytest.raises(ConfigError, match=r"ALS has no parameter 'factor'; it has: factors, regularization"):
        model.set_params(factor=8)
    with pytest.raises(ConfigError, match="ALS: factors is 0"):
        model.set_params(factors=0).fit(small_site())


def test_a_model_is_shown_with_what_is_not_the_default() -> None:
    assert repr(ALS()) == "ALS()"
    assert repr(ALS(factors=8, seed=0)) == "ALS(factors=8)"
    assert repr(Transformer(block="sasrec", dropout=0.1)) == "Transformer(dropout=0.1, block='sasrec')"
    assert repr(Popularity(days=7.0)) == "Popularity(days=7.0)"


def test_a_model_without_reasons_or_similarity_says_so() -> None:
    data, everybody = small_site(), np.arange(N_USERS)
    model = Popularity().fit(data)
    assert (model.explain(data, everybody, model.recommend(data, everybody, 5)) == -1).all()
    with pytest.raises(NightrecError, match="Popularity has no similarity of items"):
        model.similar_items(np.array([0]), 5)


def test_a_process_takes_itself_the_matrix_and_what_the_model_needs() -> None:
    for model, itself in (ALS(), memory.PROCESS), (Transformer(), memory.PROCESS + memory.TORCH):
        needed = model.memory_needed(1000, 100, 10_000)
        assert model.process_memory(1000, 100, 10_000) == itself + 8 * 10_000 + 48 * 1000 + 160 * 100 + needed


def test_a_process_takes_at_least_what_reading_takes() -> None:
    assert Popularity().process_memory(10**6, 10**5, 5 * 10**7) == memory.PROCESS + 40 * (10**6 + 5 * 10**7)


def test_a_process_that_finds_the_data_read_holds_the_matrix_alone() -> None:
    sizes = 10**6, 10**5, 5 * 10**7
    for model in Popularity(), ALS():
        matrix = 8 * sizes[2] + 48 * sizes[0] + 160 * sizes[1]
        assert model.process_memory(*sizes, mapped=True) == memory.PROCESS + matrix + model.memory_needed(*sizes)


def test_popularity_of_some_days_reads_times_which_take_work_and_memory() -> None:
    sizes = 10**6, 10**5, 5 * 10**7
    always, week = Popularity(), Popularity(days=7)
    assert week.work(*sizes) > 5 * always.work(*sizes)
    assert week.memory_needed(*sizes) - always.memory_needed(*sizes) > 16 * sizes[2]
