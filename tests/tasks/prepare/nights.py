"""Nights of a site, one after the other, of which only the valid and the prepared tables are there."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.layout import Split
from recmodels.data.pairs import Pairs, changes_file
from tasks.prepare.earlier import SPLITS, Earlier
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tasks.store.digests import Digests
from tasks.store.manifests import Manifest, outputs, run_stage
from tasks.store.parts import alike
from tasks.store.paths import Night, Store
from tests.tasks.site import CUTOFF, RUN_DATE, events, write_valid_tables


@dataclass(frozen=True)
class Day:
    """What a night finds: the files since the night before, who is in the table of users, and who has opted out."""

    files: list[list[tuple[int, int, float, int]]]
    users: list[int]
    out: list[int] = field(default_factory=list)
    joins: bool = False  # the last file was not full, and is read with what follows
    after: int = 1  # days since the night before


@dataclass
class Site:
    """A store of which only the stages prepare and validate are there."""

    store: Store
    rules: PrepareSettings
    kind: str
    files: list[pa.Table] = field(default_factory=list)
    run_date: date = RUN_DATE

    def name(self, number: int) -> int | str:
        return f"id {number}" if self.kind == "text" else (number - 3) * 10**11

    def table(self, rows: list[tuple[int, int, float, int]], days: int) -> pa.Table:
        """Events of so many days after the first night, with ratings unless the site has none."""
        more: dict[str, Any] = {"event": pa.array([[None, "view", "buy", "skip"][row[3]] for row in rows], pa.string())}
        if self.kind != "unrated":
            grades = [None, 1.0, 4.0, 2.5] if self.kind == "text" else [1.5, 1.0, 4.0, 2.5]
            more["rating"] = pa.array([grades[row[3]] for row in rows], pa.float64())
        return events([(self.name(user), item, age - days) for user, item, age, _ in rows], **more)

    def night(self, day: Day) -> tuple[Night, Manifest]:
        """The valid tables of a night."""
        self.run_date += timedelta(days=day.after)
        night = self.store.night(self.run_date)
        days = (self.run_date - RUN_DATE).days
        for rows in day.files:
            new = self.table(rows, days)
            if day.joins and self.files:
                self.files[-1] = pa.concat_tables([self.files[-1], new]).combine_chunks()
            else:
                self.files.append(new)
        users = pa.table(
            {"user_id": [self.name(one) for one in day.users], "opted_out": [one in day.out for one in day.users]},
            pa.schema([("user_id", self.files[0].schema.field("user_id").type), ("opted_out", pa.bool_())]),
        )

        def build(out: Path) -> dict[str, Any]:
            write_valid_tables(out, users=users)
            for number, table in enumerate(self.files):
                path = alike(out / "interactions" / f"part-{number:05}.parquet", out, out)
                pq.write_table(table, path)
            return {}

        return night, run_stage(night.valid, build, code="", inputs={}, parameters={})

    def prepare(self, night: Night, valid: Manifest, earlier: Earlier | None, n_ranges: int = 0) -> dict[str, Any]:
        """Prepare a night's tables in its store, and return the content of each, and what is said of them."""

        def build(out: Path) -> Any:
            return self.written(night, out, earlier, n_ranges)

        parameters = self.rules.model_dump() | {"cutoff": self.cutoff(night).isoformat()}
        inputs = outputs(valid=valid)
        made = run_stage(night.prepared, build, code="", inputs=inputs, parameters=parameters, fresh=True)
        return contents(night.prepared) | {"summary": made["summary"]}

    def scratch(self, night: Night) -> dict[str, Any]:
        """The same without an earlier night, in a folder of its own."""
        with TemporaryDirectory() as out:
            summary = self.written(night, Path(out), None, 1)
            return contents(Path(out)) | {"summary": summary}

    def written(self, night: Night, out: Path, earlier: Earlier | None, n_ranges: int) -> Any:
        return write_prepared(night.valid, self.rules, self.cutoff(night), out, n_ranges=n_ranges, earlier=earlier)

    def cutoff(self, night: Night) -> datetime:
        return CUTOFF + timedelta(days=(night.run_date - RUN_DATE).days)

    def earlier(self, night: Night, valid: Manifest) -> Earlier | None:
        return Earlier.of(night, valid, "", self.rules.model_dump(), Digests())


def contents(folder: Path) -> dict[str, Any]:
    """The bytes of each table, and what is read of each split."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}
    return files | {split: read(folder, split) for split in SPLITS}


def read(folder: Path, split: Split) -> dict[str, Any]:
    pairs = Pairs(folder, split)
    columns = pairs.columns(pairs.names)
    columns.setdefault(layout.FIRST, columns["timestamp"])
    assert len(pairs) == len(columns["weight"])
    return {name: column.tobytes() for name, column in columns.items()} | {"end": pairs.end}


def same(made: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether files are the same, to the byte, and what is said of them, but for how they were made.

    Of a night that says what has changed, what is read is the same.
    """
    without = [one["summary"] | {"message": ""} for one in (made, expected)]
    if changes_file("full") in made:
        made, expected = ({name: one[name] for name in READ if name in one} for one in (made, expected))
    return without[0] == without[1] and made | {"summary": ""} == expected | {"summary": ""}


READ = (*SPLITS, layout.USERS, layout.ITEMS, layout.HOLDOUT, layout.UNSEEN)
LOG = [(user, item, 30.0 - user - item, (user + item) % 4) for user in range(6) for item in range(4)]
FIRST = Day([LOG[:20], [*LOG[20:], (1, 5, 1, 1), (2, 4, 2, 1)]], [7])
SECOND = Day([[(1, 5, 0.5, 2), (8, 4, 0.5, 1), (3, 9, 0.2, 1), (2, 4, 0.1, 1)]], [7, 11])


def first_night(root: Path) -> Site:
    """A site after a first night; of its 26 rows, a quarter may be new on the second."""
    one = Site(Store(root), PrepareSettings(min_user_interactions=1, holdout="days", holdout_days=3), "text")
    night, valid = one.night(FIRST)
    one.prepare(night, valid, one.earlier(night, valid))
    return one


def continues(site: Site, day: Day) -> bool:
    """Whether a night continues the one before; what it writes is right in any case."""
    night, valid = site.night(day)
    made = site.prepare(night, valid, site.earlier(night, valid))
    assert same(made, site.scratch(night))
    return "events since the night" in made["summary"]["message"]
