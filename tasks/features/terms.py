"""The terms of items: TF-IDF of words, tags, categories and ranges of numbers, fitted on a window's known items."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recmodels.compute.deferred import deferred
from recmodels.data import layout
from recmodels.data.arrays import Csr, empty_matrix
from tasks.features.column_roles import role_of
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import category, stop_words, tags, words

Documents = list[list[str]]  # the terms of each item


@dataclass(frozen=True)
class Terms:
    """One column's TF-IDF: a row an item, a column a term."""

    column: str
    names: list[str]
    document_frequency: npt.NDArray[np.int32]
    idf: npt.NDArray[np.float32]
    weights: sp.csr_array  # [n_items, n_terms] float32


def item_documents(items: pa.Table, settings: FeatureSettings, known: npt.NDArray[np.bool_]) -> dict[str, Documents]:
    """The words, tags, category or range of each item, for each describing column."""
    split: dict[str, Callable[[object], list[str]]] = {
        "text": partial(words, ngrams=settings.ngrams, stop=stop_words(settings.stop_words)),
        "tags": tags,
        "category": category,
    }
    documents = {}
    for name in items.column_names:
        role = role_of(items, name, settings)
        if role in split:
            documents[name] = [split[role](value) for value in items[name].to_pylist()]
        elif role == "numeric" and settings.bins:
            documents[name] = _ranges(pc.cast(items[name], pa.float64()).to_numpy(), settings.bins, known)
    return documents


def _ranges(values: npt.NDArray[np.float64], bins: int, known: npt.NDArray[np.bool_]) -> Documents:
    """The range that each number falls into, none where it is missing; the known items are about as many in each."""
    names, place = range_of(values, bins, known)
    return [[names[i]] if i >= 0 else [] for i in place.tolist()]


def range_of(
    values: npt.NDArray[np.float64], bins: int, known: npt.NDArray[np.bool_]
) -> tuple[list[str], npt.NDArray[np.int32]]:
    """The names of the ranges, and the place of each number's among them, -1 where it is missing."""
    given = np.isfinite(values)
    fitted = values[given & known]
    if len(fitted) == 0:
        return [], np.full(len(values), -1, np.int32)
    starts = np.unique(np.quantile(fitted, np.arange(bins) / bins, method="higher"))
    bounds = [f"{start:g}" for start in starts[1:]]
    names = ["any"] if not bounds else [f"below {bounds[0]}", *map(" to ".join, pairwise(bounds)), f"from {bounds[-1]}"]
    return names, np.where(given, np.searchsorted(starts[1:], values, side="right"), -1).astype(np.int32)


def tag_documents(path: Path, item_ids: pa.ChunkedArray, end: int) -> dict[str, Documents]:
    """The tags that users gave to each item before the window's end."""
    if not path.exists():
        return {}
    table = pq.read_table(path)
    if "timestamp" in table.column_names:
        table = table.filter(pc.less(table["timestamp"].cast(pa.int64()), end))
    rows = pc.index_in(table["item_id"], value_set=item_ids.combine_chunks())
    documents: Documents = [[] for _ in range(len(item_ids))]
    for row, tag in zip(rows.to_pylist(), table["tag"].to_pylist(), strict=True):
        if row is not None:
            documents[row] += tags(tag)
    return {"user_tags": documents}


def fit_terms(
    column: str, documents: Documents, known: npt.NDArray[np.bool_], settings: FeatureSettings
) -> Terms | None:
    """TF-IDF with sub-linear term frequency (1 + ln tf), fitted on the known items, times the column's weight; None
    where no term is left or none counts.
    """
    with deferred("scipy.stats"):
        from sklearn.feature_extraction.text import TfidfVectorizer

    counts = settings.column_weights.get(column, 1.0)
    if counts == 0:
        return None
    enough = known.sum() * settings.max_items_share >= settings.min_items_per_term
    vectorizer = TfidfVectorizer(
        analyzer=list,  # the documents are lists of terms already
        sublinear_tf=True,
        norm=None,
        min_df=settings.min_items_per_term,
        max_df=settings.max_items_share if enough else 1.0,
        max_features=settings.max_terms,
        dtype=np.float32,
    )
    try:
        vectorizer.fit([documents[row] for row in np.flatnonzero(known)])
    except ValueError:  # "no terms remain" and "empty vocabulary": the column says nothing
        return None
    n_known = int(known.sum())
    idf = vectorizer.idf_.astype(np.float32)
    frequency = np.rint((1 + n_known) / np.exp(vectorizer.idf_ - 1) - 1).astype(np.int32)  # idf = ln((1+n)/(1+df)) + 1
    names = [str(name) for name in vectorizer.get_feature_names_out()]
    return Terms(column, names, frequency, idf, sp.csr_array(vectorizer.transform(documents)) * np.float32(counts))


def unit_rows(columns: list[Terms], n_items: int) -> Csr:
    """The terms of all columns side by side, each item's scaled to length one: float32 [n_items, n_terms]."""
    weights: Csr = sp.hstack([term.weights for term in columns], format="csr") if columns else empty_matrix(n_items, 0)
    length = np.sqrt(np.asarray(weights.power(2).sum(axis=1)).ravel())
    weights.sort_indices()
    weights.data = (weights.data / np.repeat(length, np.diff(weights.indptr))).astype(np.float32)
    return weights


def write_terms(out: Path, columns: list[Terms], n: int, index: str = "item_index") -> None:
    """`terms.parquet`: rows of unit length over all columns; `vocabulary.parquet`: what each term is.

    `user_terms.parquet` and `user_vocabulary.parquet` where the `index` is that of users.
    """
    of_users = index == "user_index"
    unit = unit_rows(columns, n)
    row = np.repeat(np.arange(n, dtype=np.int32), np.diff(unit.indptr))
    terms = pa.table({index: row, "term_index": unit.indices.astype(np.int32), "weight": unit.data})
    pq.write_table(terms, out / (layout.USER_TERMS if of_users else layout.TERMS))
    vocabulary = {
        "term_index": pa.array(np.arange(unit.shape[1], dtype=np.int32)),
        "term": pa.array([name for term in columns for name in term.names], pa.string()),
        "column": pa.array([term.column for term in columns for _ in term.names], pa.string()),
        "document_frequency": pa.array([df for term in columns for df in term.document_frequency], pa.int32()),
        "idf": pa.array([idf for term in columns for idf in term.idf], pa.float32()),
    }
    pq.write_table(pa.table(vocabulary), out / (layout.USER_VOCABULARY if of_users else layout.VOCABULARY))
