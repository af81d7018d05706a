"""What users did of their lists is kept night by night, by the export that they were shown."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.arms.used import write_used
from tasks.forgetting.person import Person
from tasks.forgetting.tables import Whose, count
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import at, publish, write_log, write_users
from tests.tasks.site import CUTOFF, DAY, END, RUN_DATE

LISTS = {1: ["a", "b"], 2: ["c", "a"]}


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Store(tmp_path).night(RUN_DATE)
    write_users(night, [1, 2])
    write_log(
        night,
        [
            (1, "a", 3.1),  # before the first export
            (1, "b", 2.5), (1, "a", 1.5), (1, "a", 1.4), (1, "e", 1.2), (2, "a", 1.1),
            (1, "b", 0.5), (2, "b", 0.4), (3, "a", 0.3),
        ],
    )  # fmt: skip
    publish(night, 3, LISTS)
    publish(night, 2, LISTS)
    publish(night, 0.8, {1: ["e"], 2: ["b"]}, policy="als")
    return night


def used(path: Path) -> list[tuple[int, str, float, int, str]]:
    rows = pq.read_table(path).to_pylist()
    return [
        (row["user_id"], row["item_id"], round((END - row["timestamp"]) / DAY, 1), row["rank"], row["policy"])
        for row in rows
    ]


def test_an_interaction_counts_where_the_list_of_that_time_had_its_item(night: Night) -> None:
    path = write_used(night, at(5), CUTOFF, 90, "1GB")
    assert used(path) == [
        (1, "b", 2.5, 2, "ease"), (1, "a", 1.5, 1, "ease"), (2, "a", 1.1, 2, "ease"), (2, "b", 0.4, 1, "als")
    ]  # fmt: skip
    assert count(path, Whose(Person.named("1"), ())) == 2  # who is forgotten is found in it


@pytest.mark.slow
def test_of_a_list_that_stayed_for_days_each_day_counts(night: Night) -> None:
    """As where nights are weekly: days on which users used their list are counted by this."""
    write_log(night, [(1, "a", days) for days in (2.9, 2.7, 2.1, 1.9, 0.9)])
    publish(night, 0.8, LISTS)
    (night.store.root / "published.jsonl").unlink()
    publish(night, 3, LISTS)
    assert [days for *_, days, _, _ in used(write_used(night, at(5), CUTOFF, 90, "1GB"))] == [2.9, 1.9, 0.9]


def test_a_night_goes_on_where_the_one_before_ended_and_an_export_that_is_gone_says_nothing(night: Night) -> None:
    before = night.store.night(at(1).date())
    before.prepared.parent.mkdir(parents=True)
    before.prepared.symlink_to(night.prepared)
    before.valid.symlink_to(night.valid)
    assert len(used(write_used(before, at(5), at(1), 90, "1GB"))) == 3
    assert used(write_used(night, at(5), CUTOFF, 90, "1GB")) == [(2, "b", 0.4, 1, "als")]
    (night.store.export(str(at(0.8).date())) / "topk" / "part-00000.parquet").unlink()
    assert used(write_used(night, at(5), CUTOFF, 90, "1GB")) == []
