"""Items that have gone since a night: who they are, and what is kept of them beside the night's working files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools
from recmodels.errors import DataRefused, NightrecError
from recmodels.ranking.rerank import Rules
from tasks.store.files import Json, replaced
from tasks.store.paths import Night


def gone_since(item_ids: pa.Array, of_catalogue: pa.Array, now: pa.Table, *, complete: bool) -> Bools:
    """Which items of a night can no longer be had: bool [n_items].

    An item is gone if `now` says that it is not there, or, where that is `complete`, does not have it at all although
    the night's catalogue did.

    Args:
        item_ids: the night's items, in the order of its features.
        of_catalogue: the ids of its items table; items that are known from interactions alone are not in it.
        now: `item_id` and `there`, as `items_now` gives it.
        complete: `now` is the whole catalogue, not only what has changed.
    """
    ids = now["item_id"].combine_chunks()
    if ids.type != item_ids.type:  # some are whole numbers, and some are not
        item_ids, of_catalogue, ids = (each.cast(pa.string()) for each in (item_ids, of_catalogue, ids))
    absent = ids.filter(pc.invert(now["there"]).combine_chunks())
    gone: Bools = pc.is_in(item_ids, value_set=absent).to_numpy(zero_copy_only=False)
    if complete:
        missing = pc.and_(pc.is_in(item_ids, value_set=of_catalogue), pc.invert(pc.is_in(item_ids, value_set=ids)))
        gone = gone | missing.to_numpy(zero_copy_only=False)
    return gone


def refuse_too_many(gone: Bools, allowed: Bools, at_most: float, name: str) -> None:
    """Raise DataRefused where so many of the items that may be listed are gone that the table is hardly whole."""
    n_gone, n_allowed = int((gone & allowed).sum()), int(allowed.sum())
    if n_gone > at_most * n_allowed:
        raise DataRefused(
            f"{name}: {n_gone:,} of {n_allowed:,} items that may be listed would be gone, more than "
            f"refilter.max_gone_share = {at_most:g}; give the whole catalogue, or --changes if the table has only "
            "what has changed, or raise that share."
        )


def keep(night: Night, export_id: str, item_ids: pa.Array) -> None:
    """Write down which items an export was published without; what is kept for exports that are gone goes."""
    path = _path(night, export_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in path.parent.glob("*.parquet"):
        if not night.store.export(other.stem).is_dir():
            other.unlink()
    with replaced(path) as temporary:
        pq.write_table(pa.table({"item_id": item_ids}), temporary)


def still_there(night: Night, manifest: Json, item_ids: pa.Array) -> Bools:
    """Which items an export was published with, as far as `refilter` goes: bool [n_items], all True for a night's own.

    Raises:
        NightrecError: it is not kept any more which they were.
    """
    if "refilter" not in manifest:
        return np.ones(len(item_ids), np.bool_)
    path = _path(night, str(manifest["export_id"]))
    try:
        without = pq.read_table(path)["item_id"].combine_chunks()
    except (OSError, pa.ArrowException):
        raise NightrecError(
            f"{path} is gone or damaged, so it is not known which items the export {manifest['export_id']} is without."
        ) from None
    there: Bools = pc.invert(pc.is_in(item_ids, value_set=without.cast(item_ids.type))).to_numpy(zero_copy_only=False)
    return there


def rules_without_gone(night: Night, manifest: Json, rules: Rules | None) -> Rules | None:
    """The rules of a night's lists as an export has them: without what was gone, if it is a refiltered one.

    Raises:
        NightrecError: as of `still_there`.
    """
    if "refilter" not in manifest:
        return rules
    items = pq.read_table(night.prepared / layout.ITEMS, columns=["item_id", "available"])
    allowed = items["available"].to_numpy() if rules is None else rules.allowed
    allowed = allowed & still_there(night, manifest, items["item_id"].combine_chunks())
    return Rules(allowed=allowed) if rules is None else replace(rules, allowed=allowed)


def _path(night: Night, export_id: str) -> Path:
    return night.refilter / f"{export_id}.parquet"
