"""What the columns of the tables say of each item, as counted terms.

A value that many items have, such as a category or a tag, is read once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recmodels.data.arrays import Bools, Csr, Doubles, Ints, Longs
from tasks.features.column_roles import numbers_of, role_of
from tasks.features.runs import may_reach_back, runs_of
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import category, stop_words, tags, words

Split = Callable[[object], list[str]]
"""The terms of a value, in order, as often as they are in it."""


@dataclass(frozen=True)
class Documents:
    """The terms of each item.

    Attributes:
        names: of the terms, sorted.
        counts: how often each item has each term, float32 [n_items, n_terms], its indices sorted.
    """

    names: list[str]
    counts: Csr

    @classmethod
    def of(cls, names: Sequence[str], codes: Ints | Longs, offsets: Longs) -> "Documents":
        """Item `i` has the terms `names[code]` of the codes from `offsets[i]` to `offsets[i + 1]`."""
        order = sorted(range(len(names)), key=names.__getitem__)
        place = np.empty(len(names), np.int64)
        place[order] = np.arange(len(names))
        shape = (len(offsets) - 1, len(names))
        counts: Csr = sp.csr_array((np.ones(len(codes), np.float32), place[codes], offsets), shape=shape)
        counts.sum_duplicates()
        return cls([names[i] for i in order], counts)

    @classmethod
    def of_lists(cls, lists: Sequence[Sequence[str]]) -> "Documents":
        """The terms of each item, one list for each."""
        encoded = pa.array(chain.from_iterable(lists), pa.string()).dictionary_encode()
        offsets = np.concatenate([[0], np.cumsum([len(terms) for terms in lists], dtype=np.int64)])
        return cls.of(encoded.dictionary.to_pylist(), encoded.indices.to_numpy(), offsets)


def item_documents(items: pa.Table, settings: FeatureSettings, known: Bools) -> dict[str, Documents]:
    """The words, tags, category or range of each item, for each describing column."""
    stop = stop_words(settings.stop_words)
    split: dict[str, Split] = {
        "text": partial(words, ngrams=settings.ngrams, stop=stop),
        "tags": tags,
        "category": category,
    }
    documents = {}
    for name in items.column_names:
        role = role_of(items, name, settings)
        if role == "text" and pa.types.is_string(items.schema.field(name).type):
            documents[name] = _of_texts(items[name], split[role])
        elif role in split:
            documents[name] = _of_column(items[name], split[role])
        elif role == "numeric" and settings.bins:
            documents[name] = _of_numbers(numbers_of(items, name), settings.bins, known)
    return documents


def tag_documents(path: Path, item_ids: pa.ChunkedArray, end: int) -> dict[str, Documents]:
    """The tags that users gave to each item before the window's end."""
    if not path.exists():
        return {}
    table = pq.read_table(path)
    if "timestamp" in table.column_names:
        before = pc.less(table["timestamp"].cast(pa.int64()), end)
        table = table.filter(pc.fill_null(before, True))  # of unknown time, as all of a table without times
    found = _of_column(table["tag"], tags)
    item = pc.index_in(table["item_id"], value_set=item_ids.combine_chunks())
    row = np.flatnonzero(pc.is_valid(item).to_numpy())
    of_item = sp.csr_array(
        (np.ones(len(row), np.float32), (item.drop_null().to_numpy(), row)), shape=(len(item_ids), len(table))
    )
    return {"user_tags": Documents(found.names, _sorted(of_item @ found.counts))}


def _of_column(column: pa.ChunkedArray, split: Split) -> Documents:
    """The terms of each value of a column; those of a list are the terms of its elements."""
    values = column.combine_chunks()
    kind = values.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = np.concatenate([[0], np.cumsum(pc.fill_null(pc.list_value_length(values), 0).to_numpy())])
        return _of_elements(values.flatten(), offsets, lambda element: split([element]))
    return _of_elements(values, np.arange(len(values) + 1), split)


def _of_texts(column: pa.ChunkedArray, split: Split) -> Documents:
    """The words of each text, as `words` has them; a run of letters that many texts have is read once."""
    chunks, ends, n = list[pa.Array](), [np.zeros(1, np.int64)], 0
    for chunk in filter(len, column.chunks):  # one array could not hold more than two gigabytes
        runs, offsets = runs_of(pc.fill_null(chunk, ""))
        chunks.append(runs.dictionary_encode())
        ends.append(offsets[1:] + n)
        n += len(runs)
    encoded = pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string())).unify_dictionaries().combine_chunks()
    if may_reach_back(encoded.dictionary):
        return Documents.of_lists([split(text) for text in column.to_pylist()])
    return _of_values(encoded, np.concatenate(ends), split)


def _of_elements(elements: pa.Array, offsets: Longs, split: Split) -> Documents:
    """The terms of items that have some elements each, those that follow one another."""
    if pa.types.is_nested(elements.type):
        elements = pa.array([None if one is None else str(one) for one in elements.to_pylist()], pa.string())
    encoded = elements.dictionary_encode()
    there = pc.is_valid(encoded.indices).to_numpy(zero_copy_only=False)
    return _of_values(encoded, np.concatenate([[0], np.cumsum(there)])[offsets], split)


def _of_values(encoded: pa.DictionaryArray, offsets: Longs, split: Split) -> Documents:
    """The terms of items that have some values each (of those that are none null), each of which is split once."""
    of_value = Documents.of_lists([split(value) for value in encoded.dictionary.to_pylist()])
    value = encoded.indices.drop_null().to_numpy()
    shape = (len(offsets) - 1, len(encoded.dictionary))
    has = sp.csr_array((np.ones(len(value), np.float32), value, offsets), shape=shape)
    return Documents(of_value.names, _sorted(has @ of_value.counts))


def _sorted(counts: Csr) -> Csr:
    counts.sort_indices()
    return counts


def _of_numbers(values: Doubles, bins: int, known: Bools) -> Documents:
    """The range that each number falls into, none where it is missing; the known items are about as many in each."""
    names, place = range_of(values, bins, known)
    given = place >= 0
    return Documents.of(names, place[given], np.concatenate([[0], np.cumsum(given)]))


def range_of(values: Doubles, bins: int, known: Bools) -> tuple[list[str], Ints]:
    """The names of the ranges, and the place of each number's among them, -1 where it is missing."""
    given = np.isfinite(values)
    fitted = values[given & known]
    if len(fitted) == 0:
        return [], np.full(len(values), -1, np.int32)
    starts = np.unique(np.quantile(fitted, np.arange(bins) / bins, method="higher"))
    inner = starts[1:].tolist()
    digits = next(n for n in range(6, 18) if len({f"{start:.{n}g}" for start in inner}) == len(inner))
    bounds = [f"{start:.{digits}g}" for start in inner]
    names = ["any"] if not bounds else [f"below {bounds[0]}", *map(" to ".join, pairwise(bounds)), f"from {bounds[-1]}"]
    return names, np.where(given, np.searchsorted(starts[1:], values, side="right"), -1).astype(np.int32)
