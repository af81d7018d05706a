"""An index of the published items' vectors: the nearest of them by inner product, without comparing all.

It is a hierarchical navigable small world graph in the format of usearch, which reads it in place, from many languages.
A key is a row of `item_vectors`, from 0, through all of its files in order.

References:
    Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small
    world graphs", IEEE TPAMI 2020.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Floats, Longs
from recmodels.errors import ConfigError
from recmodels.ranking.product_search import top_products
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.store.files import Json

FOLDER, FILE = "item_index", "items.usearch"
NEIGHBORS, CONSIDERED = 16, 128  # of an item in the graph; when it is put there
FIRST_SEARCH, LAST_SEARCH = 64, 4096  # candidates of a search
MEASURED_ON = 2048  # users


def write_index(out: Path, k: int, recall: float, seed: int) -> Json:
    """Write the index of the available items of an export, and measure on some of its users what searches find.

    Args:
        out: the export's folder, with its vectors.
        k: how many items a search is to find.
        recall: the share of the best k that is to be among them.
        seed: of the users on whom it is measured.

    Returns:
        As the manifest says it: `path`, `items`, the `recall` that was measured, the number of candidates
        (`expansion_search`) that a search has to consider for it, and on how many `users`.

    Raises:
        ConfigError: the package is missing.
    """
    vectors, available = _read(out / ITEM_VECTORS, ["vector", "available"])
    keys = np.flatnonzero(available)
    index = _package()(
        ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=NEIGHBORS, expansion_add=CONSIDERED
    )
    index.add(keys, vectors[keys], threads=1)  # by more, another graph each time
    return _saved(index, out, vectors, keys, k, recall, seed)


def without_unavailable(old: Path, out: Path, k: int, recall: float, seed: int) -> Json | None:
    """Write the index of an export once more, without items that are available no longer in `out`.

    Args:
        old: the export's folder.
        out: that of the new export, with its vectors.
        k, recall, seed: as of `write_index`.

    Returns:
        What `write_index` does; None where the export has no index.
    """
    if not (old / FOLDER / FILE).exists():
        return None
    vectors, available = _read(out / ITEM_VECTORS, ["vector", "available"])
    index = _package().restore(str(old / FOLDER / FILE))
    there = index.keys[: len(index)]  # at once: to ask for one takes a look at all before it
    index.remove(there[~available[there.astype(np.int64)]], threads=1)
    return _saved(index, out, vectors, np.flatnonzero(available), k, recall, seed)


def _saved(index: Any, out: Path, vectors: Floats, keys: Longs, k: int, recall: float, seed: int) -> Json:
    """Write an index that has the items `keys`, and measure it: see `write_index`."""
    (out / FOLDER).mkdir()
    index.save(str(out / FOLDER / FILE))
    users, _ = _read(out / USER_VECTORS, ["vector"])
    chosen = np.random.default_rng(seed).permutation(len(users))[:MEASURED_ON]
    asked, length = users[chosen], min(k, len(keys))
    exact = top_products(asked, vectors[keys], length).scores
    search, found = FIRST_SEARCH, 1.0
    while exact.size:
        index.expansion_search = search
        found = _recall(index, asked, vectors, exact)
        if found >= recall or search >= min(LAST_SEARCH, len(keys)):
            break
        search *= 2
    return {
        "path": f"{FOLDER}/{FILE}",
        "items": len(keys),
        "recall": round(found, 4),
        "expansion_search": search,
        "users": len(chosen),
    }


def about_vectors(model: str, index: Json | None) -> Json:
    """What a manifest says of the vectors of a model, and of their index if there is one."""
    return {"model": model, "metric": "inner product"} | ({} if index is None else {"index": index})


def _package() -> Any:
    """Indices of usearch. Raises ConfigError where it is not installed."""
    try:
        from usearch.index import Index
    except ImportError:
        raise ConfigError(
            "export.vector_index needs another package: pip install 'nightrec[vectors]', or leave it out."
        ) from None
    return Index


def _read(folder: Path, columns: Sequence[str]) -> tuple[Floats, Bools]:
    """Vectors [n, f] and which items are available [n], as far as they are among the columns."""
    tables = [pq.read_table(file, columns=list(columns)) for file in sorted(folder.glob("*.parquet"))]
    table = pa.concat_tables(tables).combine_chunks()
    vectors, available = np.empty((len(table), 0), np.float32), np.ones(len(table), np.bool_)
    if "vector" in columns:
        column = table["vector"].chunk(0) if len(table) else pa.array([], table.schema.field("vector").type)
        vectors = column.flatten().to_numpy().reshape(len(table), column.type.list_size)
    if "available" in columns:
        available = table["available"].to_numpy()
    return vectors, available


def _recall(index: Any, users: Floats, vectors: Floats, exact: Floats) -> float:
    """Share of the places of exact lists that a search fills with items of no lower score than the last one there."""
    found = index.search(np.concatenate([users, users[:1]]), exact.shape[1])  # of a single user it gives no matrix
    keys, counts = found.keys[:-1].astype(np.int64), found.counts[:-1].astype(np.int64)
    scores = np.einsum("ukf,uf->uk", vectors[keys], users)
    least = exact[:, -1:] - 1e-5 * np.abs(exact[:, -1:])
    return float(((scores >= least) & (np.arange(exact.shape[1]) < counts[:, None])).mean())
