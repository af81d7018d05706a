"""The log by ranges of users whose rows lie in parts of the engine: what this process holds is a number a user or item.

Which rows a bucket has follows from their number alone: runs of valid parts first, then ranges of users, then row
groups of the tables. Each row is moved once from the former to the latter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.layout import Split
from recmodels.engine import parts
from recmodels.engine.current import engine
from recmodels.engine.sizes import MOST, ROWS, bucket_count
from recmodels.engine.work import Bucket, Function
from recmodels.parted.arrays import mapped, write_arrays
from recmodels.parted.training import made
from tasks.prepare import buckets, tables
from tasks.prepare.buckets import ABOUT, AGAIN, COUNTED, FILE, ITEM_COUNTS, USER_COUNTS, range_file
from tasks.prepare.events import Source, refuse_empty, sorted_distinct
from tasks.prepare.holdout import HoldoutSplit
from tasks.prepare.joining import join
from tasks.prepare.kept import RECENT as RECENT_FILE
from tasks.prepare.kept import Outside, outside_file, write_kept
from tasks.prepare.protocols import Protocol
from tasks.prepare.ranges import HOLDOUT, PAIRS, RECENT, TRAIN, Core, Ranges
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.shelf import Shelf
from tasks.prepare.spilling import range_bounds, with_rows
from tasks.store.opted_out import are_among
from tasks.store.versions import code_of

ROWS_A_BUCKET = ROWS
RANGES_A_SUM = 16
GROUPS_A_BUCKET = 16
"""Row groups that are written at a time, at least: two million rows."""


@dataclass
class _Found:
    """What is known of the ranges, as they were parted last.

    Attributes:
        parts: of `split`, a range each.
        users: by kind, of each user: pairs of positive weight, or those held out.
        items: by kind, of each item: pairs of positive weight.
        about: of each range, by kind: how many `rows`, and whether any pair was `repeated`.
        measured: whose rows alone are held out.
    """

    parts: list[Path] = field(default_factory=list)
    users: dict[str, Longs] = field(default_factory=dict)
    items: dict[str, Longs] = field(default_factory=dict)
    about: list[dict[str, Any]] = field(default_factory=list)
    measured: Bools | None = None


@dataclass(frozen=True)
class Parted(Ranges):
    """The ranges of a log on the engine.

    Attributes:
        folder: of the parts.
        bounds: the first user of each range, and the end.
        spilled: the parts that have the events of each range.
        settings: of the stage.
    """

    folder: Path
    bounds: Longs
    spilled: Sequence[Path]
    settings: PrepareSettings
    _found: _Found = field(default_factory=_Found)

    @classmethod
    def of(cls, valid: Path, settings: PrepareSettings, folder: Path) -> Parted:
        """The ranges of the valid tables, whose events are parted by them.

        Raises:
            DataRefused: nobody's interactions remain.
        """
        source = Source(valid)
        known_users, gone = source.known("user"), source.opted_out()
        told = {"schema": buckets.schema_text(source.schema), "settings": settings.model_dump(mode="json")}
        inputs = {}
        if len(gone):
            known_users = known_users.filter(pc.invert(are_among(known_users, gone)))
            inputs = {buckets.USERS: valid / "users.parquet"}
        runs = [
            Bucket(
                f"{number:04}",
                {str(nth): file for nth, file in enumerate(run)} | inputs,
                told | {"n": len(run)},
            )
            for number, run in enumerate(_runs(source.files))
        ]
        counted = _map(buckets.count_ids, runs, folder / "ids")
        found = _merged(part / "users.parquet" for part in counted)
        refuse_empty(found.num_rows)
        user_ids, rows_of_user = with_rows(found["id"].combine_chunks(), found["n"].to_numpy(), known_users)
        items = _merged(part / "items.parquet" for part in counted)["id"].combine_chunks()
        item_ids = sorted_distinct(items, source.known("item"))
        inner = range_bounds(rows_of_user, bucket_count(int(rows_of_user.sum()), ROWS_A_BUCKET))
        known = [path for path in (valid / "users.parquet", valid / "items.parquet") if path.exists()]
        made_from = json.dumps([*map(parts.digest, [*counted, *known]), inner.tolist()])
        ids = made(
            folder / "numbered",
            made_from,
            lambda out: buckets.write_ids(out, user_ids, item_ids, inner.astype(np.int64)),
        )
        spilled = _map(
            buckets.spill,
            [Bucket(run.name, {**run.inputs, buckets.IDS: ids}, run.arguments) for run in runs],
            folder / "spilled",
            fetch=False,
        )
        return cls(
            user_ids=user_ids,
            item_ids=item_ids,
            n=len(inner) + 1,
            events_of_user=rows_of_user,
            rated="rating" in source.columns,
            shelf=Shelf(None),
            duplicates=settings.duplicates,
            folder=folder,
            bounds=np.array([0, *inner.tolist(), len(user_ids)], np.int64),
            spilled=spilled,
            settings=settings,
        )

    @property
    def spread(self) -> str:
        return f", in {self.n} buckets of users"

    def pairs_of_users(self) -> Longs:
        if PAIRS not in self._found.users:
            self._split(None)
        return self._found.users[PAIRS]

    def hold_out(self, protocol: Protocol, settings: PrepareSettings) -> Bools:
        self._split(protocol)
        having: Bools = self._found.users[HOLDOUT] > 0
        return having

    def measure(self, users: Bools) -> None:
        self._found.measured = users

    def counts(self, kind: str) -> tuple[Longs, Longs]:
        return self._found.users[kind], self._found.items[kind]

    def outside(self, kind: str, users: Bools, items: Bools) -> Iterator[tuple[Ints, Ints]]:
        core = self._kept("core", {"users": users, "items": items})
        found = _map(
            buckets.find_outside,
            [Bucket(part.name, {"rows": part / FILE[kind], "core": core}) for part in self._found.parts],
            self.folder / f"outside-{core.name}-{kind}",
        )
        for part in found:
            yield mapped(part, "user"), mapped(part, "item")

    def n_rows(self, kind: str) -> int:
        return sum(self._rows_of_ranges(kind))

    def drop(self, *kinds: str) -> None:
        """Nothing: a night that is cut short goes on from what is there."""

    def write(self, out: Path, split: HoldoutSplit, full: Core, end: int) -> None:
        """Write the interactions of both splits and of the holdout, and what the night after has to know of them."""
        start = split.protocol.start
        cores: dict[str, tuple[Split, Core]] = {TRAIN: ("train", split.train), PAIRS: ("full", full)}
        files: dict[str, tuple[str, int]] = {
            TRAIN: (layout.interactions_file("train"), start),
            PAIRS: (layout.interactions_file("full"), end),
            HOLDOUT: (layout.HOLDOUT, end),
        }
        write_kept(out, None, self.events_of_user, start)
        if split.protocol.days is not None:
            files[RECENT] = RECENT_FILE, start
        work = {
            kind: list(self._groups(kind, split_end, cores[kind][1] if kind in cores else None))
            for kind, (_, split_end) in files.items()
        }
        written = iter(_map(buckets.write_groups, list(chain(*work.values())), self.folder / "written"))
        for kind, (path, _) in files.items():
            mine = list(islice(written, len(work[kind])))
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            join([part / "rows.parquet" for part in mine], out / path)
            if kind in cores:
                name, core = cores[kind]
                outside = Outside()
                for part in mine if core.users is not None else ():
                    outside.add(*(mapped(part, column) for column in ("user", "row", "weight")))
                outside.write(out / outside_file(name))

    def _groups(self, kind: str, split_end: int, core: Core | None) -> Iterator[Bucket]:
        """The row groups of a table, as buckets."""
        inputs = {}
        if core is not None and core.users is not None and core.items is not None:
            inputs["core"] = self._kept("core", {"users": core.users, "items": core.items})
        if kind == HOLDOUT and self._found.measured is not None:
            inputs["measured"] = self._kept("measured", {"users": self._found.measured})
        before = np.concatenate([[0], np.cumsum(self._rows_of_ranges(kind))])
        began = kind != RECENT and any(about[kind]["repeated"] for about in self._found.about)
        if kind == HOLDOUT and self._found.measured is not None:
            began = bool(self._found.users[AGAIN][self._found.measured].any())
        told = {"split_end": split_end, "began": began}
        for number, (begin, end) in enumerate(_row_groups(int(before[-1]))):
            first = min(int(np.searchsorted(before, begin, side="right")) - 1, self.n - 1)
            last = max(int(np.searchsorted(before, end, side="left")), first + 1)
            files = {str(nth): part / FILE[kind] for nth, part in enumerate(self._found.parts[first:last])}
            where = {"n": len(files), "begin": begin, "end": end, "before": int(before[first])}
            yield Bucket(f"{kind}-{number:04}", files | inputs, told | where)

    def _split(self, protocol: Protocol | None) -> None:
        """Have the ranges parted by a protocol (without one, merged), and know what came of it."""
        name, inputs, drawn = "", {}, np.zeros(self.n, np.int64)
        start, days = (protocol.start, protocol.days) if protocol else (0, None)
        if protocol is not None:
            name = protocol.name
            if protocol.unseen is not None:
                unseen = np.zeros(self.n_users, np.bool_)
                unseen[protocol.unseen] = True
                inputs["unseen"] = self._kept("unseen", {"unseen": unseen})
            if name == "random":  # a number for each pair
                until = np.concatenate([[0], np.cumsum(self.pairs_of_users())])
                drawn = until[self.bounds[:-1]]
        told = {
            "settings": self.settings.model_dump(mode="json"),
            "n_items": self.n_items,
            "n": len(self.spilled),
            "name": name,
            "start": start,
            "days": days,
            "unseen": bool(inputs),
        }
        work = [
            Bucket(
                f"{place:04}",
                {str(nth): part / range_file(place) for nth, part in enumerate(self.spilled)} | inputs,
                told | {"low": low, "high": high, "drawn": int(drawn[place])},
            )
            for place, (low, high) in enumerate(pairwise(self.bounds.tolist()))
        ]
        step = f"{name or 'merged'}-{days or 0}"
        ranges = _map(buckets.split, work, self.folder / step, fetch=False)
        files = {"users": USER_COUNTS, "items": ITEM_COUNTS, "about": ABOUT}
        sums = [
            Bucket(
                f"{number:04}",
                {f"{nth}-{what}": ranges[n] / file for nth, n in enumerate(some) for what, file in files.items()},
                {"n": len(some), "n_items": self.n_items},
            )
            for number, some in enumerate(_runs_of(len(ranges)))
        ]
        summed = _map(buckets.add_up, sums, self.folder / f"{step}-counts")
        users = np.concatenate([mapped(part, "users") for part in summed], axis=1).astype(np.int64)
        items = np.add.reduce([mapped(part, "items") for part in summed])
        found = self._found
        found.parts, found.measured = ranges, None
        found.about = [about for part in summed for about in json.loads((part / ABOUT).read_text())]
        found.users = dict(zip(COUNTED, users, strict=True))
        found.items = dict(zip((PAIRS, TRAIN), items, strict=True))

    def _rows_of_ranges(self, kind: str) -> list[int]:
        if kind == HOLDOUT and self._found.measured is not None:
            counts = np.where(self._found.measured, self._found.users[HOLDOUT], 0)
            until = np.concatenate([[0], np.cumsum(counts)])
            return [int(rows) for rows in np.diff(until[self.bounds])]
        return [about[kind]["rows"] for about in self._found.about]

    def _kept(self, name: str, arrays: dict[str, Any]) -> Path:
        """A part of arrays that this process has made, by what is in them."""
        key = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()
        return made(self.folder / f"{name}-{key[:16]}", key, lambda out: write_arrays(out, arrays))


def _map(function: Function, work: Sequence[Bucket], to: Path, *, fetch: bool = True) -> list[Path]:
    return engine().map(function, work, to, code=code_of(buckets.__name__), fetch=fetch)


def _runs(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Files that follow one another, about as many rows of them as a bucket has."""
    rows = [pq.read_metadata(file).num_rows for file in files]
    each = max(ROWS_A_BUCKET, -(-sum(rows) // MOST))
    run, so_far = list[Path](), 0
    for file, n in zip(files, rows, strict=True):
        run.append(file)
        so_far += n
        if so_far >= each:
            yield run
            run, so_far = [], 0
    if run:
        yield run


def _runs_of(n: int) -> Iterator[range]:
    """The numbers of the ranges whose counts are added up at a time."""
    return (range(first, min(first + RANGES_A_SUM, n)) for first in range(0, n, RANGES_A_SUM))


def _row_groups(n: int) -> Iterator[tuple[int, int]]:
    """The first and the last of the rows that are written at a time: whole row groups, but for the last."""
    each = max(GROUPS_A_BUCKET, -(-n // (tables.ROWS_A_GROUP * MOST))) * tables.ROWS_A_GROUP
    for begin in range(0, max(n, 1), each):
        yield begin, min(begin + each, n)


def _merged(files: Iterable[Path]) -> pa.Table:
    """The ids of some tables, and how many rows each has in all; at most twice as many are held as there are."""
    held, n, most = list[pa.Table](), 0, 1_000_000
    for file in files:
        held.append(pq.read_table(file))
        n += held[-1].num_rows
        if n > 2 * most:
            held = [_summed(held)]
            n = held[0].num_rows
            most = max(most, n)
    return _summed(held)


def _summed(tables_of_ids: Sequence[pa.Table]) -> pa.Table:
    grouped = pa.concat_tables(tables_of_ids).group_by("id").aggregate([("n", "sum")])
    return grouped.rename_columns({"n_sum": "n"})
