"""The holdout is what its protocol says, and leaks nothing into training."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tasks.report.stage import holdout_text
from tests.tasks.prepared import DAYS, LOOSE, SITE, holdout, pairs, prepared, rows
from tests.tasks.site import CUTOFF, END, events, write_valid_tables


def test_the_last_days_are_held_out_and_nothing_of_them_is_trained_on(tmp_path: Path) -> None:
    log = [(1, "a", 9), (1, "b", 6.9), (2, "a", 8), (2, "c", 7.0), (2, "d", 7.01)]
    out = prepared(tmp_path, DAYS, interactions=events(log))
    assert pairs(out, "train") == [(1, "a"), (2, "a"), (2, "d")]
    assert holdout(out) == [(1, "b"), (2, "c")]  # 7.0 days before the cutoff is the holdout's first instant
    assert layout.split_end(out / layout.interactions_file("train")) == END - 7 * 86_400_000_000
    assert layout.split_end(out / layout.interactions_file("full")) == END


def test_items_seen_before_the_holdout_are_not_evaluated(tmp_path: Path) -> None:
    log = events([(1, "a", 9), (1, "a", 2), (1, "b", 3), (2, "a", 8), (2, "b", 1), (2, "b", 8)])
    out = prepared(tmp_path, DAYS, interactions=log)
    assert holdout(out) == [(1, "b")]
    train = next(row for row in rows(out, "train") if (row["user"], row["item"]) == (1, "a"))
    assert train["timestamp"] == datetime(2026, 3, 22, tzinfo=UTC)  # not the later time that the holdout knows


def test_leave_last_out_holds_out_each_users_last_positive_item(tmp_path: Path) -> None:
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


def test_user_fold_holds_out_users_with_their_last_items_and_names_them(tmp_path: Path) -> None:
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
    summary = write_prepared(tmp_path / "1" / "valid", rules, CUTOFF, tmp_path / "4")["holdout"]
    assert (summary["users"], summary["left_out"]) == (len(unseen), 41 - len(unseen))
    text = holdout_text(summary)
    assert text.startswith("the last 2 items of 25% of the users, who were held out of training: ")
    assert text.endswith(f"; {41 - len(unseen)} others with a history had nothing held out")


def test_of_many_users_some_are_drawn_who_are_measured_and_training_stays_as_it_is(tmp_path: Path) -> None:
    log = events([(user, item, day) for user in range(40) for day, item in enumerate("abc", start=1)])
    valid = write_valid_tables(tmp_path / "valid", interactions=log)
    summaries, held, trained = {}, {}, {}
    for name, most, n_ranges in [("all", 40, 1), ("some", 10, 1), ("again", 10, 3)]:
        out = tmp_path / name
        out.mkdir()
        rules = LOOSE.model_copy(update={"holdout_max_users": most})
        summaries[name] = write_prepared(valid, rules, CUTOFF, out, n_ranges=n_ranges)["holdout"]
        held[name], trained[name] = holdout(out), pairs(out, "train")
    assert len(held["all"]) == 40 and len(held["some"]) == 10 and set(held["some"]) < set(held["all"])
    assert held["again"] == held["some"] != held["all"][:10]
    assert trained["all"] == trained["some"] == trained["again"]
    some = summaries["some"]
    assert (some["users"], some["drawn_from"], some["pairs"], some["left_out"]) == (10, 40, 10, 0)
    assert holdout_text(some) == "each user's last item: 10 users drawn at random from 40, 10 interactions"
    assert holdout_text(summaries["all"]) == "each user's last item: 40 users, 40 interactions"


def test_a_site_younger_than_the_holdout_is_evaluated_on_last_items(tmp_path: Path) -> None:
    log = events([(user, item, day) for user in range(4) for day, item in enumerate("abc", start=1)])
    out = prepared(tmp_path, PrepareSettings(), interactions=log)
    assert holdout(out) == [(user, "a") for user in range(4)]
    assert len(pairs(out, "train")) == 8


@pytest.mark.parametrize(("days", "expected"), [(5, 7), (10, 14), (20, 28), (40, None)])
def test_auto_takes_the_shortest_holdout_with_enough_warm_users(
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
