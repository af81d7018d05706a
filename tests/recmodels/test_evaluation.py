"""Offline evaluation: the values by hand, and by the parts that a night uses."""

import numpy as np
import pandas as pd
import pytest

from recmodels.data.dataset import Dataset
from recmodels.errors import DataRefused
from recmodels.evaluation import compare, evaluate
from recmodels.knn.item_knn import ItemKNN
from recmodels.popularity import Popularity

DAY = 86_400
# Five users who know a and b; in the last days three of them find c, one finds d and one returns to nothing.
ROWS = [(user, item, user) for user in range(5) for item in ("a", "b")]
ROWS += [(9, "c", 9), (9, "d", 10), (8, "c", 9)]
LATER = [(0, "c", 20 * DAY), (1, "c", 20 * DAY), (2, "c", 20 * DAY), (3, "d", 20 * DAY), (77, "a", 20 * DAY)]
LOG = pd.DataFrame(ROWS + LATER, columns=["user_id", "item_id", "at"])
DATA = Dataset.from_pandas(LOG, time="at")


def test_metrics_of_the_last_days_are_those_counted_by_hand() -> None:
    found = evaluate(Popularity(), DATA, holdout=7, k=1)
    assert found.users == 4  # 77 was never there before
    assert found["hit_rate"] == found["ndcg"] == found["recall"] == 0.75  # c is the most popular item they do not know
    assert found.per_user["hit_rate"].tolist() == [1, 1, 1, 0]
    low, high = found.intervals["hit_rate"]
    assert 0 <= low < 0.75 < high <= 1
    frame = found.to_pandas()
    assert frame.loc["mrr"].tolist() == [0.75, *found.intervals["mrr"]]


def test_the_last_interaction_of_each_user_may_be_held_out() -> None:
    found = evaluate(Popularity(), DATA, holdout="last", k=4)
    assert found.users == 6  # 8 and 77 have one interaction, which is kept
    assert np.array_equal(found.per_user["recall"], found.per_user["hit_rate"])


def test_the_model_that_is_given_stays_as_it_is() -> None:
    model = Popularity()
    found = evaluate(model, DATA, holdout=7)
    assert not hasattr(model, "n_items_") and found.model.n_items_ == DATA.n_items


def test_models_are_compared_on_the_same_users_and_tested_against_the_best() -> None:
    comparison = compare({"popular": Popularity(), "neighbors": ItemKNN()}, DATA, holdout=7, k=1)
    frame = comparison.to_pandas()
    assert comparison.best == "popular" and frame.index.tolist() == ["popular", "neighbors"]
    assert frame.loc["popular", "ndcg"] == 0.75 and frame.loc["neighbors", "ndcg"] == 0  # nobody had c or d with a
    assert np.isnan(frame.loc["popular", "p_value"])
    assert frame.loc["neighbors", "p_value"] == 0.25  # three users differ: 2 of the 8 assignments of signs are as far


def test_models_without_names_are_named_by_their_parameters() -> None:
    comparison = compare([Popularity(), Popularity(days=1.0)], DATA, holdout=7)
    assert all(name.startswith("Popularity(") for name in comparison.evaluations)
    with pytest.raises(ValueError, match="each of them once"):
        compare([Popularity(), Popularity()], DATA, holdout=7)


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(DataRefused, match="measures nobody"):
        evaluate(Popularity(), Dataset.from_pandas(LOG[LOG["at"] > DAY], time="at"), holdout=7)
    with pytest.raises(ValueError, match="give a number of days, 'last' or 'auto'"):
        evaluate(Popularity(), DATA, holdout="first")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="There is no metric 'auc'"):
        compare([Popularity()], DATA, metric="auc")
