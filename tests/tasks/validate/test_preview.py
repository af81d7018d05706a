"""The preview of validation says what Great Expectations says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest

from expectations.rules import RowKind, row_rule
from expectations.settings import ValidationSettings
from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import Inputs
from tasks.store.duckdb import connect
from tasks.validate import preview, profiles
from tasks.validate.stage import write_valid
from tests.tasks.raw import CUTOFF, NOW, ingest, write

N = 100


def log(bad: int = 0, users: int = 10, start: datetime = datetime(2023, 12, 28), item: str = "i") -> str:
    """A log of which the first `bad` ratings are no numbers."""
    times = [start + timedelta(minutes=n) for n in range(N)]
    rows = [f"u{n % users},{item}{n % 7},{t.isoformat()}Z,{'x' if n < bad else 3}\n" for n, t in enumerate(times)]
    return "user_id,item_id,timestamp,rating\n" + "".join(rows)


ITEMS = "item_id\n" + "".join(f"i{n}\n" for n in range(7))
CASES: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "fit": (log(), ITEMS, {}),
    "some refused": (log(bad=3), None, {}),
    "too many refused": (log(bad=30), None, {}),
    "ratings out of range": (log(bad=2), None, {"rating_max": 2.5}),
    "few users": (log(users=1), None, {}),
    "stale": (log(start=datetime(2023, 11, 1)), None, {}),
    "before the earliest": (log(start=datetime(2023, 11, 1)), None, {"earliest": "2023-12-01"}),
    "unknown items": (log(item="x"), ITEMS, {}),
    "items must be known": (log(item="x"), ITEMS, {"require_known_items": True}),
    "a log of changes": (log(), ITEMS + ITEMS.split("\n", 1)[1] * 9, {}),
    "items twice": (log(), ITEMS + ITEMS.split("\n", 1)[1], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_preview_says_what_validation_says(tmp_path: Path, case: str) -> None:
    interactions, items, changed = CASES[case]
    settings = ValidationSettings(**changed)
    tables = {"interactions": write(tmp_path / "log.csv", interactions)}
    if items:
        tables["items"] = write(tmp_path / "items.csv", items)
    _, raw = ingest(tmp_path, Inputs(**tables))
    for folder in ("valid", "bad"):
        (tmp_path / folder).mkdir()
    stop, refused = "", {}
    try:
        summary = write_valid(raw, settings, CUTOFF, NOW, [], tmp_path / "valid", tmp_path / "bad")
        refused = {reason.split(": ", 1)[1]: n for each in summary["reasons"].values() for reason, n in each.items()}
    except DataRefused as error:
        stop = str(error)
    with connect(tmp_path) as db:
        events = profiles.of_interactions(db, raw, settings, CUTOFF)
        stops, rows = preview.judged(db, raw, settings, CUTOFF, NOW, events, {})
    assert bool(stops) == bool(stop), (stops, stop)
    if stop:
        assert _numbers(stops[0])[:2] == _numbers(stop)[:2]
    else:
        assert {row.split(" because ")[1]: int(_numbers(row)[0]) for row in rows} == refused


def _numbers(sentence: str) -> list[str]:
    return re.findall(r"\d+", sentence)


def test_an_age_is_in_days() -> None:
    assert preview.age_in_days(datetime(2024, 1, 3, 12, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)) == 2.5


@pytest.mark.parametrize("kind", get_args(RowKind))
def test_each_kind_of_rule_of_rows_has_a_preview(kind: RowKind) -> None:
    bounds = {"ExpectColumnValuesToBeInSet": {"value_set": [3]}, "ExpectColumnValuesToBeBetween": {"max_value": 3}}
    breaks = preview._breaks(row_rule(kind, "x", "is wrong", bounds=bounds.get(kind, {})), [])
    found = duckdb.sql(f"SELECT coalesce({breaks}, false) FROM (VALUES (3), (4), (NULL)) AS t(x)").fetchall()
    wrong = {
        "ExpectColumnValuesToNotBeNull": [False, False, True],
        "ExpectColumnValuesToBeNull": [True, True, False],
    }
    assert [row[0] for row in found] == wrong.get(kind, [False, True, False])
