"""The vectors of items as a transformer takes them: as terms, which are projected and added, or as where ids start."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.vectors import with_vectors
from recmodels.errors import DataRefused
from recmodels.transformer.config import NetworkConfig
from recmodels.warm_start import described_rows

NORM = 0.02  # deviation of the numbers of items' vectors before the first step


def with_projected(config: NetworkConfig, data: Dataset) -> Dataset:
    """The data with vectors as terms, where a network projects them; the terms go where it has none.

    Raises:
        DataRefused: the items have no vectors.
    """
    if config.vectors == "none":
        return data
    if data.item_vectors is None:
        raise DataRefused(
            f"transformer: vectors = '{config.vectors}', and the items have none: give item_vectors, or "
            "features.encoder."
        )
    if config.vectors == "start":
        return data
    if not config.content:
        return replace(data, terms=with_vectors(data.terms, data.item_vectors, 1)[:, data.terms.shape[1] :])
    vectors = sparse.csr_array(np.asarray(data.item_vectors))
    return replace(data, terms=sparse.hstack([data.terms, vectors], format="csr"))


def first_vectors(vectors: Floats, dim: int) -> Floats:
    """Where the ids of items start: their vectors in the space of the first `dim` singular vectors, [n_items, dim].

    Numbers deviate as those that are drawn otherwise do, on average over all items.
    """
    found = np.asarray(vectors, np.float64)
    if found.shape[1] > dim:
        directions = np.linalg.eigh(found.T @ found)[1][:, ::-1][:, :dim]
        found = found @ directions
    wide = np.zeros((len(found), dim))
    wide[:, : found.shape[1]] = found
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    scaled: Floats = (NORM * np.sqrt(dim) * wide / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return scaled


def rows_of(config: NetworkConfig, rows: dict[str, Ints], n_then: int) -> dict[str, Ints]:
    """The rows that a warm start takes, those of vectors as terms among them; `n_then`: rows of the projection."""
    if config.vectors not in ("projected", "frozen") or "vectors" not in rows:
        return rows
    terms = rows["terms"] if config.content else np.empty(0, np.int32)
    return rows | {"terms": described_rows(terms, rows["vectors"], n_then)}
