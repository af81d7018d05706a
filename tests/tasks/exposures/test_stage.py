"""Exposures are joined to the published rows that they are of, and what is not is counted."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.exposures.settings import FeedbackSettings
from tasks.exposures.stage import exposure_notes, exposures_of, write_exposures
from tasks.forgetting.person import Person
from tasks.forgetting.tables import Whose, count, replaced, rewrite
from tasks.store.manifests import run_stage
from tasks.store.paths import Night
from tests.tasks.exposed import FIRST, LISTS, SECOND, publish, show
from tests.tasks.site import CUTOFF, END, events

HOUR = 3_600_000_000  # µs
KEY = "a key of sixteen bytes or more"


def joined(night: Night, **settings: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary of the stage, and the rows."""
    night.exposures.mkdir(parents=True, exist_ok=True)
    summary = write_exposures(night, FeedbackSettings(**settings), CUTOFF, night.exposures)
    return dict(summary), pq.read_table(night.exposures / "exposures.parquet").to_pylist()


def brief(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["user_index"], row["item_index"], row["rank"], row["export_id"]) for row in rows]


def test_an_exposure_gets_what_its_row_was_published_with_and_an_older_export_the_usual(night: Night) -> None:
    show(night, (2, "a", 1, SECOND, 3), (1, "a", 1, FIRST, 30), clicked=[True, None], outcome=[1.5, None])
    summary, rows = joined(night)
    assert rows == [
        {
            "user_index": 0, "item_index": 0, "rank": 1, "timestamp": END - 30 * HOUR,
            "export_id": FIRST, "clicked": None, "outcome": None, "arm": "main", "policy": "ease", "propensity": 1.0,
            "assumed": False,
        },
        {
            "user_index": 1, "item_index": 0, "rank": 1, "timestamp": END - 3 * HOUR,
            "export_id": SECOND, "clicked": True, "outcome": 1.5, "arm": "test", "policy": "explore",
            "propensity": 0.25, "assumed": False,
        },
    ]  # fmt: skip
    assert (summary["joined"], summary["message"]) == (2, "2 of 2 exposures as published")
    assert summary["exports"] == [FIRST, SECOND]
    types = {field.name: field.type for field in pq.read_schema(night.exposures / "exposures.parquet")}
    assert [types[name] for name in ("user_index", "item_index", "rank", "timestamp", "propensity", "outcome")] == [
        pa.int32(), pa.int32(), pa.int16(), pa.int64(), pa.float32(), pa.float64()
    ]  # fmt: skip


def test_without_an_export_the_one_of_that_time_was_shown(night: Night) -> None:
    hours_since_second = 19  # until the cutoff: it was published at five
    times = [hours_since_second - 1, hours_since_second + 1, 24 + hours_since_second + 1]
    show(night, (1, "b", 2, None, times[0]), (1, "b", 2, None, times[1]), (1, "b", 2, None, times[2]))
    summary, rows = joined(night)
    assert [row["export_id"] for row in rows] == [FIRST, SECOND]
    assert summary["early"] == 1
    assert summary["message"] == "2 of 3 exposures as published; 1 before anything was published"


@pytest.mark.slow
def test_readers_may_have_been_pointed_to_another_export_a_thousand_times(night: Night) -> None:
    """As after three years of nights, or some weeks in which `refilter` ran every half-hour."""
    path, begin = night.store.root / "published.jsonl", datetime(2026, 2, 1, tzinfo=UTC)
    times = [(begin + timedelta(minutes=30 * n)).isoformat() for n in range(1_000)]
    ids = [f"2026-02-01.{n + 2}" for n in range(1_000)]
    before = [
        {"at": at, "export_id": name, "by": "refilter", "instead_of": None} for at, name in zip(times, ids, strict=True)
    ]
    path.write_text("\n".join([*map(json.dumps, before), path.read_text()]))
    show(night, (1, "b", 2, None, 18), (1, "b", 2, None, 20), (1, "b", 2, None, 24 * 30))
    summary, rows = joined(night)
    assert [row["export_id"] for row in rows] == [FIRST, SECOND]
    assert summary["message"] == "2 of 3 exposures as published; 1 of exports that are gone"


@pytest.mark.slow
def test_an_exposure_that_was_logged_more_than_once_is_one(night: Night) -> None:
    """A handler that tries again, and a line of its own for the click."""
    one, other = (1, "a", 1, FIRST, 30), (2, "b", 1, FIRST, 30)
    show(night, one, other, one, one, clicked=[None, False, True, False], outcome=[None, None, 1.0, 2.0])
    _, rows = joined(night)
    assert [(row["user_index"], row["clicked"], row["outcome"]) for row in rows] == [(0, True, 2.0), (1, False, None)]


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
@pytest.mark.slow
def test_what_is_no_id_of_an_export_costs_its_own_exposures_alone(night: Night, name: str) -> None:
    show(night, (1, "a", 1, name, 30), (2, "b", 1, FIRST, 30))
    summary, rows = joined(night)
    assert (len(rows), summary["gone"]) == (1, 1)


def test_what_was_not_published_so_is_counted_by_what_it_is(night: Night) -> None:
    show(
        night,
        (1, "a", 1, FIRST, 30),
        (1, "a", 3, FIRST, 30),
        (3, "a", 1, FIRST, 30),
        (1, "z", 1, FIRST, 30),
        (1, "a", 1, "2020-01-01", 30),
        (1, "a", 1, "no export", 30),
    )
    pq.write_table(
        pa.table({"item_index": pa.array(range(4), pa.int32()), "item_id": ["a", "b", "c", "z"]}),
        night.prepared / "items.parquet",
    )
    summary, rows = joined(night)
    assert brief(rows) == [(0, 0, 1, FIRST)]
    assert {name: summary[name] for name in ("exposures", "joined", "moved", "unknown", "unpublished", "gone")} == {
        "exposures": 6, "joined": 1, "moved": 1, "unknown": 1, "unpublished": 1, "gone": 2
    }  # fmt: skip


@pytest.mark.slow
def test_users_who_are_published_as_hashes_are_found_by_the_key_and_by_no_other(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(night.store, FIRST, LISTS, key=KEY)
    show(night, (1, "a", 1, FIRST, 30), (2, "b", 1, FIRST, 30), (2, "a", 1, SECOND, 3))
    monkeypatch.setenv("SITE_KEY", KEY)
    assert brief(joined(night)[1]) == [(0, 0, 1, FIRST), (1, 1, 1, FIRST), (1, 0, 1, SECOND)]
    for key in ("another key, of no fewer bytes", ""):
        monkeypatch.setenv("SITE_KEY", key)
        summary, rows = joined(night)
        assert (brief(rows), summary["gone"]) == ([(1, 0, 1, SECOND)], 2)


def test_a_damaged_export_costs_its_own_exposures_alone(night: Night) -> None:
    show(night, (1, "a", 1, FIRST, 30), (2, "a", 1, SECOND, 3))
    path = night.store.export(FIRST) / "topk" / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    summary, rows = joined(night)
    assert (brief(rows), summary["gone"]) == ([(1, 0, 1, SECOND)], 1)


def test_a_site_that_logs_none_may_take_the_lists_of_active_users_for_shown(night: Night) -> None:
    log = events([(1, "a", 0.5), (1, "b", 0.4), (2, "a", 0.9), (2, "b", 3), (3, "a", 0.5)])
    pq.write_table(log, night.valid / "interactions.parquet")
    summary, rows = joined(night, assume_exposures=True, seen_places=2)
    assert brief(rows) == [(0, 2, 1, SECOND), (0, 1, 2, SECOND), (1, 1, 1, FIRST), (1, 2, 2, FIRST)]
    assert all(row["assumed"] for row in rows)
    assert {row["clicked"] for row in rows} == {None}
    assert (summary["assumed"], summary["message"]) == (True, "4 exposures assumed, as the site logs none")


def test_a_first_night_and_an_empty_log_have_nothing_to_join(night: Night) -> None:
    show(night, (1, "a", 1, None, 3), (1, "a", 1, FIRST, 3))
    shutil.rmtree(night.store.exports)
    (night.store.root / "published.jsonl").unlink()
    summary, rows = joined(night)
    assert (rows, summary["early"], summary["gone"]) == ([], 1, 1)
    path = night.valid / "exposures.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert joined(night)[0]["message"] == "0 of 0 exposures as published"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"assumed": True, "joined": 4, "exposures": 4}, "a guess"),
        ({"assumed": False, "joined": 1, "exposures": 4}, "docs/feedback.md"),
        ({"assumed": False, "joined": 3, "exposures": 4}, ""),
        ({}, ""),
    ],
)
def test_a_night_notes_exposures_that_are_assumed_or_mostly_of_nothing_published(
    night: Night, found: dict[str, Any], said: str
) -> None:
    if found:
        run_stage(night.exposures, lambda out: {**found, "message": "…"}, code="", inputs={}, parameters={})
    notes = exposure_notes(night)
    assert [said in note for note in notes] == ([True] if said else [])


def test_a_site_that_neither_logs_nor_asks_pays_nothing_and_keeps_nothing_of_an_earlier_run(night: Night) -> None:
    night.exposures.mkdir()
    assert exposures_of(night, FeedbackSettings(), CUTOFF, {}, {}) is None  # type: ignore[typeddict-item]
    assert not night.exposures.exists()


def test_who_is_forgotten_leaves_the_exposures(night: Night) -> None:
    show(night, (2, "a", 1, SECOND, 3), (1, "a", 1, FIRST, 30))
    joined(night)

    for path in (night.exposures / "exposures.parquet", night.valid / "exposures.parquet"):
        whose = Whose(Person.named("2"), (1,))
        assert count(path, whose) == 1
        with replaced(path) as temporary:
            rewrite(path, whose, temporary)
        assert count(path, whose) == 0
        assert pq.read_metadata(path).num_rows == 1
