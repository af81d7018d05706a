"""Trees that see a site's own columns: as of the split, as they are saved, and only where they are asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.folds import last_days
from recmodels.data.site_tables import SiteTables
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.ensemble.columns import MISSING
from recmodels.ensemble.model import Ensemble
from recmodels.ensemble.pair_query import Limits
from recmodels.ensemble.site_features import SiteFeatures
from recmodels.errors import ConfigError, DataRefused
from recmodels.options import FitOptions
from recmodels.persistence import load, save
from recmodels.testing import N_ITEMS, N_USERS, assert_same, small_site

LIMITS = Limits(60, "256MiB")
TABLES = SiteTables(
    items=pa.table({"item_id": pa.array(range(100, 100 + N_ITEMS)), "price": pa.array([1.5, None] * 15)}),
    users=pa.table({"user_id": [f"u{i}" for i in range(N_USERS)], "plan": ["free", "paid"] * 20}),
)
BOUGHT = "SELECT user_id, item_id, count(*) AS bought FROM interactions GROUP BY ALL"
MANY = """SELECT item_id, CASE WHEN count(*) > 10 THEN 'many' ELSE 'few' END AS how
          FROM interactions GROUP BY item_id"""
EVERYBODY = np.arange(N_USERS)


def shop(seed: int = 0) -> tuple[Dataset, SiteTables]:
    """300 users who buy 12 of 60 items at random, over 100 days; in the last week only cheap ones."""
    rng = np.random.default_rng(seed)
    price = rng.permutation(60).astype(float)
    rows = []
    for user in range(300):
        early = rng.choice(60, 9, replace=False)
        cheap = np.setdiff1d(np.flatnonzero(price < 20), early)
        rows += [(user, item, rng.integers(0, 93)) for item in early]
        rows += [(user, item, rng.integers(93, 100)) for item in rng.choice(cheap, 3, replace=False)]
    user, item, day = np.array(rows).T
    data = Dataset.from_arrays(user, item, timestamp=day * DAY, end=100 * DAY, n_users=300, n_items=60)
    tables = SiteTables(
        pa.table({"item_id": np.arange(60), "price": price}), pa.table({"user_id": [f"u{i}" for i in range(300)]})
    )
    return data, tables


def test_columns_and_queries_stand_by_user_and_item() -> None:
    data = Dataset.from_arrays([0, 0, 1], [2, 3, 2], timestamp=np.array([1, 2, 3]) * DAY, end=10 * DAY, n_users=2)
    tables = SiteTables(
        pa.table({"item_id": [7, 8, 9, 10], "brand": ["a", None, "b", "b"]}),
        pa.table({"user_id": ["x", "y"], "age": [30, None]}),
    )
    sql = [
        "SELECT user_id, brand, count(*) AS n FROM interactions JOIN items USING (item_id) GROUP BY ALL",
        "SELECT item_id, max(timestamp) AS latest, count(*) > 1 AS often FROM interactions GROUP BY ALL",
    ]
    site = SiteFeatures.of(data, tables, ["brand"], ["age"], sql, LIMITS)
    assert site.names == ["items.brand", "users.age", "pairs.n", "pairs.latest", "pairs.often"]
    rows = site.rows(np.array([0, 0, 1, 1]), np.array([3, 0, 2, 1]))
    gone = float(MISSING)
    assert rows.tolist() == [
        [0, 30, 2, 8, 0],
        [1, 30, gone, gone, gone],
        [0, gone, 1, 7, 1],
        [gone, gone, gone, gone, gone],
    ]
    swapped = site.for_users(np.array([1, -1, 0])).rows(np.array([0, 1, 2]), np.array([2, 2, 2]))
    assert swapped[:, 1:4].tolist() == [[gone, 1, 7], [gone, gone, 7], [30, 2, 7]]  # the last is of the item alone


def test_categories_of_an_answer_keep_their_numbers() -> None:
    tables = SiteTables(pa.table({"item_id": [1, 2, 3]}), pa.table({"user_id": ["x", "y", "z"]}))
    sql = "SELECT user_id, ['none', 'once', 'twice', 'often'][count(*) + 1] AS how FROM interactions GROUP BY ALL"
    before = Dataset.from_arrays([0, 1, 2, 2], [0, 0, 0, 1], n_items=3)
    after = Dataset.from_arrays([0, 0, 1, 1, 2, 2, 2], [0, 1, 0, 1, 0, 1, 2])
    users, items = np.arange(3), np.zeros(3, int)
    then = SiteFeatures.of(before, tables, [], [], [sql], LIMITS)
    assert then.rows(users, items).ravel().tolist() == [0, 0, 1]  # once, once, twice
    now = SiteFeatures.of(after, tables, [], [], [sql], LIMITS, then.categories)
    assert now.rows(users, items).ravel().tolist() == [1, 1, MISSING]  # twice, twice, often


def test_a_query_never_sees_what_the_trees_are_to_predict() -> None:
    data, tables = shop()
    fold = last_days(data, 7, 300)
    site = SiteFeatures.of(
        fold.train,
        tables,
        [],
        [],
        [BOUGHT, "SELECT max(timestamp) AS t, item_id FROM interactions GROUP BY ALL"],
        LIMITS,
    )
    user, item = fold.truth.nonzero()
    rows = site.rows(fold.users[user].astype(np.int32), item.astype(np.int32))
    assert len(rows) > 300 and (rows[:, 0] == MISSING).all()  # of the whole split, it would say 1 for each
    assert rows[rows[:, 1] > MISSING, 1].min() > 0  # days before the fold's end
    leaking = SiteFeatures.of(data, tables, [], [], [BOUGHT], LIMITS)
    assert (leaking.rows(fold.users[user].astype(np.int32), item.astype(np.int32)) == 1).all()


@pytest.mark.slow
def test_a_column_that_decides_leads_the_importances_and_one_that_leaks_has_none() -> None:
    data, tables = shop()
    model = Ensemble(
        members=["popularity", "item_knn"],
        trees=10,
        validation_days=7,
        depth=60,
        item_columns=["price"],
        pairs=[BOUGHT],
    ).fit(data, FitOptions(site=tables))
    found = {one["name"]: one for one in model.learned()["importances"]}
    assert model.learned()["importances"][0]["name"] == "items.price" and found["items.price"]["ndcg"] > 0.1
    assert found["pairs.bought"]["ndcg"] == 0  # within a fold it says the same of every candidate
    cheap = np.asarray(tables.items["price"]) < 20
    assert cheap[model.recommend(data, EVERYBODY, 5).items].mean() > 0.9
    assert replace(model, trees=1, item_columns=[], pairs=[]).fit(data).learned() == {}


@pytest.mark.slow
def test_an_ensemble_with_columns_is_saved_and_follows_its_users(tmp_path: Path) -> None:
    data = small_site()
    query = "SELECT user_id, price, count(*) AS n FROM interactions JOIN items USING (item_id) GROUP BY ALL"
    model = Ensemble(
        members=["item_knn", "popularity"], method="stack", trees=3,
        item_columns=["price"], user_columns=["plan"], pairs=[query, MANY],
    ).fit(data, FitOptions(site=TABLES))  # fmt: skip
    top = model.recommend(data, EVERYBODY, 10)
    site = model._site
    assert site is not None and site.names[-1] == "pairs.how"
    how = site.rows(np.zeros(N_ITEMS, int), np.arange(N_ITEMS))[:, -1]
    # most items have few in what the trees are fitted to, and many in the end: few is 0 all the same
    assert (how == np.where(data.item_counts > 10, 1, 0))[data.item_counts > 0].all() and (
        data.item_counts > 10
    ).sum() > 15
    save(model, tmp_path)
    for mapped in (False, True):
        assert_same(load(tmp_path, mapped=mapped).recommend(data, EVERYBODY, 10), top)
    users = np.array([5, 3], np.int32)
    few = np.flatnonzero(np.isin(data.user_index, users))
    part = Dataset.from_arrays(
        (data.user_index[few] == 3).astype(int), data.item_index[few],
        timestamp=data.timestamp[few], n_users=2, n_items=N_ITEMS, end=data.end,
    )  # fmt: skip
    assert_same(model.for_users(users).recommend(part, [0, 1], 10), model.recommend(data, users, 10))


def test_what_is_wrong_with_columns_is_said() -> None:
    data = small_site()
    with pytest.raises(ConfigError, match=r"item_columns: there is no column cost; there are item_id, price"):
        Ensemble(item_columns=["cost"], members=["als", "ease"])._of_site(data, TABLES)
    with pytest.raises(ConfigError, match=r"give FitOptions\(site="):
        Ensemble(item_columns=["price"])._of_site(data, None)
    with pytest.raises(ConfigError, match=r"features\.pairs\.sql gives several columns n; name them apart"):
        SiteFeatures.of(data, TABLES, [], [], ["SELECT item_id, 1 AS n, 2 AS n FROM items"], LIMITS)
    with pytest.raises(DataRefused, match="The table of users has 1 rows"):
        SiteFeatures.of(data, SiteTables(TABLES.items, TABLES.users.slice(0, 1)), [], [], [], LIMITS)
