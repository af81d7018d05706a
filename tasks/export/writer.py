"""The published tables as files: rows in the order of the contract, streamed into the parts of a folder."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.fallback import Lists
from recmodels.published.schema import arrow_schema, contract
from tasks.export.origins import Origins
from tasks.store.files import Json
from tasks.store.manifests import describe

SOURCES = ["personal", "cold", "pinned"]
ROWS_A_GROUP = 128_000
ROWS_A_PART = 16_000_000


def batches(n_users: int, k: int) -> Iterator[Ints]:
    """All users in their order, about two million list rows at a time."""
    size = max(1, 2_000_000 // k)
    for start in range(0, n_users, size):
        yield np.arange(start, min(n_users, start + size), dtype=np.int32)


class Parts:
    """Streams tables, which come in the order of the contract, into the parts of one table's folder."""

    def __init__(self, folder: Path, rows_a_group: int = ROWS_A_GROUP) -> None:
        self.folder, self.rows_a_group = folder, rows_a_group
        self.part, self.rows = 0, 0
        self.file: pq.ParquetWriter | None = None
        folder.mkdir()

    def write(self, table: pa.Table) -> None:
        if self.file is None:
            self.file = open_part(self.folder / f"part-{self.part:05d}.parquet", table.schema)
        if table.num_rows:
            self.file.write_table(table, row_group_size=self.rows_a_group)
        self.rows += table.num_rows
        if self.rows >= ROWS_A_PART:
            self.close()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file, self.part, self.rows = None, self.part + 1, 0


class Writer:
    """Streams lists, which come in the order of users, into the parts of `topk/`.

    A thread of its own writes a batch while the next one is computed: two batches at most are held.
    """

    def __init__(self, run_date: date, model: str, user_ids: pa.Array, item_ids: pa.Array, folder: Path) -> None:
        self.run_date, self.model = run_date, model
        self.user_ids, self.item_ids = user_ids, item_ids
        self.schema = arrow_schema("topk", user_ids.type, item_ids.type)
        self.parts = Parts(folder)
        self.thread = ThreadPoolExecutor(1)
        self.pending: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.wait()
        finally:
            self.thread.shutdown()
            self.parts.close()

    def write(self, lists: Lists, origins: Origins | None = None) -> None:
        """Write lists, and how their rows came there; without `origins` the model made them for everybody."""
        self.wait()
        self.pending = self.thread.submit(lambda: self.parts.write(self.table(lists, origins)))

    def wait(self) -> None:
        """Wait for what is being written. Raises what it raised."""
        if self.pending is not None:
            self.pending.result()

    def table(self, lists: Lists, origins: Origins | None = None) -> pa.Table:
        """A row a recommended item, as in the export contract."""
        origins = origins or Origins.of_one(self.model, *lists.items.shape)
        row, column = np.nonzero(lists.items >= 0)  # by user, then rank
        reason = lists.reasons[row, column]
        return pa.table(
            {
                "run_date": same_date(self.run_date, len(row)),
                "user_id": self.user_ids.take(pa.array(lists.users[row])),
                "rank": (column + 1).astype(np.int16),
                "item_id": self.item_ids.take(pa.array(lists.items[row, column])),
                "score": lists.scores[row, column],
                "model": coded(np.zeros(len(row), np.int8), [self.model]),
                "source": coded((lists.cold + 2 * lists.pinned)[row, column].astype(np.int8), SOURCES),
                "reason_item_id": self.item_ids.take(pa.array(reason, mask=reason < 0)),
                "arm": coded(origins.arm[row], origins.arms),
                "policy": coded(origins.policy[row, column], origins.policies),
                "propensity": origins.propensity[row, column],
            },
            schema=self.schema,
        )


def coded(codes: np.ndarray[Any, np.dtype[np.int8]], names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes, names)


def same_date(run_date: date, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(run_date, pa.date32()), n)


def open_part(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A file of the table that its folder is named after: sorted as the contract says, with statistics and index."""
    order = [(name, "ascending") for name in contract()["tables"][path.parent.name]["sorted_by"]]
    sorting = pq.SortingColumn.from_ordering(schema, order) if order else None
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_index=True, sorting_columns=sorting)


def described_parts(export: Path) -> list[Json]:
    """The files of an export as its manifest names them."""
    return [describe_part(path, export) for path in sorted(export.rglob("*")) if path.is_file()]


def describe_part(path: Path, root: Path) -> Json:
    """A file as the manifest names it, with the range of its users where it is a table of theirs."""
    part: Json = {**describe(path, root)}
    if "user_id" in part.get("schema", {}) and part["rows"]:
        file = pq.ParquetFile(path)
        first, last = (file.read_row_group(group, ["user_id"]) for group in (0, file.num_row_groups - 1))
        part |= {"min_user": first["user_id"][0].as_py(), "max_user": last["user_id"][-1].as_py()}
    return part
