"""What a sink gets: the rows of the current export in batches, and a tally to compare what arrived with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from recmodels.published.reader import Export
from recmodels.published.schema import completed
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.store.duckdb import quoted
from tasks.store.files import Json, sha256
from tasks.store.paths import Store

TABLES = ("similar", "popular", "topk")  # what is loaded, in this order: the lists last
ROWS_AT_ONCE = 200_000
LISTS_BY = {"topk": ["user_id"], "similar": ["item_id"], "popular": ["window", "category"]}


@dataclass(frozen=True)
class Published:
    """The export that readers are pointed to."""

    export: Export
    version: str
    """The export's id with a digest of its manifest: another one when a user was forgotten in it."""

    @classmethod
    def latest(cls, store: Store) -> Self:
        """Raises ConfigError where nothing is published."""
        export = Export.latest(store.root)
        export_id = export.manifest["export_id"]
        return cls(export, f"{export_id}-{sha256(store.export_manifest(export_id))[:8]}")

    @property
    def run_date(self) -> date:
        return date.fromisoformat(self.export.manifest["run_date"])

    @property
    def tables(self) -> list[str]:
        return [name for name in TABLES if self.files(name)]

    @property
    def folder(self) -> Path:
        """That of all exports: work on them is put beside them."""
        return self.export.exports

    def files(self, table: str) -> list[str]:
        paths = [str(file["path"]) for file in self.export.manifest["files"]]
        return [str(self.export.folder / path) for path in paths if path.startswith(f"{table}/")]

    def vector_tables(self, *, users: bool) -> list[str]:
        """The tables of vectors, those of items first. Raises NightrecError where the export has none."""
        if not self.files(ITEM_VECTORS):
            raise NightrecError(
                f"The export {self.export.manifest['export_id']} has no vectors: its model has none (see the log), "
                "or export.vectors was not set."
            )
        return [name for name in (ITEM_VECTORS, USER_VECTORS) if self.files(name) and (users or name == ITEM_VECTORS)]

    def schema(self, table: str) -> pa.Schema:
        return schema_of(self.files(table)[0], table)

    def rows(self, table: str) -> Iterator[pa.Table]:
        return (rows for file in self.files(table) for rows in rows_of(file, table))

    def lists(self, table: str) -> Iterator[pa.Table]:
        """The same rows, cut between lists and never within one."""
        return (lists for file in self.files(table) for lists in lists_of(file, table))


@dataclass(frozen=True)
class PublishedFile:
    """A file of a table of an export, as `FileSink.load_file` gets it."""

    table: str
    name: str
    """That no other file of the export has, and that is the same when it is loaded again."""
    path: Path

    @property
    def schema(self) -> pa.Schema:
        return schema_of(self.path, self.table)

    def rows(self) -> Iterator[pa.Table]:
        return rows_of(self.path, self.table)

    def lists(self) -> Iterator[pa.Table]:
        """The same rows, cut between lists and never within one."""
        return lists_of(self.path, self.table)


def schema_of(file: str | Path, table: str) -> pa.Schema:
    """The columns of a table's file, with texts instead of dictionaries; of an older export, those of today."""
    fields = completed(pq.read_schema(file).empty_table(), table).schema
    plain = {field.name: field.type.value_type for field in fields if pa.types.is_dictionary(field.type)}
    return pa.schema([pa.field(field.name, plain.get(field.name, field.type), field.nullable) for field in fields])


def rows_of(file: str | Path, table: str) -> Iterator[pa.Table]:
    """Its rows, some at a time."""
    schema = schema_of(file, table)
    lengths = [field.type.list_size for field in schema if pa.types.is_fixed_size_list(field.type)]
    at_once = max(1, ROWS_AT_ONCE // max([1, *(length // 16 for length in lengths)]))
    for batch in pq.ParquetFile(file).iter_batches(at_once):
        yield completed(pa.Table.from_batches([batch]), table).cast(schema)


def lists_of(file: str | Path, table: str) -> Iterator[pa.Table]:
    """Its rows, some at a time, cut between lists and never within one; no list goes on in another file."""
    rest = schema_of(file, table).empty_table()
    for rows in rows_of(file, table):
        rest = pa.concat_tables([rest, rows]).combine_chunks()
        cut = int(np.flatnonzero(rest["rank"].to_numpy() == 1)[-1])
        yield rest.slice(0, cut)
        rest = rest.slice(cut)
    yield rest


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all tallies: to open it takes longer than to count a small table."""
    return duckdb.connect()


class Tally:
    """How many rows there were, and the sum of their hashes (modulo 2^64), whatever their order."""

    def __init__(self) -> None:
        self.rows, self.checksum = 0, 0
        self._engine = _database().cursor()  # what is registered is seen by this cursor alone

    def add(self, rows: pa.Table) -> pa.Table:
        """Count rows, and hand them on."""
        columns = ", ".join(map(quoted, rows.column_names))
        self._engine.register("arrived", rows)
        ((count, checksum),) = self._engine.execute(f"SELECT count(*), sum(hash({columns})) FROM arrived").fetchall()
        self._engine.unregister("arrived")
        self.rows += count
        self.checksum = (self.checksum + int(checksum or 0)) % 2**64
        return rows

    def add_proof(self, proof: Json) -> None:
        """Count what another tally has."""
        self.rows += proof["rows"]
        self.checksum = (self.checksum + int(proof["checksum"], 16)) % 2**64

    def proof(self) -> Json:
        return {"rows": self.rows, "checksum": f"{self.checksum:016x}"}


def compare(table: str, sent: Tally, arrived: Tally) -> Json:
    """What is written down of a table that has arrived. Raises NightrecError where it is not what was sent."""
    if sent.proof() != arrived.proof():
        what = f"{arrived.rows:,} rows of {sent.rows:,}" if arrived.rows != sent.rows else "other values than were sent"
        raise NightrecError(f"Read back, the table {table} has {what}.")
    return arrived.proof()
