"""The published tables of items: `similar`, and `popular` by window and category."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.knn.item_knn import ItemKNN
from recmodels.popularity import Popularity
from recmodels.published.schema import arrow_schema
from tasks.export.writer import coded, same_date
from tasks.features.categories import categories_of
from tasks.features.settings import FeatureSettings

PAIRS_AT_ONCE = 2_000_000  # of similar items: rows of a table that is written
PAIRS_A_GROUP = 32_000  # one item is found without reading many others


Codes = np.ndarray[Any, np.dtype[np.integer[Any]]]


def similar_tables(
    model: Recommender,
    name: str,
    item_ids: pa.Array,
    allowed: Bools,
    k: int,
    run_date: date,
    wanted: Ints,
) -> Iterator[pa.Table]:
    """Tables of `similar`, in the order of the items, by a model that has similarities (`similarity_model`).

    Only allowed items are listed; each of the `wanted` items has a list, where anything is known of it.
    """
    schema = arrow_schema("similar", pa.string(), item_ids.type)
    step = max(1, PAIRS_AT_ONCE // k)
    for start in range(0, len(wanted), step):
        items = wanted[start : start + step]
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


def similarity_model(model: Recommender, name: str, data: Callable[[], Dataset]) -> tuple[str, Recommender]:
    """The model that item similarities come from, and its name: the winner itself, or an item_knn on the same data."""
    try:
        model.similar_items(np.zeros(1, np.int32), 1)
    except NightrecError:
        return "item_knn", ItemKNN().fit(data())
    return name, model


def popular_windows(days: Sequence[int]) -> dict[str, Popularity]:
    """The windows of `popular` by name, each with what ranks its items once it is fitted."""
    return {"all": Popularity()} | {f"{n}d": Popularity(days=n) for n in days}


def popular_table(
    run_date: date,
    windows: Mapping[str, Popularity],
    items: pa.Table,
    features: FeatureSettings,
    allowed: Bools,
    k: int,
) -> pa.Table:
    """The most popular available items of each window, overall (category null) and in each category."""
    names, pair_item, pair_category = categories_of(items, features)
    found = [_ranked(model.scores_, allowed, pair_item, pair_category, len(names), k) for model in windows.values()]
    category, rank, item = (np.concatenate(columns) for columns in zip(*found, strict=True))
    window = np.repeat(np.arange(len(found), dtype=np.int8), [len(rows) for _, rows, _ in found])
    score = np.stack([model.scores_ for model in windows.values()])[window, item]
    item_ids = items["item_id"].combine_chunks()
    return pa.table(
        {
            "run_date": same_date(run_date, len(item)),
            "window": coded(window, list(windows)),
            "category": pa.array(names, pa.string()).take(pa.array(category, mask=category < 0)),
            "rank": rank.astype(np.int16),
            "item_id": item_ids.take(pa.array(item)),
            "score": score,
            "model": coded(np.zeros(len(item), np.int8), ["popularity"]),
        },
        schema=arrow_schema("popular", pa.string(), item_ids.type),
    )


def _ranked(
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
