"""The features folder, which the pipeline writes and `Dataset.load` reads: file names, metadata, and sparse terms.

`prepared/` holds the index of users and items, the interactions of both splits and the holdout; `train/` and `full/`
hold what was fitted on that split alone.
"""

import os
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from recmodels.data.arrays import READING_HEADER, Csr, Floats, Ints
from recmodels.data.parquet import arrow_table, read_columns, read_rows
from recmodels.errors import NightrecError

Split: TypeAlias = Literal["train", "full"]
"""`train`: the interactions before the holdout, less those of users held out; `full`: all before the cutoff."""

PREPARED = "prepared"
BASE = "base"  # within it: the prepared tables of an earlier night that this one continues (`recmodels.data.pairs`)
USERS = "users.parquet"
ITEMS = "items.parquet"
HOLDOUT = "holdout.parquet"
UNSEEN = "unseen.parquet"  # users held out of training altogether, where there are any
TERMS = "terms.parquet"
VOCABULARY = "vocabulary.parquet"
USER_TERMS = "user_terms.parquet"
USER_VOCABULARY = "user_vocabulary.parquet"
ITEM_FEATURES = "item_features.parquet"
USER_FEATURES = "user_features.parquet"
EVENTS = "events.parquet"  # single events of the pairs that are trained on, where they are asked for
CONTEXTS = "contexts.parquet"  # in which context each pair had its last event, where a column of the site says so
RESTING = "resting.parquet"  # beside them: what users have had and is not due yet
SEQUENCES = "sequences.parquet"
ITEM_VECTORS = "item_vectors.npy"  # where there are any
EXPOSURES = "exposures.parquet"  # within `exposures/`, where there are any

OF_VECTORS = "(embedder)"
"""Column of a vocabulary: the term is a number of the vectors that users have, and no word."""

FIRST = "first"
"""Column of the interactions: when a pair began, `timestamp` being its last time; only where some were repeated."""

SPLIT_END = b"window_end"
"""Schema metadata of the interactions: the split's end, microseconds since 1970 (UTC), as decimal text."""


DUE_AFTER = b"due_after"
"""Schema metadata of what is not due: the share of an interval that must have passed, as decimal text."""


def interactions_file(split: Split) -> str:
    """The interactions of a split, within `prepared/`; `recmodels.data.pairs` reads them, wherever they are."""
    return f"{split}/interactions.parquet"


def existing(path: Path) -> Path:
    """The path itself. Raises NightrecError where there is no such file."""
    if not path.exists():
        raise NightrecError(f"{path} does not exist; prepare the features first.")
    return path


def split_end(interactions: Path) -> int:
    """The end of the split that a file of interactions covers, microseconds since 1970 (UTC)."""
    metadata = pq.read_schema(interactions).metadata or {}
    if SPLIT_END not in metadata:
        raise NightrecError(f"{interactions}: the metadata name no {SPLIT_END.decode()}; prepare the features again.")
    return int(metadata[SPLIT_END])


def no_terms(n: int) -> Csr:
    """The terms of n items (or users) of whom nothing is known: float32 [n, 0]."""
    return sparse.csr_array(np.empty((n, 0), np.float32))


def read_terms(path: Path, n: int, index: str = "item_index") -> Csr:
    """The terms of n items (or users), float32 [n, n_terms]; no terms where there is no such file."""
    if not path.exists():  # a site without an item table
        return no_terms(n)
    table = read_columns(path, [index, "term_index", "weight"])
    rows, terms = table[index], table["term_index"]
    shape = (n, int(terms.max(initial=-1)) + 1)
    weights: Floats = table["weight"]
    matrix: Csr = sparse.coo_array((weights, (rows, terms)), shape=shape).tocsr()
    return matrix


def read_resting(path: Path, n_users: int, n_items: int, users: Ints | None = None) -> Csr | None:
    """What users have had and is not due yet: float32 ones [n_users, n_items]; None where there is no such file.

    `users`: whose rows alone are read, ascending.
    """
    if not path.exists():
        return None
    names = ["user_index", "item_index"]
    table = read_columns(path, names) if users is None else read_rows(path, names, "user_index", users)
    ones = np.ones(len(table["user_index"]), np.float32)
    resting: Csr = sparse.csr_array((ones, (table["user_index"], table["item_index"])), shape=(n_users, n_items))
    resting.sort_indices()
    return resting


def write_resting(path: Path, resting: Csr, due_after: float) -> None:
    """Write what is not due yet after a share of its interval; a file that is there is replaced."""
    user, item = (column.astype(np.int32) for column in resting.tocoo().coords)
    table = arrow_table({"user_index": user, "item_index": item})
    made = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    pq.write_table(table.replace_schema_metadata({DUE_AFTER: str(due_after)}), made)
    made.replace(path)


def due_after(path: Path) -> float:
    """The share of an interval after which what is not in such a file is due."""
    return float((pq.read_schema(existing(path)).metadata or {})[DUE_AFTER])


def read_vectors(path: Path, n_items: int) -> Floats | None:
    """The vectors of n items, on the disk: float32 [n_items, d], of length one or zeros; None where there are none.

    Raises:
        NightrecError: they are those of another catalogue.
    """
    if not path.exists():
        return None
    with READING_HEADER:
        vectors: Floats = np.load(path, mmap_mode="r" if n_items else None, allow_pickle=False)
    if len(vectors) != n_items:
        raise NightrecError(f"{path} has vectors of {len(vectors)} items of {n_items}; prepare the features again.")
    return vectors


def vectors_of(features: Path, split: Split) -> Floats | None:
    """Those of the items of a split of the features folder, as `read_vectors` has them."""
    path = features / split / ITEM_VECTORS
    return read_vectors(path, pq.read_metadata(features / PREPARED / ITEMS).num_rows) if path.exists() else None
