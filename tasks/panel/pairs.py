"""Pairs of users whose lists are compared night after night: random ones, and ones who have chosen similar things.

A user is in one pair of each kind. A pair stays as long as both are followed; those who are left get another one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Csr, Ints
from recmodels.experiments.assignment import positions
from recmodels.metrics.beyond_accuracy import Figures
from tasks.panel.sample import SALT

NEIGHBORS = 10  # of whom a user is paired with the nearest who is free


def earlier_pairs(path: Path, user_ids: pa.Array, *, nearest: bool) -> Ints:
    """The pairs of an earlier night of whom both are among the users, as their places: [n, 2]."""
    table = pq.read_table(path, filters=pc.field("nearest") == nearest)
    places = [_places(table[name], user_ids) for name in ("user_id", "other_id")]
    both = np.stack(places, axis=1).astype(np.int32)
    return both[(both >= 0).all(axis=1)]


def random_pairs(user_ids: pa.Array, before: Ints) -> Ints:
    """The pairs there were, and random ones of those who are left: [n, 2]."""
    free = _free(len(user_ids), before)
    order = free[np.argsort(positions(user_ids.take(pa.array(free)).to_pylist(), f"{SALT}: pairs"))]
    return np.concatenate([before, order[: len(order) // 2 * 2].reshape(-1, 2)]).astype(np.int32)


def nearest_pairs(chosen: Csr, before: Ints) -> Ints:
    """The pairs there were, and of those who are left the most similar, by the cosine of what they chose: [n, 2].

    `chosen` is [n_users, n_items]. Who has chosen nothing that another one has, too, is in no pair.
    """
    free = _free(chosen.shape[0], before)
    found: list[tuple[int, int]] = []
    if len(free) > 1:
        rows = chosen[free]
        length = np.diff(rows.indptr)
        rows.data = np.repeat(1 / np.sqrt(np.maximum(length, 1)), length).astype(np.float32)
        similar = -(rows @ rows.T).toarray()
        np.fill_diagonal(similar, 0)
        few = min(NEIGHBORS, len(free) - 1)
        near = np.argpartition(similar, few - 1, axis=1)[:, :few]
        one, other = np.repeat(np.arange(len(free)), few), near.ravel()
        how = -similar[one, other]
        order = np.lexsort((other, one, -how))
        taken = np.zeros(len(free), np.bool_)
        for a, b in zip(one[order[how[order] > 0]].tolist(), other[order[how[order] > 0]].tolist(), strict=True):
            if not taken[a] and not taken[b]:
                taken[[a, b]] = True
                found.append((int(free[a]), int(free[b])))
    return np.concatenate([before, np.array(found, np.int32).reshape(-1, 2)]).astype(np.int32)


def pairs_table(user_ids: pa.Array, pairs: Ints, overlap: Figures, *, nearest: bool) -> pa.Table:
    """Pairs as they are kept."""
    return pa.table(
        {
            "user_id": user_ids.take(pa.array(pairs[:, 0])),
            "other_id": user_ids.take(pa.array(pairs[:, 1])),
            "nearest": pa.repeat(pa.scalar(nearest), len(pairs)),
            "overlap": pa.array(overlap.astype(np.float32), from_pandas=True),
        }
    )


def _places(ids: pa.ChunkedArray, user_ids: pa.Array) -> Ints:
    try:
        where = pc.index_in(ids.cast(user_ids.type), value_set=user_ids)
    except pa.ArrowInvalid:  # the site has changed its ids since
        return np.full(len(ids), -1, np.int32)
    places: Ints = pc.fill_null(where, -1).to_numpy()
    return places


def _free(n: int, pairs: Ints) -> Ints:
    """Who is in no pair."""
    return np.setdiff1d(np.arange(n), pairs.ravel()).astype(np.int32)
