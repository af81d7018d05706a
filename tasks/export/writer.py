"""The published tables as files: lists streamed into ``topk/``, and the small tables ``similar`` and ``popular``."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.fallback import Lists
from recmodels.knn.item_knn import ItemKNN
from recmodels.popularity import Popularity
from recmodels.published.schema import arrow_schema, contract
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings
from tasks.store.files import Json
from tasks.store.manifests import describe

SOURCES = ["personal", "cold", "pinned"]
ROWS_A_GROUP = 128_000
ROWS_A_PART = 16_000_000
PAIRS_AT_ONCE = 2_000_000  # of similar items: rows of a table that is written

Codes = np.ndarray[Any, np.dtype[np.integer[Any]]]


def batches(n_users: int, k: int) -> Iterator[Ints]:
    """All users in their order, about two million list rows at a time."""
    size = max(1, 2_000_000 // k)
    for start in range(0, n_users, size):
        yield np.arange(start, min(n_users, start + size), dtype=np.int32)


class Parts:
    """Streams tables, which come in the order of the contract, into the parts of one table's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.part, self.rows = 0, 0
        self.file: pq.ParquetWriter | None = None
        folder.mkdir()

    def write(self, table: pa.Table) -> None:
        if self.file is None:
            self.file = open_part(self.folder / f"part-{self.part:05d}.parquet", table.schema)
        if table.num_rows:
            self.file.write_table(table, row_group_size=ROWS_A_GROUP)
        self.rows += table.num_rows
        if self.rows >= ROWS_A_PART:
            self.close()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file, self.part, self.rows = None, self.part + 1, 0


class Writer:
    """Streams lists, which come in the order of users, into the parts of ``topk/``.

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

    def write(self, lists: Lists) -> None:
        self.wait()
        self.pending = self.thread.submit(lambda: self.parts.write(self.table(lists)))

    def wait(self) -> None:
        """Wait for what is being written. Raises what it raised."""
        if self.pending is not None:
            self.pending.result()

    def table(self, lists: Lists) -> pa.Table:
        """A row a recommended item, as in the export contract."""
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


def similar_tables(
    model: Recommender, name: str, data: Dataset, item_ids: pa.Array, allowed: Bools, k: int, run_date: date
) -> Iterator[pa.Table]:
    """Tables of `similar`, in the order of the items: from the model, or from an item_knn where that cannot tell.

    Only allowed items are shown beside others; every item has a list, where anything is known of it.
    """
    model, name = alike(model, name, data)
    schema = arrow_schema("similar", pa.string(), item_ids.type)
    step = max(1, PAIRS_AT_ONCE // k)
    for start in range(0, data.n_items, step):
        items = np.arange(start, min(data.n_items, start + step), dtype=np.int32)
        top = model.similar_items(items, k, allowed=allowed)
        row, column = np.nonzero(top.items >= 0)
        yield pa.table(
            {
                "run_date": same_date(run_date, len(row)),
                "item_id": item_ids.take(pa.array(items[row])),
                "rank": (column + 1).astype(np.int16),
                "similar_item_id": item_ids.take(pa.array(top.items[row, column])),
                "score": top.scores[row, column],
                "model": coded(np.zeros(len(row), np.int8), [name]),
            },
            schema=schema,
        )


def alike(model: Recommender, name: str, data: Dataset) -> tuple[Recommender, str]:
    """Who tells which items are alike: the model itself, or an item_knn fitted on the same data."""
    try:
        model.similar_items(np.zeros(1, np.int32), 1)
    except NightrecError:
        return ItemKNN().fit(data), "item_knn"
    return model, name


def popular_table(
    run_date: date,
    overall: Popularity,
    days: list[int],
    data: Dataset,
    items: pa.Table,
    features: FeatureSettings,
    allowed: Bools,
    k: int,
) -> pa.Table:
    """The most popular available items of each window, overall (category null) and in each category."""
    names, pair_item, pair_category = categories_of(items, features)
    models = {"all": overall} | {f"{n}d": Popularity(days=n).fit(data) for n in days}
    found = [ranked(model.scores_, allowed, pair_item, pair_category, len(names), k) for model in models.values()]
    category, rank, chosen = (np.concatenate(columns) for columns in zip(*found, strict=True))
    window = np.repeat(np.arange(len(found), dtype=np.int8), [len(rows) for _, rows, _ in found])
    score = np.stack([model.scores_ for model in models.values()])[window, chosen]
    item_ids = items["item_id"].combine_chunks()
    return pa.table(
        {
            "run_date": same_date(run_date, len(chosen)),
            "window": coded(window, list(models)),
            "category": pa.array(names, pa.string()).take(pa.array(category, mask=category < 0)),
            "rank": rank.astype(np.int16),
            "item_id": item_ids.take(pa.array(chosen)),
            "score": score,
            "model": coded(np.zeros(len(chosen), np.int8), ["popularity"]),
        },
        schema=arrow_schema("popular", pa.string(), item_ids.type),
    )


def ranked(
    scores: Floats, allowed: Bools, pair_item: Codes, pair_category: Codes, n_categories: int, k: int
) -> tuple[Codes, Codes, Codes]:
    """Category (-1: of all items), rank and item of the k best allowed items with a score, of all and of each."""
    n_items = len(scores)
    best = np.lexsort((np.arange(n_items), -scores))
    best = best[allowed[best] & (scores[best] > 0)].astype(np.int32)
    head = best[:k]
    if not n_categories:
        return np.full(len(head), -1), np.arange(1, len(head) + 1), head
    place = np.full(n_items, n_items)
    place[best] = np.arange(len(best))
    listed = place[pair_item] < n_items
    pair_item, pair_category = pair_item[listed], pair_category[listed]
    order = np.lexsort((place[pair_item], pair_category))
    pair_item, pair_category = pair_item[order], pair_category[order]
    starts = np.searchsorted(pair_category, np.arange(n_categories))
    within = np.arange(len(pair_item)) - starts[pair_category]
    top = within < k
    return (
        np.concatenate([np.full(len(head), -1), pair_category[top]]),
        np.concatenate([np.arange(1, len(head) + 1), within[top] + 1]),
        np.concatenate([head, pair_item[top]]),
    )


def describe_part(path: Path, root: Path) -> Json:
    """A data file as the manifest names it, with the range of its users."""
    part: Json = {**describe(path, root)}
    if "user_id" in part["schema"] and part["rows"]:
        file = pq.ParquetFile(path)
        first, last = (file.read_row_group(group, ["user_id"]) for group in (0, file.num_row_groups - 1))
        part |= {"min_user": first["user_id"][0].as_py(), "max_user": last["user_id"][-1].as_py()}
    return part
