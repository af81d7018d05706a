"""Nights that do not check rows again give the tables, counts and reasons of nights that check all of them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.interactions import AHEAD
from expectations.settings import ValidationSettings
from tasks.store.manifests import describe
from tasks.store.parts import part_path, parts
from tasks.store.paths import Store
from tasks.validate import rows as row_checks
from tasks.validate.known import Verdicts
from tasks.validate.stage import write_valid
from tests.tasks import known_nights
from tests.tasks.known_nights import CHANGES, check
from tests.tasks.validated import LENIENT, STAMP, YESTERDAY

Rows = list[tuple[int | None, int]]


@dataclass
class Site:
    """Parts of interactions by their hour, a catalogue, and a store for each way to check them."""

    root: Path
    parts: dict[int, Rows]
    items: list[int] = field(default_factory=lambda: [10, 20])
    rules: ValidationSettings = field(default_factory=lambda: LENIENT)
    at: datetime = YESTERDAY
    now: datetime = YESTERDAY + timedelta(days=1)
    tonight: date = date(2026, 11, 25)

    def validate(self, store: str, *, fresh: bool = False) -> tuple[Any, dict[str, list[Any]]]:
        night = Store(self.root / store).night(self.tonight)
        for folder in (night.raw, night.valid, night.quarantine):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for number, hour in enumerate(sorted(self.parts)):
            pq.write_table(self._part(hour), part_path(night.raw, "interactions", number))
        if self.rules.require_known_items:
            items = {"item_id": self.items} | _origin("items", len(self.items))
            pq.write_table(pa.table(items), night.raw / "items.parquet")
        verdicts = Verdicts.of(night, "code", _manifest(night.raw), fresh=fresh)
        summary = write_valid(
            night.raw, self.rules, self.now, self.now, [], night.valid, night.quarantine, verdicts=verdicts
        )
        verdicts.save(night, _manifest(night.valid))
        return summary, {folder.name: _rows(folder) for folder in (night.valid, night.quarantine)}

    @property
    def state(self) -> str:
        """What a night depends on."""
        return repr((self.parts, self.rules.require_known_items and self.items, self.now))

    def _part(self, hour: int) -> pa.Table:
        rows = self.parts[hour]
        users, items = zip(*rows, strict=True)
        return pa.table(
            {
                "user_id": pa.array(users, pa.int64()),
                "item_id": pa.array(items, pa.int64()),
                "timestamp": pa.array([self.at + timedelta(hours=hour)] * len(rows), STAMP),
                "timestamp_text": pa.nulls(len(rows), pa.string()),
            }
            | _origin(f"{hour}.csv", len(rows))
        )


def _rows(folder: Path) -> list[dict[str, Any]]:
    """The interactions in a folder, with the columns that have something."""
    rows = [row for path in parts(folder, "interactions") for row in pq.read_table(path).to_pylist()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _origin(name: str, rows: int) -> dict[str, pa.Array]:
    return {"source_file": pa.array([name] * rows), "source_row": pa.array(np.arange(rows) + 2)}


def _manifest(folder: Path) -> Any:
    return {"files": [describe(path, folder) for path in sorted(folder.rglob("*.parquet"))]}


def _damage(site: Site, path: str) -> None:
    (file,) = Store(site.root / "store").night(site.tonight - timedelta(days=1)).folder.glob(path)
    content = file.read_bytes()
    file.unlink()  # its links to other nights stay
    file.write_bytes(content[:-1])


def _require(site: Site) -> None:
    site.rules = LENIENT.model_copy(update={"require_known_items": True})


NIGHTS: list[tuple[str, Callable[[Site], Any], int]] = [
    ("the first", lambda site: None, 8),
    ("nothing is new", lambda site: None, 0),
    ("a part comes in between", lambda site: site.parts.update({1: [(5, 10), (None, 20)]}), 2),
    ("a part is corrected", lambda site: site.parts[0].append((6, 10)), 4),
    ("a part goes", lambda site: site.parts.pop(1), 0),
    ("the refused rows are damaged", lambda site: _damage(site, "quarantine/*"), 0),
    ("good rows are damaged", lambda site: _damage(site, "valid/interactions/part-00000*"), 0),
    ("what is known is damaged", lambda site: _damage(site, "known/rows/interactions.parquet"), 9),
    ("the counts are damaged", lambda site: _damage(site, "known/rows/by_user.parquet"), 0),
    ("the counts are damaged", lambda site: _damage(site, "known/rows/by_user.parquet"), 0),
    ("items must be known", _require, 11),
    ("one of a part is not any more", lambda site: site.items.remove(20), 8),
    ("it is known again", lambda site: site.items.append(20), 9),
    ("an item that nobody used is known", lambda site: site.items.append(40), 3),
    ("the clock goes back", lambda site: setattr(site, "now", site.at + timedelta(hours=1) - AHEAD), 5),
    ("it is right", lambda site: setattr(site, "now", site.at + timedelta(days=1)), 5),
    ("a part is of the next year", lambda site: site.parts.update({9_000: [(1, 10), (2, 20)]}), 2),
    ("a day goes by", lambda site: setattr(site, "now", site.at + timedelta(days=2)), 0),
    ("a year goes by", lambda site: setattr(site, "now", site.at + timedelta(days=376)), 2),
]


def test_what_is_known_is_what_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, {0: [(1, 10), (None, 20), (2, 20)], 2: [(3, 10), (4, 10)], 3: [(7, 30), (None, 10), (8, 20)]})
    checked, scratch = 0, dict[str, Any]()

    def counted(frame: Any, derived: Any) -> Any:
        nonlocal checked
        checked += len(frame)
        return checkable(frame, derived)

    checkable = row_checks.checkable
    for name, change, rows in NIGHTS:
        change(site)
        if site.state not in scratch:
            scratch[site.state] = site.validate("other", fresh=True)
        monkeypatch.setattr(row_checks, "checkable", counted)
        checked = 0
        assert site.validate("store") == scratch[site.state], name
        assert checked == rows, name
        monkeypatch.undo()
        site.tonight += timedelta(days=1)


@settings(max_examples=2)
@given(changes=st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 999)), min_size=2, max_size=2))
def test_whatever_changes_a_night_says_what_one_from_scratch_says(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int]]
) -> None:
    site = known_nights.Site(tmp_path_factory.mktemp("site") / "site")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for change, number in changes:
            check(site, change, number, monkeypatch)
