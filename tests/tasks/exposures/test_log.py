"""Exposures are logged once, when it is known what came of them, whatever part of them a site hands in."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.exposures.log import reward_in
from tasks.exposures.settings import FeedbackSettings
from tasks.exposures.stage import write_exposures
from tasks.store.paths import Night
from tests.tasks.exposed import FIRST, SECOND, show
from tests.tasks.site import CUTOFF, END, RUN_DATE, events

DAY = 86_400_000_000  # µs
OLD, YOUNG = (1, "a", 1, FIRST, 30), (2, "b", 3, SECOND, 3)  # hours before the cutoff


def run(night: Night, days_later: int = 0, **settings: Any) -> int:
    """Write the log of the night so many days after a site's; returns how many rows it adds."""
    later = night.store.night(RUN_DATE + timedelta(days=days_later))
    if days_later:
        for folder in (night.prepared, night.valid):
            target = later.folder / folder.relative_to(night.folder)
            shutil.copytree(folder, target, dirs_exist_ok=True)
    later.exposures.mkdir(parents=True, exist_ok=True)
    cutoff = CUTOFF + timedelta(days=days_later)
    return write_exposures(later, FeedbackSettings(**settings), cutoff, later.exposures)["logged"]


def part(night: Night, days_later: int = 0, name: str = "shown") -> Path:
    return night.store.feedback(RUN_DATE + timedelta(days=days_later)) / f"{name}.parquet"


def rows(night: Night, days_later: int = 0, name: str = "shown") -> list[tuple[Any, ...]]:
    table = pq.read_table(part(night, days_later, name)).to_pylist()
    return [(row["user_id"], row["item_id"], row["rank"], row["export_id"]) for row in table]


def test_a_row_of_the_log_says_what_it_was_published_with_and_what_came_of_it(night: Night) -> None:
    show(night, OLD, (2, "a", 1, SECOND, 25), YOUNG, clicked=[True, False, True], outcome=[2.0, None, None])
    assert run(night) == 2
    assert pq.read_table(part(night)).to_pylist() == [
        {
            "user_id": 1, "item_id": "a", "rank": 1, "timestamp": END - 30 * DAY // 24, "export_id": FIRST,
            "clicked": True, "outcome": 2.0, "arm": "main", "policy": "ease", "propensity": 1.0, "assumed": False,
            "reward": 1.0,
        },
        {
            "user_id": 2, "item_id": "a", "rank": 1, "timestamp": END - 25 * DAY // 24, "export_id": SECOND,
            "clicked": False, "outcome": None, "arm": "test", "policy": "explore", "propensity": 0.25, "assumed": False,
            "reward": 0.0,
        },
    ]  # fmt: skip


@pytest.mark.parametrize("again", [(OLD, YOUNG), ()])
@pytest.mark.slow
def test_what_is_too_young_is_logged_by_the_next_night_whether_or_not_it_is_given_again(
    night: Night, again: tuple[Any, ...]
) -> None:
    show(night, OLD, YOUNG)
    assert run(night) == 1 and rows(night) == [OLD[:4]] and rows(night, 0, "waiting") == [YOUNG[:4]]
    show(night, *again, (2, "c", 1, SECOND, 2))  # which was at another place
    assert run(night, 1) == 1 and rows(night, 1) == [YOUNG[:4]] and rows(night, 1, "waiting") == []


@pytest.mark.slow
def test_a_month_that_is_given_again_is_logged_once_and_what_came_late_is_added(night: Night) -> None:
    month = [(1, "b", 2, FIRST, 40), (2, "b", 1, FIRST, 40.2), OLD, YOUNG]
    show(night, *month)
    assert run(night) == 3
    late = (2, "c", 2, FIRST, 40.1)
    show(night, *month, late)
    assert run(night, 1) == 2 and rows(night, 1) == [late[:4], YOUNG[:4]]
    assert run(night, 2) == 0


@pytest.mark.slow
def test_a_night_that_is_run_again_or_late_logs_nothing_that_another_has(night: Night) -> None:
    show(night, OLD, YOUNG)
    run(night)
    run(night, 1)
    before = [part(night, later).read_bytes() for later in (0, 1)]
    assert (run(night, 1), run(night)) == (1, 1)
    assert [part(night, later).read_bytes() for later in (0, 1)] == before
    assert run(night, -1) == 0  # a backfill of the night before, which has nothing that is old enough


def test_a_night_that_is_run_again_with_less_keeps_what_it_has_logged(night: Night) -> None:
    """The input has moved on, and an export is gone; a reward that was corrected is taken."""
    show(night, OLD, (1, "b", 2, FIRST, 40), (2, "a", 1, SECOND, 25), clicked=[False, False, False])
    run(night)
    show(night, OLD, clicked=[True])
    shutil.rmtree(night.store.export(SECOND))
    run(night)
    found = {row["item_id"] + str(row["user_id"]): row["reward"] for row in pq.read_table(part(night)).to_pylist()}
    assert found == {"a1": 1.0, "b1": 0.0, "a2": 0.0}


@pytest.mark.parametrize(
    ("reward", "found", "kind"),
    [("auto", [0, 1], "interaction"), ("interaction", [0, 1], "interaction"), ("outcome", [None, None], "outcome")],
)
def test_without_clicks_an_interaction_within_the_time_is_the_reward(
    night: Night, reward: str, found: list[Any], kind: str
) -> None:
    show(night, (1, "a", 1, FIRST, 40), (2, "b", 1, FIRST, 40))
    log = events([(1, "a", 41 / 24), (1, "a", 15 / 24), (1, "b", 39 / 24), (2, "b", 39 / 24), (2, "b", 38 / 24)])
    pq.write_table(log, night.valid / "interactions.parquet")
    run(night, reward=reward)
    assert [row["reward"] for row in pq.read_table(part(night)).to_pylist()] == found
    assert reward_in(part(night)) == kind


@pytest.mark.parametrize(("others", "reward"), [([None, None], [0.0, 0.0]), ([None, False], [None, 0.0])])
def test_a_site_that_only_marks_clicks_means_that_all_else_was_not_clicked(
    night: Night, others: list[Any], reward: list[Any]
) -> None:
    show(night, OLD, (1, "b", 2, FIRST, 40), (2, "b", 1, FIRST, 40), clicked=[True, *others])
    run(night)
    found = {(row["user_id"], row["item_id"]): row["reward"] for row in pq.read_table(part(night)).to_pylist()}
    assert [found[1, "a"], found[1, "b"], found[2, "b"]] == [1.0, *reward]


@pytest.mark.slow
def test_an_outcome_beyond_all_bounds_is_no_reward_and_costs_no_night(night: Night) -> None:
    show(night, OLD, (1, "b", 2, FIRST, 40), outcome=[1e39, 2.0])
    assert run(night) == 2
    found = {row["item_id"]: row["reward"] for row in pq.read_table(part(night)).to_pylist()}
    assert found == {"a": None, "b": 2.0}


def test_assumed_exposures_of_the_last_day_are_logged_by_the_next_night(night: Night) -> None:
    pq.write_table(events([(1, "a", 0.5), (2, "b", 0.9)]), night.valid / "interactions.parquet")
    assert run(night, assume_exposures=True, seen_places=1) == 0
    assert run(night, 1, assume_exposures=True, seen_places=1) == 2
    assert all(row["assumed"] for row in pq.read_table(part(night, 1)).to_pylist())


def test_a_site_that_changes_the_form_of_its_ids_logs_nothing_twice(night: Night) -> None:
    show(night, OLD)
    run(night)
    for path in (night.prepared / "users.parquet", night.valid / "exposures.parquet"):
        table = pq.read_table(path)
        column = table.column_names.index("user_id")
        pq.write_table(table.set_column(column, "user_id", table["user_id"].cast("string")), path)
    assert run(night, 1) == 0


def test_who_has_opted_out_waits_no_longer(night: Night) -> None:
    show(night, YOUNG, (1, "a", 3, SECOND, 3))
    run(night)
    users = pq.read_table(night.prepared / "users.parquet")
    pq.write_table(users.slice(0, 1), night.prepared / "users.parquet")
    show(night, OLD)
    run(night, 1)
    assert rows(night, 1) == [(1, "a", 1, FIRST), (1, "a", 3, SECOND)]


def test_a_damaged_part_of_the_log_costs_no_night(night: Night) -> None:
    show(night, OLD, YOUNG)
    run(night)
    logged, waiting = part(night), part(night, 0, "waiting")
    content = logged.read_bytes()
    logged.write_bytes(content[:4] + bytes(200) + content[204:])  # the pages; its end says that all is well
    waiting.write_bytes(b"PAR1")
    assert run(night, 1) == 2
