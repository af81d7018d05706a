"""Reasons that name a column: what candidates lose without it, and when it is said."""

import numpy as np
import pyarrow as pa
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.site_tables import SiteTables
from recmodels.ensemble.column_reasons import losses_of_columns, losses_of_members, named, some_of
from recmodels.ensemble.fusion import Candidates
from recmodels.ensemble.model import Ensemble
from recmodels.options import FitOptions


def test_a_column_counts_what_is_lost_at_the_median_of_the_users_candidates() -> None:
    rows = np.array([[1, 0, 7], [3, 0, 7], [9, 5, 7], [2, 1, 4], [4, 2, 4]], float)
    user = np.array([0, 0, 0, 1, 1])
    found = losses_of_columns(rows, user, np.array([2, 3]), [0, 1, 2], lambda shown: shown @ [1.0, 2.0, 50.0])
    assert found.tolist() == [[9 - 3, 2 * (5 - 0), 0], [2 - 3, 2 * (1 - 1.5), 0]]  # the last is of the user


def test_a_member_counts_what_is_lost_where_it_lists_nothing() -> None:
    rank = np.array([[0, np.inf], [1, 0], [np.inf, 1]])
    share = np.array([[1, 0], [0.5, 1], [0, 0.25]])
    candidates = Candidates(2, np.array([0, 0, 1]), np.array([3, 5, 3], np.int32), rank, share)
    listed = some_of(candidates, np.array([1, 2]))
    assert listed.item.tolist() == [5, 3]
    losses = losses_of_members(listed, lambda some: some.share @ [2.0, 4.0] + np.isfinite(some.rank).sum(axis=1))
    assert losses.tolist() == [[2, 5], [0, 2]]


def test_the_column_that_counts_most_is_named_unless_a_member_counts_more() -> None:
    of_columns = np.array([[0.5, 0.2], [0.5, 0.7], [0.05, 0.01], [-1, -2]])
    of_members = np.array([[0.1, 0.3], [0.8, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert named(of_columns, of_members).tolist() == [0, -1, -1, -1]


@pytest.mark.slow
def test_cheap_items_are_listed_for_their_price_where_users_turn_to_them() -> None:
    rng = np.random.default_rng(0)
    price = np.arange(40.0)
    bought = [(user, rng.permutation(40)[:8]) for user in range(200)]
    rows = [(user, item, day) for user, items in bought for day, item in enumerate(items) if day < 5 or item < 12]
    user, item, day = np.array(rows).T
    data = Dataset.from_arrays(user, item, timestamp=day * 7 * 86_400_000_000, n_users=200, n_items=40)
    tables = SiteTables(
        pa.table({"item_id": np.arange(40), "price": price}), pa.table({"user_id": [f"u{n}" for n in range(200)]})
    )
    model = Ensemble(members=["popularity", "item_knn"], method="stack", trees=8, item_columns=["price"])
    model.fit(data, FitOptions(site=tables))
    users = np.arange(20, dtype=np.int32)
    top = model.recommend(data, users, 3)
    reasons = model.column_reasons(data, users, top, None, False)
    said = np.array(reasons) == "items.price"
    assert said.mean() > 0.5 and (price[top.items[said]] < 12).all()
    nothing = Ensemble(members=["popularity", "item_knn"], method="blend").fit(data)
    assert nothing.column_reasons(data, users, top, None, False) == [[None] * 3] * 20
