"""Nights that do not read files again have the tables, counts and accounts of nights that read all of them."""

import bz2
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from tasks.ingest import lookalikes, table_parts
from tasks.ingest.known_files import FilePrint
from tasks.ingest.ledger import Ledger, Part
from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading import opening
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.sources import Source
from tasks.ingest.stage import ingest
from tasks.ingest.table_parts import steps
from tasks.ingest.table_result import Span, TableResult
from tasks.store.parts import parts
from tasks.store.paths import Store
from tests.tasks.raw import HEADER


@dataclass
class Site:
    """A folder with a file a day, and two stores: the nights of one know what those before them have read."""

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)
    tonight: date = date(2023, 2, 1)
    cutoff: datetime = datetime(2023, 2, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.log.mkdir()

    @property
    def log(self) -> Path:
        return self.root / "log"

    def write(self, name: str, *rows: str) -> None:
        (self.log / f"{name}.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))

    def inputs(self) -> Inputs:
        items = self.root / "items.csv"
        table = TableInput(path=str(self.log), **self.settings)
        return Inputs(interactions=table, items=TableInput(path=str(items)) if items.exists() else None)

    def ingest(self, *, fresh: bool = False) -> tuple[dict[str, Any], dict[str, pa.Table], int]:
        """What a night says and writes, and how many files of the interactions it has not read."""
        night = Store(self.root / "store").night(self.tonight)
        return _found(ingest.fn(night, self.inputs(), self.cutoff, fresh)["summary"], night.raw)

    def from_scratch(self) -> tuple[dict[str, Any], dict[str, pa.Table]]:
        """What one that knows nothing says and writes."""
        (out := self.root / f"raw-{self.tonight}").mkdir()
        return _found(write_raw(self.inputs(), self.cutoff, datetime.now(UTC), out), out)[:2]

    @property
    def state(self) -> str:
        """What a night depends on."""
        files = {str(path): path.read_bytes() for path in sorted(self.root.glob("**/*.csv*"))}
        return repr((files, self.settings, self.cutoff))

    def next_night(self) -> None:
        self.tonight += timedelta(days=1)


def _found(summary: Any, raw: Path) -> tuple[dict[str, Any], dict[str, pa.Table], int]:
    known = sum(account.pop("known") for account in summary["accounts"].values())
    summary.pop("message")
    names = [*summary["tables"], "rejects"]
    tables = {name: pa.concat_tables(map(pq.read_table, files)) for name in names if (files := parts(raw, name))}
    return summary, tables, known


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Four days of rows, of which parts have three or more."""
    monkeypatch.setattr(table_parts, "FULL", 3)
    site = Site(tmp_path)
    site.write("01", "1,1,2023-01-01", "1,2,2023-01-01", "2,2,soon")
    site.write("02", "2,1,2023-01-02", "2,1", "", "3,1,2023-01-02", "4,1,2023-01-02")
    site.write("03", "5,5,2023-01-03")
    site.write("04", "6,5,2023-01-04")
    return site


def _in_place(path: Path, old: str, new: str) -> None:
    """Change a file behind its time and size."""
    times = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _correct_two(site: Site) -> None:
    site.write("02", "2,1,2023-01-02", "2,1", "3,2,2023-01-02")
    _in_place(site.log / "01.csv", "1,2,", "1,9,")


def _leave(site: Site) -> None:
    (site.log / "03.csv").unlink()
    for path in sorted(site.log.iterdir()):
        shutil.copyfile(path, site.root / "copy")
        (site.root / "copy").replace(path)


def _forget(site: Site) -> None:
    """As `nightrec forget` does: the rows leave the part of the night before, not the file."""
    path = parts(Store(site.root / "store").night(site.tonight - timedelta(days=1)).raw, "interactions")[0]
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(table.slice(1), path)


def _cut(site: Site, day: int, hour: int = 0) -> None:
    site.cutoff = datetime(2023, 1, day, hour, tzinfo=UTC)


def _pack(site: Site) -> None:
    """A file that cannot be read as it lies."""
    (site.log / PACKED).write_bytes(bz2.compress(RATED.encode()))


NIGHTS: list[tuple[str, Callable[[Site], Any], int]] = [
    ("the first", lambda site: None, 0),
    ("nothing is new", lambda site: None, 4),
    ("a file is added, with a line that is no row", lambda site: site.write("05", "1,1,2023-01-05", "2,x", "2,2,x"), 4),
    ("a late file comes between", lambda site: site.write("02-late", "1,3,2023-01-02", "1,4,2023-01-02"), 5),
    ("a file is corrected, and one behind its time", _correct_two, 3),
    ("a file of a part of two is gone, and the others are copied anew", _leave, 4),
    ("rows are forgotten", _forget, 4),
    ("the zone is another", lambda site: site.settings.update(timezone="Asia/Tokyo"), 0),
    ("a part is late", lambda site: (_cut(site, 4, 12), site.write("06", "1,1,2023-01-05", "1,1,2023-01-07")), 3),
    ("some of it is not any more", lambda site: _cut(site, 6), 3),
    ("nothing is late", lambda site: _cut(site, 8), 5),
    ("the night is an earlier one", lambda site: _cut(site, 6), 5),
    ("ids become text", lambda site: site.write("07", "anna,1,2023-01-05"), 0),
    ("they stay text", lambda site: site.write("08", "1,1,2023-01-05"), 7),
    ("they are numbers again", lambda site: (site.log / "07.csv").unlink(), 0),
    ("there is a catalogue", lambda site: (site.root / "items.csv").write_text("item_id\n1\n"), 7),
    ("its ids are text", lambda site: (site.root / "items.csv").write_text("item_id\nx1\n"), 0),
    ("there is a column more", lambda site: (site.log / "09.csv").write_text(RATED), 1),
    ("a packed file comes", _pack, 9),
    ("it is not unpacked again", lambda site: None, 10),
    ("one follows that is as large", lambda site: site.write("11", *["7,1,2023-01-05"] * 7), 9),
    (
        "a row is a century ahead",
        lambda site: site.write("12", "1,1,2023-01-05", "1,1,2126-01-05", "1,2,2023-01-05"),
        11,
    ),
    ("it stays so", lambda site: None, 12),
]
RATED = "user_id,item_id,timestamp,rating\n1,1,2023-01-05,5\n"
PACKED, UNPACKED = "10.csv.bz2", ("a packed file comes", "one follows that is as large")


def test_what_is_known_is_what_would_be_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch, opened = dict[str, Any](), list[str]()

    def noted(db: Any, path: Path, *more: Any) -> Path:
        opened.append(path.name)
        return readable(db, path, *more)

    readable = opening.readable
    monkeypatch.setattr(opening, "readable", noted)
    for name, change, known in NIGHTS:
        change(site)
        opened.clear()
        summary, tables, n_known = site.ingest()
        assert (PACKED in opened) == (name in UNPACKED), name
        if site.state not in scratch:
            scratch[site.state] = site.from_scratch()
        assert (summary, tables) == scratch[site.state], name
        assert n_known == known, name
        site.next_night()
    assert site.ingest(fresh=True)[2] == 0


def test_files_with_the_same_columns_in_another_order_are_known_apart(tmp_path: Path) -> None:
    """Or else the users of one would be taken for its items."""
    (folder := tmp_path / "log").mkdir()
    orders = [["user_id", "item_id", "timestamp"], ["item_id", "user_id", "timestamp"]]
    log = pa.table({"user_id": [1], "item_id": [10], "timestamp": [datetime(2023, 1, 1, tzinfo=UTC)]})
    for number, order in enumerate(orders):
        pq.write_table(log.select(order), folder / f"{number}.parquet")
    inputs, ledger = Inputs(interactions=TableInput(path=str(folder))), Ledger()
    write_raw(inputs, datetime(2023, 2, 1, tzinfo=UTC), datetime.now(UTC), tmp_path, ledger=ledger)
    (part,) = ledger.made["interactions"]
    assert [list(ledger.layouts[layout].columns) for layout in part.layouts] == orders


@pytest.mark.slow
def test_ids_of_known_files_that_cannot_be_read_as_they_lie_stay_what_they_are(tmp_path: Path) -> None:
    """Packed, of another encoding or format: what lies there is not what DuckDB reads."""
    times = ["2023-01-01T00:00:00Z", "2023-01-02T00:00:00Z"]
    log = pa.table({"user_id": pa.array([b"anna", b"bob"]), "item_id": [1, 2], "timestamp": times})
    feather.write_feather(log, tmp_path / "log.feather")
    tags = "item_id,tag,timestamp\n" + "".join(f"{item},cosy,{times[0]}\n" for item in range(9))
    (tmp_path / "tags.csv").write_bytes(tags.encode("utf-16"))
    inputs = Inputs(
        interactions=TableInput(path=str(tmp_path / "log.feather")), tags=TableInput(path=str(tmp_path / "tags.csv"))
    )
    store = Store(tmp_path / "store")
    first, second = (
        ingest.fn(store.night(date(2023, 2, day)), inputs, datetime(2023, 2, day, tzinfo=UTC))["summary"]
        for day in (1, 2)
    )
    assert second["ids"] == first["ids"] == {"user_id": "string", "item_id": "int64"}
    assert [file["rows"] for file in second["accounts"]["tags"]["files"]] == [9]


def test_ids_are_looked_at_again_only_where_the_first_rows_have_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, notes = list[str](), lookalikes.notes

    def noted(*args: Any) -> list[str]:
        looked.append("")
        return notes(*args)

    monkeypatch.setattr(lookalikes, "notes", noted)
    monkeypatch.setattr(lookalikes, "FIRST", 3)
    for name, user, times in (("01", "Anna", 1), ("05", "bob", 0), ("01", "Eve", 1)):
        site.write(name, f"{user},1,2023-01-01", f"{user.lower()},1,2023-01-01", "9,9,2023-01-01")
        looked.clear()
        summary, tables, _ = site.ingest()
        assert len(looked) == times, name
        assert (summary, tables) == site.from_scratch()
        assert any(f"such as '{user}'" in note for note in summary["notes"]) == bool(times)
        site.next_night()


def test_a_part_is_read_again_when_a_row_ahead_is_credible() -> None:
    """As the clock has come to it; until then the row stays for validation to refuse."""
    part = Part((), "", "", TableResult(kept=Span(10, 20), ahead=Span(100, 300)))
    assert part.stands(cutoff=21, last=50) and part.stands(cutoff=21, last=99)
    assert not part.stands(cutoff=21, last=100)
    assert not part.stands(cutoff=20, last=50)
    assert not part.stands(cutoff=21, last=19)


def test_few_parts_come_of_a_file_a_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_parts, "FULL", 16)
    sources, known, read = [], list[Part](), 0
    for day in range(24):
        (path := tmp_path / f"{day:02}").write_bytes(b"x")
        sources.append(Source(path, path, "csv", {}))
        found = steps(sources, {part.paths[0]: part for part in known}, in_parts=True)
        assert [path for step in found for path in _paths(step)] == [str(source.path) for source in sources]
        read += sum(len(step) for step in found if isinstance(step, list))
        known = [step if isinstance(step, Part) else _part(step) for step in found]
    assert [len(part.files) for part in known] == [16, 8]
    assert read <= 24 * 5  # each file once, and once more whenever a part doubles until it has sixteen rows
    assert steps(sources, {known[0].paths[0]: known[0]}, in_parts=False) == [sources]


def _paths(step: Part | list[Source]) -> list[str]:
    return list(step.paths) if isinstance(step, Part) else [str(source.path) for source in step]


def _part(sources: list[Source]) -> Part:
    """A part with a row of each file."""
    files = tuple(FilePrint(str(source.path), 1, 0, 0, "", "") for source in sources)
    return Part(files, "", "", TableResult(rows=len(files)))
