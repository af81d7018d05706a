"""The terms of items: TF-IDF of words, tags, categories and ranges of numbers, fitted on a window's known items."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from recmodels.data import layout
from recmodels.data.arrays import Csr, empty_matrix
from tasks.features.documents import Documents
from tasks.features.settings import FeatureSettings
from tasks.features.tables import write_numbers


@dataclass(frozen=True)
class Terms:
    """One column's TF-IDF: a row an item, a column a term."""

    column: str
    names: list[str]
    document_frequency: npt.NDArray[np.int32]
    idf: npt.NDArray[np.float32]
    weights: sp.csr_array  # [n_items, n_terms] float32


def fit_terms(
    column: str, documents: Documents, known: npt.NDArray[np.bool_], settings: FeatureSettings
) -> Terms | None:
    """TF-IDF with sub-linear term frequency (1 + ln tf) and smoothed idf (1 + ln((1 + n) / (1 + df))), fitted on the
    known items, times the column's weight; None where no term is left or none counts.
    """
    counts = settings.column_weights.get(column, 1.0)
    if counts == 0:
        return None
    n_known = int(known.sum())
    of_known = documents.counts[np.flatnonzero(known)]
    frequency = np.bincount(of_known.indices, minlength=len(documents.names)).astype(np.int32)
    kept = np.flatnonzero(_kept(frequency, of_known, n_known, settings))
    if not len(kept):
        return None
    idf = np.log(np.float32(1 + n_known) / (frequency[kept] + 1).astype(np.float32)) + np.float32(1)
    weights = documents.counts[:, kept]
    weights.data = (np.log(weights.data) + np.float32(1)) * idf[weights.indices] * np.float32(counts)
    return Terms(column, [documents.names[i] for i in kept], frequency[kept], idf, weights)


def _kept(
    frequency: npt.NDArray[np.int32], of_known: Csr, n_known: int, settings: FeatureSettings
) -> npt.NDArray[np.bool_]:
    """Which terms are neither too rare nor too common among the known items, the most frequent ones at most."""
    kept = frequency >= settings.min_items_per_term
    most = n_known * settings.max_items_share
    if most >= settings.min_items_per_term:
        kept &= frequency <= most
    if kept.sum() > settings.max_terms:
        uses = np.bincount(of_known.indices, of_known.data, minlength=len(frequency))
        candidates = np.flatnonzero(kept)
        kept[candidates[np.argsort(-uses[candidates], kind="stable")[settings.max_terms :]]] = False
    return kept


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
    weights = ["weight"] if of_users else []  # of users most are 1
    write_numbers(terms, out / (layout.USER_TERMS if of_users else layout.TERMS), weights)
    vocabulary = {
        "term_index": pa.array(np.arange(unit.shape[1], dtype=np.int32)),
        "term": pa.array([name for term in columns for name in term.names], pa.string()),
        "column": pa.array([term.column for term in columns for _ in term.names], pa.string()),
        "document_frequency": pa.array([df for term in columns for df in term.document_frequency], pa.int32()),
        "idf": pa.array([idf for term in columns for idf in term.idf], pa.float32()),
    }
    pq.write_table(pa.table(vocabulary), out / (layout.USER_VOCABULARY if of_users else layout.VOCABULARY))
