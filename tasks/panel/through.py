"""How much of what users chose came through lists: it was shown to them, or stood in the list that they then had."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.parquet import read_columns
from recmodels.published.pseudonyms import hashed_ids
from tasks.exposures.published import Lists, lists_of
from tasks.panel.exposed import ROWS_AT_ONCE
from tasks.panel.known import Known
from tasks.store.paths import Store
from tasks.store.publications import Publication

DAY = 86_400_000_000  # µs


def share_shown(known: Known, exposures: Path, since: int, until: int) -> float | None:
    """Of what was chosen between two instants (µs), the share that was shown to the user that day or the day before."""
    choices = known.choices
    chosen = (choices.began >= since) & (choices.began < until)
    if not chosen.any():
        return None
    table = read_columns(exposures, ["user_index", "item_index", "timestamp"])
    theirs = np.zeros(len(known.user_ids), np.bool_)
    theirs[choices.user[chosen]] = True
    recent = (table["timestamp"] >= since - DAY) & theirs[table["user_index"]]
    shown, at = _keys(table["user_index"][recent], table["item_index"][recent], known), table["timestamp"][recent]
    order = np.lexsort((at, shown))
    pairs, first = np.unique(shown[order], return_index=True)
    wanted = _keys(choices.user[chosen], choices.item[chosen], known)
    place = np.minimum(np.searchsorted(pairs, wanted), max(len(pairs) - 1, 0))
    if not len(pairs):
        return 0.0
    earlier = at[order][first][place] <= choices.began[chosen]
    return float(((pairs[place] == wanted) & earlier).mean())


def share_listed(
    known: Known, store: Store, published: Sequence[Publication], since: int, until: int, places: int
) -> float | None:
    """Of what was chosen between two instants (µs), the share that stood in the list which the user then had.

    What was chosen under an export that is gone or damaged is left out; None where nothing is left.
    """
    starts = [int(one.since.timestamp()) * 1_000_000 for one in published]
    choices = known.choices
    chosen = np.flatnonzero((choices.began >= since) & (choices.began < until))
    at = choices.began[chosen]
    all_of_them, listed = 0, 0
    for one, (begin, end) in zip(published, pairwise([*starts, until]), strict=True):
        under = chosen[(at >= begin) & (at < end)] if end > since else chosen[:0]
        if not len(under) or (lists := lists_of(store, one.export_id)) is None:
            continue
        found = _listed(known, lists, choices.user[under], choices.item[under], places)
        if found is not None:
            all_of_them += len(found)
            listed += int(found.sum())
    return listed / all_of_them if all_of_them else None


def _listed(known: Known, lists: Lists, users: Ints, items: Ints, places: int) -> Bools | None:
    """Which of some choices stand in the lists of their users; None where these cannot be read."""
    who = np.unique(users)
    ids = known.user_ids.take(pa.array(who))
    ids = hashed_ids(ids, lists.key) if lists.key else ids
    keys: list[Longs] = []
    try:
        for path in lists.parts:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS_AT_ONCE, columns=["user_id", "rank", "item_id"]):
                    user = _index(batch["user_id"], ids)
                    mine = (user >= 0) & (batch["rank"].to_numpy() <= places)
                    item = _index(batch["item_id"].filter(pa.array(mine)), known.item_ids)
                    keys.append(_keys(who[user[mine]][item >= 0], item[item >= 0], known))
    except (OSError, pa.ArrowException):
        return None
    return np.isin(_keys(users, items, known), np.concatenate(keys) if keys else np.zeros(0, np.int64))


def _index(ids: pa.Array, among: pa.Array) -> Ints:
    """The place of each id among others, -1 where it is none of them."""
    where: Ints = pc.fill_null(pc.index_in(ids.cast(among.type), value_set=among), -1).to_numpy()
    return where


def _keys(users: Ints, items: Ints, known: Known) -> Longs:
    """A number for each pair of a user and an item."""
    return users.astype(np.int64) * known.n_items + items
