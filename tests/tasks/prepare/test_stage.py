"""What models learn from: merged pairs, dense ids, the k-core, and a holdout that leaks nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
from tasks.prepare.stage import write_prepared
from tasks.report.stage import holdout_text
from tests.tasks.site import CUTOFF, DAY, END, events, write_valid_tables

LOOSE = PrepareSettings(min_user_interactions=1, holdout="last")


def prepared(tmp_path: Path, rules: PrepareSettings = LOOSE, cutoff: datetime = CUTOFF, **tables: pa.Table) -> Path:
    out = tmp_path / "prepared"
    out.mkdir(parents=True, exist_ok=True)
    write_prepared(write_valid_tables(tmp_path / "valid", **tables), rules, cutoff, out)
    return out


def rows(out: Path, split: layout.Split = "full") -> list[dict[str, Any]]:
    """The rows of a split with the site's own ids."""
    table = pq.read_table(out / layout.interactions_file(split)).to_pylist()
    return named(out, table)


def holdout(out: Path) -> list[tuple[Any, Any]]:
    return [(row["user"], row["item"]) for row in named(out, pq.read_table(out / layout.HOLDOUT).to_pylist())]


def named(out: Path, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    users = pq.read_table(out / layout.USERS)["user_id"].to_pylist()
    items = pq.read_table(out / layout.ITEMS)["item_id"].to_pylist()
    return [row | {"user": users[row["user_index"]], "item": items[row["item_index"]]} for row in table]


def pairs(out: Path, split: layout.Split = "full") -> list[tuple[Any, Any]]:
    return [(row["user"], row["item"]) for row in rows(out, split)]


SITE = [(1, "a", 9), (1, "b", 8), (2, "a", 7), (2, "c", 6)]


def test_ids_are_indexed_in_their_own_order_and_type(tmp_path: Path) -> None:
    out = prepared(
        tmp_path, interactions=events([(2**60 + 1, "b", 2), (-5, "B", 1), (2**60 + 1, "a", 3), (-5, "b", 2)])
    )
    users, items = pq.read_table(out / layout.USERS), pq.read_table(out / layout.ITEMS)
    assert users["user_id"].to_pylist() == [-5, 2**60 + 1]
    assert users["user_id"].type == pa.int64()
    assert items["item_id"].to_pylist() == ["B", "a", "b"]
    assert items["item_index"].to_pylist() == [0, 1, 2]


def test_catalogue_and_user_table_join_the_index_with_their_columns(tmp_path: Path) -> None:
    items = pa.table({"item_id": ["z", "a"], "title": ["Zed", "Ay"], "available": [False, None], "source_row": [1, 2]})
    users = pa.table({"user_id": [7], "country": ["FR"]})
    out = prepared(tmp_path, interactions=events(SITE), items=items, users=users)
    catalogue = pq.read_table(out / layout.ITEMS).to_pylist()
    assert [row["item_id"] for row in catalogue] == ["a", "b", "c", "z"]
    assert [row["title"] for row in catalogue] == ["Ay", None, None, "Zed"]
    assert [row["available"] for row in catalogue] == [True, True, True, False]
    assert "source_row" not in catalogue[0]
    assert pq.read_table(out / layout.USERS)["country"].to_pylist() == [None, None, "FR"]


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


@pytest.mark.parametrize("spread", [1, 10**12])
def test_integer_ids_close_together_and_far_apart_are_indexed_alike(tmp_path: Path, spread: int) -> None:
    log = events(
        [(user * spread, item * spread, day) for user, item, day in ((-3, 5, 9), (-3, 7, 8), (4, 5, 7), (4, 6, 6))]
    )
    items = pa.table({"item_id": [9 * spread, -spread]})
    out = prepared(tmp_path, interactions=log, items=items)
    assert pq.read_table(out / layout.ITEMS)["item_id"].to_pylist() == [n * spread for n in (-1, 5, 6, 7, 9)]
    assert pairs(out) == [
        (-3 * spread, 5 * spread),
        (-3 * spread, 7 * spread),
        (4 * spread, 5 * spread),
        (4 * spread, 6 * spread),
    ]


def test_an_event_without_a_rating_keeps_the_last_rating_given(tmp_path: Path) -> None:
    log = events([(1, "a", 9), (1, "a", 2), (1, "b", 5), (2, "a", 4), (2, "b", 3)], rating=[4.0, None, 3.0, None, 1.0])
    assert {(r["user"], r["item"]): r["rating"] for r in rows(prepared(tmp_path, interactions=log))}[1, "a"] == 4.0


@pytest.mark.parametrize(("duplicates", "weight"), [("max", 5.0), ("sum", 7.0), ("last", 1.0)])
def test_duplicates_weigh_as_configured_and_what_was_logged_twice_counts_once(
    tmp_path: Path, duplicates: Any, weight: float
) -> None:
    log = [(1, "a", 9), (1, "a", 9), (1, "a", 8), (1, "a", 7), (1, "b", 1), (2, "a", 1), (2, "b", 2)]
    names = ["view", "view", "buy", "view", "view", "view", "view"]
    rules = LOOSE.model_copy(update={"duplicates": duplicates, "event_weights": {"buy": 5.0}})
    out = prepared(tmp_path, rules, interactions=events(log, event=names))
    assert {(row["user"], row["item"]): row["weight"] for row in rows(out)}[1, "a"] == weight


def test_low_ratings_and_weightless_events_are_seen_but_not_learnt_from(tmp_path: Path) -> None:
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
    learnt = {(row["user"], row["item"]) for row in rows(out) if row["weight"] > 0}
    assert learnt == {(user, item) for user in (1, 2, 4) for item in "ade"}
    assert len(pairs(out)) == 12  # the others stay, as seen


def test_opted_out_users_are_gone_from_everything(tmp_path: Path) -> None:
    users = pa.table({"user_id": [1, 2, 3, 9], "opted_out": [None, False, True, True]})
    out = prepared(tmp_path, interactions=events([*SITE, (3, "only", 1)]), users=users)
    assert pq.read_table(out / layout.USERS)["user_id"].to_pylist() == [1, 2]
    assert "only" not in pq.read_table(out / layout.ITEMS)["item_id"].to_pylist()
    assert {user for user, _ in pairs(out)} == {1, 2}


def test_a_site_whose_users_have_all_opted_out_is_refused(tmp_path: Path) -> None:
    users = pa.table({"user_id": [1, 2], "opted_out": [True, True]})
    with pytest.raises(DataRefused, match="every user of the interactions has opted out"):
        prepared(tmp_path, interactions=events(SITE), users=users)


DAYS = PrepareSettings(min_user_interactions=1, holdout="days", holdout_days=7)


def test_the_last_days_are_held_out_and_nothing_of_them_is_trained_on(tmp_path: Path) -> None:
    log = [(1, "a", 9), (1, "b", 6.9), (2, "a", 8), (2, "c", 7.0), (2, "d", 7.01)]
    out = prepared(tmp_path, DAYS, interactions=events(log))
    assert pairs(out, "train") == [(1, "a"), (2, "a"), (2, "d")]
    assert holdout(out) == [(1, "b"), (2, "c")]  # 7.0 days before the cutoff is the holdout's first instant
    assert layout.split_end(out / layout.interactions_file("train")) == END - 7 * 86_400_000_000
    assert layout.split_end(out / layout.interactions_file("full")) == END


def test_what_a_user_had_before_the_holdout_is_not_measured(tmp_path: Path) -> None:
    log = events([(1, "a", 9), (1, "a", 2), (1, "b", 3), (2, "a", 8), (2, "b", 1), (2, "b", 8)])
    out = prepared(tmp_path, DAYS, interactions=log)
    assert holdout(out) == [(1, "b")]
    train = next(row for row in rows(out, "train") if (row["user"], row["item"]) == (1, "a"))
    assert train["timestamp"] == datetime(2026, 3, 22, tzinfo=UTC)  # not the later time that the holdout knows


def test_leave_last_out_holds_out_each_users_last_item_of_interest(tmp_path: Path) -> None:
    rules = LOOSE.model_copy(update={"min_rating": 3.0})
    log = events([*SITE, (2, "d", 1), (3, "a", 5)], rating=[4.0, 4.0, 4.0, 4.0, 1.0, 5.0])
    out = prepared(tmp_path, rules, interactions=log)
    assert holdout(out) == [(1, "b"), (2, "c")]  # d was disliked; user 3 has one item only
    assert pairs(out, "train") == [(1, "a"), (2, "a"), (2, "d"), (3, "a")]


def test_leave_last_n_out_holds_out_the_last_items_of_users_that_have_more(tmp_path: Path) -> None:
    rules = PrepareSettings(min_user_interactions=1, holdout="last", holdout_items=2)
    log = [
        (1, "a", 9),
        (1, "b", 5),
        (1, "c", 4),
        (1, "d", 1),
        (2, "a", 3),
        (2, "b", 2),
        (3, "a", 8),
        (3, "c", 7),
        (3, "b", 6),
    ]
    out = prepared(tmp_path, rules, interactions=events(log))
    assert holdout(out) == [(1, "c"), (1, "d"), (3, "b"), (3, "c")]  # user 2 would have nothing left
    assert pairs(out, "train") == [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "a")]


def test_a_random_holdout_takes_its_share_and_leaves_everybody_something(tmp_path: Path) -> None:
    log = [(user, f"i{item}", 30 - item) for user in range(40) for item in range(1 + user % 20)]
    rules = PrepareSettings(min_user_interactions=1, holdout="random", holdout_share=0.3)
    first = prepared(tmp_path / "1", rules, interactions=events(log))
    held, left = holdout(first), pairs(first, "train")
    assert sorted({*held, *left}) == sorted((user, item) for user, item, _ in log)
    assert not {*held} & {*left}
    assert {user for user, _ in left} == set(range(40))
    assert len(held) / len(log) == pytest.approx(0.3, abs=0.06)
    assert holdout(prepared(tmp_path / "2", rules, interactions=events(log))) == held
    other = rules.model_copy(update={"holdout_seed": 1})
    assert holdout(prepared(tmp_path / "3", other, interactions=events(log))) != held


def test_when_a_pair_began_is_kept_where_any_was_repeated(tmp_path: Path) -> None:
    log = [*SITE, (1, "a", 2)]
    out = prepared(tmp_path / "1", interactions=events(log))
    table = pq.read_table(out / layout.interactions_file("full"))
    days = [round((END - time.value // 1000) / DAY) for time in map(pd.Timestamp, table[layout.FIRST].to_pylist())]
    assert sorted(zip(pairs(out), days, strict=True)) == [((1, "a"), 9), ((1, "b"), 8), ((2, "a"), 7), ((2, "c"), 6)]
    once = prepared(tmp_path / "2", interactions=events(SITE))
    assert layout.FIRST not in pq.read_schema(once / layout.interactions_file("full")).names


def test_a_fold_of_users_is_held_out_with_their_last_items_and_named(tmp_path: Path) -> None:
    log = [(user, f"i{item}", 30 - item) for user in range(40) for item in range(2 + user % 20)] + [(99, "i0", 1)]
    rules = PrepareSettings(min_user_interactions=1, holdout="user-fold", holdout_items=2, holdout_share=0.25)
    first = prepared(tmp_path / "1", rules, interactions=events(log))
    unseen = pq.read_table(first / layout.UNSEEN)["user_index"].to_pylist()
    more = [user for user in range(40) if user % 20 > 0]  # those with more than two items
    assert len(unseen) == round(0.25 * len(more)) and set(unseen) <= set(more)
    wanted = [(user, f"i{item}") for user in unseen for item in (user % 20, 1 + user % 20)]
    assert sorted(holdout(first)) == sorted(wanted)
    assert sorted({*holdout(first), *pairs(first, "train")}) == sorted((user, item) for user, item, _ in log)
    other = rules.model_copy(update={"holdout_seed": 1})
    second = prepared(tmp_path / "2", other, interactions=events(log))
    assert pq.read_table(second / layout.UNSEEN)["user_index"].to_pylist() != unseen
    assert not (prepared(tmp_path / "3", LOOSE, interactions=events(log)) / layout.UNSEEN).exists()
    (tmp_path / "4").mkdir()
    told = write_prepared(tmp_path / "1" / "valid", rules, CUTOFF, tmp_path / "4")["holdout"]
    assert (told["users"], told["left_out"]) == (len(unseen), 41 - len(unseen))
    text = holdout_text(told)
    assert text.startswith("the last 2 items of 25% of the users, of whom nothing was learnt: ")
    assert text.endswith(f"; {41 - len(unseen)} others with a history had nothing held out")


def test_a_site_younger_than_the_holdout_is_measured_on_last_items(tmp_path: Path) -> None:
    log = events([(user, item, day) for user in range(4) for day, item in enumerate("abc", start=1)])
    out = prepared(tmp_path, PrepareSettings(), interactions=log)
    assert holdout(out) == [(user, "a") for user in range(4)]
    assert len(pairs(out, "train")) == 8


@pytest.mark.parametrize(("days", "expected"), [(5, 7), (10, 14), (20, 28), (40, None)])
def test_auto_takes_the_shortest_holdout_that_measures_enough_users(
    tmp_path: Path, days: float, expected: int | None
) -> None:
    log = events([(user, item, age) for user in range(8) for item, age in (("a", 100), ("b", days))])
    rules = PrepareSettings(min_user_interactions=1, holdout_min_users=8)
    out = tmp_path / "out"
    out.mkdir()
    summary = write_prepared(write_valid_tables(tmp_path / "valid", interactions=log), rules, CUTOFF, out)["holdout"]
    assert summary["days"] == expected
    assert summary["protocol"] == ("days" if expected else "last")
    assert summary["warm_users"] == 8


def test_the_holdout_begins_at_a_local_midnight_also_where_the_clocks_change(tmp_path: Path) -> None:
    cutoff = datetime(2026, 3, 31, tzinfo=ZoneInfo("Europe/Berlin"))  # summer time began on the 29th
    before, after = (int(datetime(2026, 3, 24, hour, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) for hour in (0, 1))
    ages = [(END - second * 1_000_000) / 86_400_000_000 for second in (before - 1, before, after)]
    log = events([(1, "a", 20), (2, "a", 20), (1, "b", ages[0]), (1, "c", ages[1]), (2, "b", ages[2])])
    assert holdout(prepared(tmp_path, DAYS, cutoff, interactions=log)) == [(1, "c"), (2, "b")]


@pytest.mark.parametrize(
    ("rules", "log", "message"),
    [
        (DAYS, SITE, "holdout would be empty: in the last 7 days before the cutoff"),
        (LOOSE, [(1, "a", 9), (1, "b", 8)], "Only 1 user remain"),
        (LOOSE, [(1, "a", 9), (2, "a", 8)], "Only 1 item"),
        (PrepareSettings(min_user_interactions=3), SITE, "Only 0 users remain"),
    ],
)
def test_too_little_is_refused_in_a_sentence(tmp_path: Path, rules: PrepareSettings, log: Any, message: str) -> None:
    with pytest.raises(DataRefused, match=message):
        prepared(tmp_path, rules, interactions=events(log))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    log=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("abcde"), st.integers(0, 20), st.sampled_from([None, 1.0, 4.0])),
        min_size=1,
        max_size=60,
    ),
    duplicates=st.sampled_from(["max", "sum", "last"]),
    core=st.integers(1, 3),
)
def test_pairs_are_those_of_a_plain_group_by(
    tmp_path_factory: pytest.TempPathFactory, log: list[Any], duplicates: Any, core: int
) -> None:
    rules = PrepareSettings(
        duplicates=duplicates, min_rating=2, min_user_interactions=core, min_item_interactions=core, holdout="last"
    )
    expected = by_pandas(log, rules)
    learnt = expected[expected["weight"] > 0]
    tmp_path = tmp_path_factory.mktemp("prepare")
    table = events([row[:3] for row in log], rating=pa.array([row[3] for row in log], pa.float64()))
    try:
        out = prepared(tmp_path, rules, interactions=table)
    except DataRefused:
        few = learnt["user"].nunique() < 2 or learnt["item"].nunique() < 2
        assert few or not ((learnt.groupby("user").size() > 1).any() and core == 1)
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
        learnt = table["weight"] > 0
        users, items = table[learnt]["user"].value_counts(), table[learnt]["item"].value_counts()
        few_items = table["user"].map(users).fillna(0) < rules.min_user_interactions
        few_users = table["item"].map(items).fillna(0) < rules.min_item_interactions
        if not (learnt & (few_items | few_users)).any():
            return table.sort_values(["user", "age", "order"], ascending=[True, False, True])
        table.loc[few_items | few_users, "weight"] = 0.0
