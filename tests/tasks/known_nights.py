"""Nights of a site whose files, settings and store change at random, each beside one that reads everything.

What a night may take over from those before it is found out by ingest and validation alone, so these are what is run.
"""

from __future__ import annotations

import bz2
import itertools
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tasks.ingest.stage
import tasks.store.engine_parts
import tasks.validate.stage
from expectations.settings import ValidationSettings
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.errors import DataRefused
from tasks.ingest import table_parts
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.parts import parts
from tasks.store.paths import Night, Store

FIRST = datetime(2023, 1, 1, tzinfo=UTC)
RULES = ValidationSettings(
    max_quarantined_share=1,
    min_users=1,
    min_items=1,
    max_staleness_days=None,
    min_known_items_share=0,
    volume_tolerance=None,
    rating_max=5,
)
LINES = [
    "{u},{i},{day},{r}",
    "{i},{u},{day},{r}",
    "{u},{i},{day} 0{u}:30:00,{r}",
    ",{i},{day},{r}",
    "{u},{i},soon,{r}",
    "{u},{i},{day},9",
    "{u},{i}",
    "",
    "{u},{i},2023-02-0{u},{r}",
    "anna{u},{i},{day},{r}",
]
"""Of rows that are good, and of lines that are not, by how frequent they are: the first ones are drawn most."""


@dataclass
class Site:
    """A folder with a file a day, and two stores: the nights of one know what those before them have found out.

    `cutoff` and `now`: days after the first of the log; `known`: how many files were taken over, all nights together;
    `on_engine`: whether an engine works for the nights that know something.
    """

    root: Path
    inputs: dict[str, Any] = field(default_factory=dict)
    rules: ValidationSettings = field(default_factory=lambda: RULES)
    items: list[int] = field(default_factory=lambda: [1, 2, 3, 4])
    tonight: date = date(2023, 2, 1)
    cutoff: int = 20
    now: int = 30
    code: int = 0
    known: int = 0
    on_engine: bool = False
    _next: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        (self.root / "log").mkdir(parents=True)
        for n in range(4):
            append(self, 7 * n)

    @property
    def files(self) -> list[Path]:
        return sorted((self.root / "log").iterdir())

    def name(self) -> str:
        return f"{next(self._next):04}"

    def night(self, store: str) -> Night:
        return Store(self.root / store).night(self.tonight)

    def run(self, store: str, *, fresh: bool) -> Any:
        """What the stages say, the rows of all tables, and the pages."""
        night, cutoff = self.night(store), FIRST + timedelta(days=self.cutoff)
        items = self.root / "items.csv"
        items.write_text("item_id\n" + "".join(f"{item}\n" for item in self.items))
        log = TableInput(path=str(self.root / "log"), **self.inputs)
        try:
            inputs = Inputs(interactions=log, items=TableInput(path=str(items)))
            with using(LocalEngine(2)) if self.on_engine and not fresh else nullcontext():
                raw = tasks.ingest.stage.ingest.fn(night, inputs, cutoff, fresh)
                valid = tasks.validate.stage.validate.fn(night, self.rules, cutoff, raw, fresh)
        except DataRefused as error:
            return str(error)
        self.known += raw["summary"]["accounts"]["interactions"]["known"]
        pages = [page.read_text() for page in sorted(night.store.quality(self.tonight).glob("*.html"))]
        return _said(raw), _said(valid), [_rows(folder) for folder in (night.raw, night.valid, night.quarantine)], pages


def _said(manifest: Any) -> Any:
    summary = {name: value for name, value in manifest["summary"].items() if name != "message"}
    for told in ("accounts", "balances"):
        summary |= {told: {name: {**one, "known": 0} for name, one in summary.get(told, {}).items()}}
    return summary


def _rows(folder: Path) -> dict[str, Any]:
    """The rows of each table of a folder, of some columns or others by what its parts have."""
    found = {}
    for name in ("interactions", "items", "rejects"):
        rows = [row for path in parts(folder, name) for row in pq.read_table(path).to_pylist()]
        found[name] = [{column: value for column, value in row.items() if value is not None} for row in rows]
    return found


def check(site: Site, change: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change something, and run a night that knows the earlier ones and one that does not."""
    monkeypatch.setattr(table_parts, "FULL", 4)
    CHANGES[change](site, number)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromisoformat((FIRST + timedelta(days=site.now)).isoformat())

    for stage in (tasks.ingest.stage, tasks.validate.stage):
        monkeypatch.setattr(stage, "code_of", lambda name: f"code-{site.code}")
    monkeypatch.setattr(tasks.store.engine_parts, "datetime", Clock)
    before = site.known
    told = site.run("scratch", fresh=True)
    assert site.known == before
    assert site.run("store", fresh=False) == told
    if change != "the same night again":
        site.tonight += timedelta(days=1)


def _lines(number: int) -> str:
    """One to five lines of a file, drawn by a number."""
    drawn = []
    for n in range(1 + number % 5):
        place = (number * 31 + n * 17) % 100
        line = LINES[place % 3 if place < 70 else place % len(LINES)]
        values = {"u": 1 + (number + n) % 6, "i": 1 + (number * n) % 5, "r": 1 + number % 5}
        drawn.append(line.format(day=f"{FIRST + timedelta(days=(number + n) % 25):%Y-%m-%d}", **values))
    return "user_id,item_id,timestamp,rating\n" + "".join(f"{line}\n" for line in drawn)


def append(site: Site, number: int) -> None:
    """A file comes, after the others or between them, in one of several forms."""
    early = site.files and number % 4 == 0
    stem = f"{site.files[number % len(site.files)].name[:4]}-{site.name()}" if early else site.name()
    if number % 5 == 1:
        (site.root / "log" / f"{stem}.csv.bz2").write_bytes(bz2.compress(_lines(number).encode()))
    elif number % 5 == 2:
        (site.root / "log" / f"{stem}.csv").write_text(_lines(number), encoding="utf-16")
    elif number % 5 == 3:
        days = [FIRST + timedelta(days=n) for n in range(number % 3 + 1)]
        columns = {"user_id": list(range(len(days))), "item_id": [number % 6] * len(days), "timestamp": days}
        pq.write_table(pa.table(columns), site.root / "log" / f"{stem}.parquet")
    else:
        (site.root / "log" / f"{stem}.csv").write_text(_lines(number))


def correct(site: Site, number: int) -> None:
    path = site.files[number % len(site.files)]
    path.unlink()
    path.with_name(f"{path.name[:4]}.csv").write_text(_lines(number + 1))


def behind_its_time(site: Site, number: int) -> None:
    """A file is changed, and neither its size nor its time."""
    path = site.files[number % len(site.files)]
    if path.suffix == ".csv":
        times, content = path.stat(), path.read_bytes()
        path.write_bytes(content.replace(b"1,", b"2,").replace(b",3", b",4"))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def leave(site: Site, number: int) -> None:
    if len(site.files) > 1:
        site.files[number % len(site.files)].unlink()


def copy_anew(site: Site, number: int) -> None:
    for path in site.files[: number % 9]:
        shutil.copyfile(path, site.root / "copy")
        (site.root / "copy").replace(path)


def forget(site: Site, number: int) -> None:
    """A user leaves the store, and not the site's files."""
    from tasks.forgetting.nights import forget_in_nights
    from tasks.forgetting.person import Person
    from tasks.forgetting.request import begin

    store, person = Store(site.root / "store"), Person.named(str(1 + number % 6))
    if store.root.exists():
        request = begin(store, person)
        forget_in_nights(store, person, request)
        request.done()


def read_otherwise(site: Site, number: int) -> None:
    zone = ["UTC", "Asia/Tokyo"][number % 2]
    site.inputs = {"timezone": zone} | ({"missing": ["4"]} if number % 3 == 0 else {})


def rule_otherwise(site: Site, number: int) -> None:
    site.rules = RULES.model_copy(update={"rating_max": 3 + number % 3, "require_known_items": number % 2 == 0})


def stock(site: Site, number: int) -> None:
    """An item comes to the catalogue, or leaves it."""
    item = 1 + number % 6
    site.items = [one for one in site.items if one != item] if item in site.items else [*site.items, item]


def code(site: Site, number: int) -> None:
    site.code = number % 2


def cutoff(site: Site, number: int) -> None:
    site.cutoff = 5 + number % 30


def clock(site: Site, number: int) -> None:
    """Rows that were of the future are not any more, or the reverse; a night that is done stays as it is."""
    site.now = 10 + number % 30
    site.tonight += timedelta(days=1)


def engine(site: Site, number: int) -> None:
    """From now on an engine works on the parts, or none does."""
    site.on_engine = number % 4 > 0


def damage(site: Site, number: int) -> None:
    """A file of the store is cut short; its links to other nights stay."""
    folders = sorted(Store(site.root / "store").all_nights(), key=lambda night: night.run_date)[-2:]
    files = sorted(path for night in folders for path in night.folder.rglob("*") if path.is_file())
    if files:
        file = files[number % len(files)]
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content[:-1])


def nothing(site: Site, number: int) -> None:
    """Nothing changes."""


CHANGES: dict[str, Callable[[Site, int], None]] = {
    "a file comes": append,
    "a file is corrected": correct,
    "a file is corrected behind its time": behind_its_time,
    "a file goes": leave,
    "files are copied anew": copy_anew,
    "a user is forgotten": forget,
    "files are read otherwise": read_otherwise,
    "rules are others": rule_otherwise,
    "the catalogue changes": stock,
    "the code changes": code,
    "the cutoff moves": cutoff,
    "the clock is another": clock,
    "an engine is named": engine,
    "the store is damaged": damage,
    "nothing changes": nothing,
    "the same night again": nothing,
}
