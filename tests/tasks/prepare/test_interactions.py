"""Events are merged into one row a user and item, weighted, and cut to the k-core."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recmodels.data import layout
from recmodels.errors import DataRefused
from tasks.prepare.settings import PrepareSettings
from tests.tasks.prepared import LOOSE, SITE, pairs, prepared, rows
from tests.tasks.site import DAY, END, events


def test_rows_are_sorted_by_user_then_time_then_input_order(tmp_path: Path) -> None:
    out = prepared(tmp_path, interactions=events([(2, "a", 3), (1, "c", 5), (1, "a", 1), (1, "b", 5), (2, "b", 4)]))
    assert pairs(out) == [(1, "c"), (1, "b"), (1, "a"), (2, "b"), (2, "a")]


def test_duplicates_become_one_row_with_the_last_time_and_rating(tmp_path: Path) -> None:
    log = events([(1, "a", 9), (1, "a", 2), (1, "b", 5), (2, "a", 4), (2, "b", 3)], rating=[2.0, 5.0, 3.0, None, 1.0])
    first, second = [row for row in rows(prepared(tmp_path, interactions=log)) if row["user"] == 1]
    assert (first["item"], second["item"]) == ("b", "a")
    assert second["timestamp"] == datetime(2026, 3, 29, tzinfo=UTC)
    assert second["rating"] == 5.0


@pytest.mark.parametrize("catalogue", [["0"], ["0", "aa"], ["z"]])
def test_duplicates_are_found_beside_items_that_nobody_has(tmp_path: Path, catalogue: list[str]) -> None:
    log = events([(1, "a", 9), (1, "b", 8), (2, "a", 7), (2, "b", 6), (2, "b", 5)])
    out = prepared(tmp_path, interactions=log, items=pa.table({"item_id": catalogue}))
    assert pairs(out) == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]


def test_an_event_without_a_rating_keeps_the_last_rating_given(tmp_path: Path) -> None:
    log = events([(1, "a", 9), (1, "a", 2), (1, "b", 5), (2, "a", 4), (2, "b", 3)], rating=[4.0, None, 3.0, None, 1.0])
    assert {(r["user"], r["item"]): r["rating"] for r in rows(prepared(tmp_path, interactions=log))}[1, "a"] == 4.0


@pytest.mark.parametrize(("duplicates", "weight"), [("max", 5.0), ("sum", 7.0), ("last", 1.0)])
def test_duplicates_weigh_as_configured_and_what_was_logged_twice_counts_once(
    tmp_path: Path, duplicates: Any, weight: float
) -> None:
    log = [*[(1, "a", 9)] * 4, (1, "a", 7), (1, "b", 1), (2, "a", 1), (2, "b", 2)]
    names = ["view", "view", "buy", "view", "view", "view", "view", "view"]  # a file delivered twice has them in turn
    rules = LOOSE.model_copy(update={"duplicates": duplicates, "event_weights": {"buy": 5.0}})
    out = prepared(tmp_path, rules, interactions=events(log, event=names))
    assert {(row["user"], row["item"]): row["weight"] for row in rows(out)}[1, "a"] == weight


def test_low_ratings_and_weightless_events_are_seen_but_excluded_from_training(tmp_path: Path) -> None:
    rules = LOOSE.model_copy(update={"min_rating": 3.0, "event_weights": {"skip": 0.0}})
    log = events(
        [*SITE, (2, "d", 2), (1, "d", 3)], rating=[5.0, 2.0, 4.0, 3.0, 5.0, None], event=[*["view"] * 4, "skip", "view"]
    )
    out = prepared(tmp_path, rules, interactions=log)
    weights = {(row["user"], row["item"]): row["weight"] for row in rows(out)}
    assert weights == {(1, "a"): 1, (1, "b"): 0, (2, "a"): 1, (2, "c"): 1, (2, "d"): 0, (1, "d"): 1}


def test_the_k_core_is_iterated_until_every_count_holds(tmp_path: Path) -> None:
    # c falls (one user); then user 3 (one item left); then b (one user left).
    full = [(user, item, 20 - day) for user in (1, 2, 4) for day, item in enumerate("ade")]
    log = [*full, (2, "b", 5), (3, "b", 4), (3, "c", 3)]
    rules = LOOSE.model_copy(update={"min_user_interactions": 2, "min_item_interactions": 2})
    out = prepared(tmp_path, rules, interactions=events(log))
    positive = {(row["user"], row["item"]) for row in rows(out) if row["weight"] > 0}
    assert positive == {(user, item) for user in (1, 2, 4) for item in "ade"}
    assert len(pairs(out)) == 12  # the others stay, as seen


def test_when_a_pair_began_is_kept_where_any_was_repeated(tmp_path: Path) -> None:
    log = [*SITE, (1, "a", 2)]
    out = prepared(tmp_path / "1", interactions=events(log))
    table = pq.read_table(out / layout.interactions_file("full"))
    days = [round((END - time.value // 1000) / DAY) for time in map(pd.Timestamp, table[layout.FIRST].to_pylist())]
    assert sorted(zip(pairs(out), days, strict=True)) == [((1, "a"), 9), ((1, "b"), 8), ((2, "a"), 7), ((2, "c"), 6)]
    once = prepared(tmp_path / "2", interactions=events(SITE))
    assert layout.FIRST not in pq.read_schema(once / layout.interactions_file("full")).names


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    log=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("abcde"), st.integers(0, 20), st.sampled_from([None, 1.0, 4.0])),
        min_size=1,
        max_size=60,
    ),
    duplicates=st.sampled_from(["max", "sum", "last"]),
    core=st.integers(1, 3),
)
@pytest.mark.slow
def test_pairs_are_those_of_a_plain_group_by(
    tmp_path_factory: pytest.TempPathFactory, log: list[Any], duplicates: Any, core: int
) -> None:
    rules = PrepareSettings(
        duplicates=duplicates, min_rating=2, min_user_interactions=core, min_item_interactions=core, holdout="last"
    )
    expected = by_pandas(log, rules)
    positive = expected[expected["weight"] > 0]
    tmp_path = tmp_path_factory.mktemp("prepare")
    table = events([row[:3] for row in log], rating=pa.array([row[3] for row in log], pa.float64()))
    try:
        out = prepared(tmp_path, rules, interactions=table)
    except DataRefused:
        few = positive["user"].nunique() < 2 or positive["item"].nunique() < 2
        assert few or not ((positive.groupby("user").size() > 1).any() and core == 1)
        return
    found = pd.DataFrame(rows(out))
    assert found[["user", "item"]].to_numpy().tolist() == expected[["user", "item"]].to_numpy().tolist()
    np.testing.assert_array_equal(found["weight"], expected["weight"])
    np.testing.assert_array_equal(found["rating"].astype(float), expected["rating"].astype(float))


def by_pandas(log: list[Any], rules: PrepareSettings) -> pd.DataFrame:
    """The definition, slowly: group, merge, and drop what is outside the core one round after the other."""
    frame = pd.DataFrame(log, columns=["user", "item", "age", "rating"])
    frame["weight"] = np.where(frame["rating"] < 2, 0.0, 1.0)
    frame["order"] = range(len(frame))
    frame = frame.sort_values(["age", "order"], ascending=[False, True])
    merged = []
    for (user, item), group in frame.groupby(["user", "item"]):
        once = group.drop_duplicates(["age", "weight"])
        weight = {"max": group["weight"].max(), "sum": once["weight"].sum(), "last": group["weight"].iloc[-1]}
        rating = group["rating"].dropna().iloc[-1:].sum(min_count=1)
        last = group.iloc[-1]
        merged.append((user, item, last["age"], last["order"], weight[rules.duplicates], rating))
    table = pd.DataFrame(merged, columns=["user", "item", "age", "order", "weight", "rating"])
    while True:
        positive = table["weight"] > 0
        users, items = table[positive]["user"].value_counts(), table[positive]["item"].value_counts()
        few_items = table["user"].map(users).fillna(0) < rules.min_user_interactions
        few_users = table["item"].map(items).fillna(0) < rules.min_item_interactions
        if not (positive & (few_items | few_users)).any():
            return table.sort_values(["user", "age", "order"], ascending=[True, False, True])
        table.loc[few_items | few_users, "weight"] = 0.0
