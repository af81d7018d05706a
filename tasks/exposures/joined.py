"""What was shown, and the published rows that it was shown from, under the indices of a night's users and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from tasks.exposures.published import as_listed, lists_of
from tasks.store.duckdb import literal, quoted, read_parquet, read_parts
from tasks.store.paths import Store
from tasks.store.publications import Publication

SECOND = 1_000_000  # µs
DAY = 86_400 * SECOND
COLUMNS = {
    "user_index": "INTEGER",
    "item_index": "INTEGER",
    "rank": "SMALLINT",
    "timestamp": "BIGINT",  # µs since 1970 (UTC)
    "export_id": "VARCHAR",
    "clicked": "BOOLEAN",
    "outcome": "DOUBLE",
    "arm": "VARCHAR",
    "policy": "VARCHAR",
    "propensity": "FLOAT",
    "assumed": "BOOLEAN",
}
"""The columns of `exposures.parquet`, and their types in DuckDB."""
ROWS_A_GROUP = 122_880


@dataclass
class Tally:
    """What became of the exposures: they are `joined`, or one of the five others.

    `unknown`: of users or items that the night does not know, or of users who have opted out; `early`: before anything
    was published; `gone`: of exports that are no longer there or cannot be read; `moved`: the item is in the user's
    list, at another rank; `unpublished`: it is not. `exports`: the ids of those that were joined to.
    """

    exposures: int = 0
    joined: int = 0
    unknown: int = 0
    early: int = 0
    gone: int = 0
    moved: int = 0
    unpublished: int = 0
    exports: list[str] = field(default_factory=list)


class Joining:
    """The tables of a night, and what readers were pointed to until its cutoff."""

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        store: Store,
        valid: Path,
        prepared: Path,
        published: Sequence[Publication],
    ) -> None:
        self.db, self.store, self.valid, self.prepared, self.published = db, store, valid, prepared, published
        self.users = f"(SELECT user_id, user_index FROM {read_parquet(prepared / layout.USERS)})"
        self.items = f"(SELECT item_id, item_index FROM {read_parquet(prepared / layout.ITEMS)})"
        self.types = [type_of(prepared / layout.USERS, "user_id"), type_of(prepared / layout.ITEMS, "item_id")]
        self.names = self._number_exports()
        self._note_switches()
        columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in COLUMNS.items() if name != "export_id")
        db.execute(f"CREATE TEMP TABLE joined ({columns}, export INTEGER, published_rank SMALLINT)")

    def logged(self) -> Tally:
        """Join the exposures that a site has logged."""
        self.db.execute(f"CREATE TEMP TABLE shown AS {self._logged()}")
        known = "user_index IS NOT NULL AND item_index IS NOT NULL"
        rows, of_known = self._one(f"SELECT count(*), count(*) FILTER ({known}) FROM shown")
        tally = Tally(exposures=rows, unknown=rows - of_known)
        counted = self.db.sql(f"SELECT export, count(*) FROM shown WHERE {known} GROUP BY ALL").fetchall()
        by_export: dict[int | None, int] = dict(counted)
        tally.early = by_export.pop(None, 0)
        for number, name in enumerate(self.names):
            if not (rows := by_export.get(number, 0)):
                continue
            here, moved = self._match(name, f"SELECT * FROM shown WHERE export = {number} AND {known}") or (-1, 0)
            if here < 0:
                tally.gone += rows
                continue
            tally.exports.append(name)
            tally.joined += here
            tally.moved += moved
            tally.unpublished += rows - here - moved
        return tally

    def assumed(self, since: int, cutoff: int, places: int) -> Tally:
        """Take the first places of lists for shown to users on the days, from an instant on, that they were active.

        A list is that of the user's first interaction of the day; days end when the night's does. Instants are µs since
        1970.
        """
        self.db.execute(
            f"""
            CREATE TEMP TABLE shown AS
            SELECT user_id, user_index, timestamp, latest AS export FROM (
                SELECT user_id, min(epoch_us(timestamp)) AS timestamp
                FROM {read_parts(self.valid, "interactions")}
                WHERE epoch_us(timestamp) >= {since} AND epoch_us(timestamp) < {cutoff}
                GROUP BY user_id, ({cutoff} - 1 - epoch_us(timestamp)) // {DAY}
            ) JOIN {self.users} USING (user_id) ASOF LEFT JOIN switches ON timestamp >= since
            """
        )
        tally = Tally()
        there = self.db.sql("SELECT DISTINCT export FROM shown WHERE export IS NOT NULL ORDER BY export").fetchall()
        for (number,) in there:
            if self._assume(self.names[number], f"SELECT * FROM shown WHERE export = {number}", places):
                tally.exports.append(self.names[number])
        tally.exposures = tally.joined = self._one("SELECT count(*) FROM joined")[0]
        return tally

    def write(self, out: Path) -> None:
        """Write what was joined, by user, time and rank. Texts are sorted as what they are called by: few and short.

        An exposure that was logged more than once is one: a handler may try again, or add a line when it is clicked.
        """
        what = ["user_index", "timestamp", "rank", "item_index", "export"]
        best = {"clicked": "bool_or", "outcome": "max"}
        facts = [
            f"{best.get(name, 'any_value')}({name}) AS {name}" for name in COLUMNS if name not in (*what, "export_id")
        ]
        once = f"SELECT {', '.join(what + facts)} FROM joined WHERE rank = published_rank GROUP BY {', '.join(what)}"
        columns = ", ".join(f"{self._coded(name)} AS {quoted(name)}" for name in COLUMNS)
        self.db.execute(
            f"COPY (SELECT * EXCLUDE export FROM (SELECT {columns}, export FROM ({once})) ORDER BY {', '.join(what)}) "
            f"TO {literal(out)} (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {ROWS_A_GROUP})"
        )

    def _coded(self, column: str) -> str:
        """SQL: a column of `joined` as it is written, a text as a member of an enumeration."""
        if COLUMNS[column] != "VARCHAR":
            return quoted(column)
        named = column == "export_id"
        found = self.names or [""] if named else self._texts(column)
        kind = quoted(f"every {column}")
        self.db.execute(f"CREATE TEMP TYPE {kind} AS ENUM ({', '.join(map(literal, found))})")
        if named:
            return f"list_extract([{', '.join(map(literal, found))}]::{kind}[], export + 1)"
        return f"CAST({column} AS {kind})"

    def _texts(self, column: str) -> list[str]:
        found = self.db.execute(f"SELECT DISTINCT {column} FROM joined ORDER BY ALL").fetchall()
        return [text for (text,) in found] or [""]

    def _number_exports(self) -> list[str]:
        """The ids of the exports that rows may be of, in the table `exports` with their numbers."""
        names = dict.fromkeys(one.export_id for one in self.published)
        path = self.valid / "exposures.parquet"
        if path.exists() and "export_id" in pq.read_schema(path).names:
            named = f"SELECT DISTINCT export_id FROM {read_parquet(path)} WHERE export_id IS NOT NULL ORDER BY ALL"
            names |= dict.fromkeys(name for (name,) in self.db.sql(named).fetchall())
        table = pa.table(
            {"export_id": pa.array(list(names), pa.string()), "number": pa.array(range(len(names)), pa.int32())}
        )
        self.db.register("exports", table)
        return list(names)

    def _note_switches(self) -> None:
        """Since when readers were pointed to which export, by its number, in the table `switches`."""
        number = {name: n for n, name in enumerate(self.names)}
        latest = {int(one.since.timestamp() * SECOND): number[one.export_id] for one in self.published}
        columns = {"since": pa.array(latest.keys(), pa.int64()), "latest": pa.array(latest.values(), pa.int32())}
        self.db.register("switches", pa.table(columns))

    def _logged(self) -> str:
        """SQL: the exposures under the indices of the night, each with the number of its export."""
        path = self.valid / "exposures.parquet"
        there = pq.read_schema(path).names
        optional = {name: COLUMNS[name] for name in ("export_id", "clicked", "outcome")}
        columns = [f"CAST({name if name in there else 'NULL'} AS {kind}) AS {name}" for name, kind in optional.items()]
        return f"""
            SELECT user_id, item_id, user_index, item_index, rank, timestamp, clicked, outcome,
                   CASE WHEN shown.export_id IS NULL THEN latest ELSE number END AS export
            FROM (
                SELECT user_id, item_id, CAST(rank AS SMALLINT) AS rank, epoch_us(timestamp) AS timestamp,
                       {", ".join(columns)}
                FROM {read_parquet(path)}
            ) AS shown
            LEFT JOIN {self.users} USING (user_id) LEFT JOIN {self.items} USING (item_id)
            LEFT JOIN exports ON shown.export_id = exports.export_id
            ASOF LEFT JOIN switches ON shown.timestamp >= switches.since
        """

    def _match(self, name: str, rows: str) -> tuple[int, int] | None:
        """Join rows to their export: how many are as it was published, and at another rank; None if it is not there."""
        lists = lists_of(self.store, name)
        if lists is None:
            return None
        counts = "SELECT count(*), count(*) FILTER (rank = published_rank) FROM joined"
        before = self._one(counts)
        same = "listed_as = published_user AND item_id = published_item"
        found = f"({as_listed(self.db, lists, rows)}) AS shown JOIN ({lists.sql(*self.types)}) ON {same}"
        if not self._insert(name, f"SELECT * FROM {found}", assumed=False):
            return None
        rows_now, here = (now - then for now, then in zip(self._one(counts), before, strict=True))
        return here, rows_now - here

    def _assume(self, name: str, rows: str, places: int) -> bool:
        """Take the first places of the users' lists in an export for shown; false if it is not there."""
        lists = lists_of(self.store, name)
        if lists is None:
            return False
        listed = f"SELECT * FROM ({lists.sql(*self.types)}) WHERE published_rank <= {places}"
        found = (
            f"({as_listed(self.db, lists, rows)}) AS shown JOIN ({listed}) ON listed_as = published_user "
            f"JOIN {self.items} ON item_id = published_item"
        )
        nothing = "NULL AS clicked, NULL AS outcome, published_rank AS rank"
        return self._insert(name, f"SELECT *, {nothing} FROM {found}", assumed=True)

    def _insert(self, name: str, rows: str, *, assumed: bool) -> bool:
        """Add rows of an export to `joined`; false, and nothing is added, where its files are damaged."""
        columns = ", ".join(quoted(column) for column in COLUMNS if column not in ("export_id", "assumed"))
        number = self.names.index(name)
        try:
            self.db.execute(f"INSERT INTO joined SELECT {columns}, {assumed}, {number}, published_rank FROM ({rows})")
        except (duckdb.IOException, duckdb.InvalidInputException):
            return False
        return True

    def _one(self, query: str) -> tuple[Any, ...]:
        (row,) = self.db.execute(query).fetchall()
        found: tuple[Any, ...] = row
        return found


def type_of(table: Path, column: str) -> str:
    """The type of ids, as DuckDB calls it."""
    return "BIGINT" if pa.types.is_integer(pq.read_schema(table).field(column).type) else "VARCHAR"
