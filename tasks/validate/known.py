"""What validation has found of the parts of tables, so that later nights need not check these again.

Whether a row is refused depends on the row, the rules and the code; on how far it is ahead of the clock; and, where
items must be known, on the catalogue. A part of which none of that has changed keeps its verdict. The rules
of the table are asked every night, of counts that are brought up to date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from typing_extensions import TypedDict

from expectations.interactions import AHEAD
from expectations.settings import ValidationSettings
from tasks.store.digests import Digests
from tasks.store.duckdb import file_literal, read_parquet
from tasks.store.files import digest, replacing, sha256, write_json
from tasks.store.manifests import Manifest
from tasks.store.parts import alike, parts
from tasks.store.paths import Night
from tasks.store.records import SEAL, is_whole, read, sealed
from tasks.validate.counts import Earlier, write
from tasks.validate.rows import Codes, Verdict

KNOWN = ("items", "users", "interactions", "tags")
"""Tables of which verdicts are kept: those of exposures change with what is published, too."""
_RECORD, _ITEMS = "verdicts.json", "items.parquet"


class _Part(TypedDict):
    """A part that was checked: a digest of the raw one, its rows and those refused; the valid one and its digest."""

    raw: str
    rows: int
    refused: int
    good: str
    good_sha256: str


class _Table(TypedDict):
    """The parts of a table, digests of the recipe that they were checked by, of the refused rows, and of the codes."""

    recipe: str
    quarantine: str
    codes: str
    parts: list[_Part]


class _Record(TypedDict):
    """What a night keeps.

    `now`: when its rows were checked; `catalogue`: a digest of the valid items; `counts`: file of the counts of the
    valid interactions -> its digest.
    """

    now: str
    catalogue: str
    counts: dict[str, str]
    tables: dict[str, _Table]


@dataclass
class Verdicts:
    """Those of an earlier night, and tonight's.

    Attributes:
        code: of the stage.
        raw: tonight's raw tables: file -> digest.
        night: the night whose verdicts are known.
        record: of that night.
        made: table -> the recipe, and the codes of its parts, in order, of tonight.
        counts: of tonight's valid interactions, by the names of the files that keep them.
        now: when tonight's rows are checked.
        digests: of the files that the valid tables may be links to.
    """

    code: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)
    night: Night | None = None
    record: _Record | None = None
    made: dict[str, tuple[str, list[Codes]]] = field(default_factory=dict)
    counts: Mapping[str, pa.Table] = field(default_factory=dict)
    now: str = ""
    digests: Digests = field(default_factory=Digests)

    @classmethod
    def of(cls, night: Night, code: str, raw: Manifest, *, fresh: bool) -> Verdicts:
        """What a night knows, by its own validation or by that of the night before it that has left something."""
        digests, known = {file["path"]: file["sha256"] for file in raw["files"]}, Digests()
        for path, found in digests.items():
            known.learn(night.raw / path, found)
        earlier = [] if fresh else [one for one in night.store.all_nights() if one.run_date < night.run_date]
        for one in [] if fresh else [night, *reversed(earlier)]:
            record: Any = read(one.known_rows / _RECORD, _Record)
            if record is not None and SEAL in record and is_whole(record):
                return cls(code, digests, one, record, digests=known)
        return cls(code, digests, digests=known)

    def fitting(
        self,
        db: duckdb.DuckDBPyConnection,
        table: str,
        raw: Path,
        valid: Path,
        settings: ValidationSettings,
        now: datetime,
    ) -> list[Verdict | None]:
        """What is known of each part of a table; None of those that must be checked.

        Args:
            db: to look items up.
            table: its name.
            raw: the folder of the raw tables.
            valid: the folder with the valid items.
            settings: the rules.
            now: rows that are later by a day are refused.
        """
        self.now, sources = now.isoformat(), parts(raw, table)
        if table not in KNOWN or self.record is None or table not in self.record["tables"]:
            return [None] * len(sources)
        if self.record["tables"][table]["recipe"] != self._recipe(sources, settings):
            return [None] * len(sources)
        clocks, digests = sorted((now, datetime.fromisoformat(self.record["now"]))), self._known(table)
        known = {
            source: digests[found]
            for source in sources
            if (found := self.raw.get(str(source.relative_to(raw)))) in digests
            if table != "interactions" or not _has_come(source, digests[found], *clocks, later=now == clocks[1])
        }
        if table == "interactions" and settings.require_known_items and known:
            for source in self._doubtful(db, list(known), valid):
                del known[source]
        return [known.get(source) for source in sources]

    def earlier(
        self, sources: Sequence[Path], known: Sequence[Verdict | None], raw: Path, valid: Path
    ) -> Earlier | None:
        """The counts that an earlier night has kept of valid interactions; None where all must be counted again.

        Args:
            sources: the raw parts of tonight.
            known: what is known of each of them.
            raw: the folder of the raw tables.
            valid: that of the valid tables, in which the parts are written.
        """
        if self.night is None or self.record is None or not any(known):
            return None
        came = [alike(source, raw, valid) for source, verdict in zip(sources, known, strict=True) if verdict is None]
        stayed = Counter(
            self.raw[str(source.relative_to(raw))]
            for source, verdict in zip(sources, known, strict=True)
            if verdict is not None
        )
        went = list[Path]()
        for part in self.record["tables"]["interactions"]["parts"]:
            if stayed[part["raw"]]:
                stayed[part["raw"]] -= 1
                continue
            went.append(path := self.night.valid / part["good"])
            if _digest_of(path) != part["good_sha256"]:
                return None
        digests = {file: _digest_of(self.night.known_rows / file) for file in self.record["counts"]}
        if not digests or digests != self.record["counts"]:
            return None
        return Earlier(self.night.known_rows, came, went)

    def note(self, table: str, raw: Path, settings: ValidationSettings, codes: list[Codes]) -> None:
        """Note the codes of a table's parts, in order."""
        if table in KNOWN:
            self.made[table] = self._recipe(parts(raw, table), settings), codes

    def save(self, night: Night, valid: Manifest) -> None:
        """Keep what was found for the nights to come."""
        goods = {file["path"]: file["sha256"] for file in valid["files"]}
        with replacing(night.known_rows) as out:
            tables = {table: self._saved(night, table, goods, out) for table in self.made}
            write(self.counts, out)
            digests = {file: sha256(out / file) for file in self.counts}
            record: _Record = {
                "now": self.now,
                "catalogue": goods.get(_ITEMS, ""),
                "counts": digests,
                "tables": tables,
            }
            write_json(out / _RECORD, sealed(record))

    def _saved(self, night: Night, table: str, goods: Mapping[str, str], out: Path) -> _Table:
        """What is kept of a table, whose codes are written into a folder; `goods`: valid file -> its digest."""
        recipe, made = self.made[table]
        checked = list[_Part]()
        for source, codes in zip(parts(night.raw, table), made, strict=True):
            path = str(source.relative_to(night.raw))
            rows, refused = len(codes), int(np.count_nonzero(codes))
            part = _Part(raw=self.raw[path], rows=rows, refused=refused, good=path, good_sha256=goods[path])
            checked.append(part)
        codes_of_all = out / f"{table}.parquet"
        pq.write_table(_sparse(made), codes_of_all)
        quarantine = _digest_of(night.quarantine / f"{table}.parquet")
        return _Table(recipe=recipe, quarantine=quarantine, codes=sha256(codes_of_all), parts=checked)

    def _recipe(self, sources: Sequence[Path], settings: ValidationSettings) -> str:
        """A digest of what a verdict on a row of some parts depends on, but for the clock and the catalogue."""
        return digest([self.code, settings.model_dump(), str(pq.read_schema(sources[0]))])

    def _known(self, table: str) -> dict[str, Verdict]:
        """Digest of a raw part of a table -> what was found of it."""
        assert self.night is not None and self.record is not None
        night, record = self.night, self.record["tables"][table]
        if _digest_of(night.known_rows / f"{table}.parquet") != record["codes"]:
            return {}
        codes = pq.read_table(night.known_rows / f"{table}.parquet")
        number, row, code = (codes[name].to_numpy() for name in ("part", "row", "code"))
        quarantine = night.quarantine / f"{table}.parquet"
        whole = bool(record["quarantine"]) and _digest_of(quarantine) == record["quarantine"]
        bad = pq.read_table(quarantine) if whole else None
        known, begin = dict[str, Verdict](), 0
        for place, part in enumerate(record["parts"]):
            low, high = np.searchsorted(number, [place, place + 1])
            of_part = np.zeros(part["rows"], code.dtype)
            of_part[row[low:high]] = code[low:high]
            known[part["raw"]] = Verdict(of_part)
            good = night.valid / part["good"]
            if part["refused"] and bad is not None and _digest_of(good) == part["good_sha256"]:
                known[part["raw"]] = Verdict(of_part, good, bad.slice(begin, part["refused"]))
                self.digests.learn(good, part["good_sha256"])
            begin += part["refused"]
        return known

    def _doubtful(self, db: duckdb.DuckDBPyConnection, sources: Sequence[Path], valid: Path) -> set[Path]:
        """The parts with items that have come to the catalogue or left it; all, where the old one is gone."""
        assert self.night is not None and self.record is not None
        new, old = valid / _ITEMS, self.night.valid / _ITEMS
        if (digest := _digest_of(new)) == self.record["catalogue"]:
            return set()
        if not digest or _digest_of(old) != self.record["catalogue"]:
            return {*sources}
        ids = [f"SELECT CAST(item_id AS VARCHAR) AS item FROM {read_parquet(path)}" for path in (old, new)]
        changed = f"(({ids[0]}) EXCEPT ({ids[1]})) UNION ALL (({ids[1]}) EXCEPT ({ids[0]}))"
        listed = ", ".join(map(file_literal, sources))
        rows = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true, filename = 'part_file')"
        query = f"SELECT DISTINCT part_file FROM {rows} WHERE CAST(item_id AS VARCHAR) IN ({changed})"
        return {Path(path) for (path,) in db.execute(query).fetchall()}


def _sparse(codes: Sequence[Codes]) -> pa.Table:
    """The codes of the rows that are refused: the part's number, the row in it, the code."""
    rows = [np.flatnonzero(of_part) for of_part in codes]
    number = np.repeat(np.arange(len(codes)), [len(found) for found in rows])
    code = [of_part[found] for of_part, found in zip(codes, rows, strict=True)]
    return pa.table({"part": number, "row": np.concatenate(rows), "code": np.concatenate(code)})


def _has_come(source: Path, known: Verdict, start: datetime, end: datetime, *, later: bool) -> bool:
    """Whether a part has rows that are ahead of one clock and not of a `later` one; or the other way round.

    Those that were ahead of the earlier clock when the part was checked are among the refused.
    """
    start, end = start + AHEAD, end + AHEAD
    return (
        _between(known.bad["timestamp"], start, end)
        if later and known.bad is not None
        else _has_between(source, start, end)
    )


def _between(times: pa.ChunkedArray, start: datetime, end: datetime) -> bool:
    found = pc.and_(pc.greater(times, pa.scalar(start)), pc.less_equal(times, pa.scalar(end)))
    return bool(pc.any(found).as_py())


def _has_between(source: Path, start: datetime, end: datetime) -> bool:
    """Whether a part has rows that are later than one instant, and not later than another."""
    with pq.ParquetFile(source) as file:
        place = file.schema_arrow.names.index("timestamp")
        for group in range(file.num_row_groups):
            found = file.metadata.row_group(group).column(place).statistics
            if found is not None and (not found.has_min_max or found.max <= start or found.min > end):
                continue
            if _between(file.read_row_group(group, columns=["timestamp"])["timestamp"], start, end):
                return True
    return False


def _digest_of(path: Path) -> str:
    """The SHA-256 of a file; empty where there is none."""
    return sha256(path) if path.exists() else ""
