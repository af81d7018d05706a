"""How much of the lists of tonight's candidates is new to those who read the last export."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recmodels.candidate_lists import read_lists
from recmodels.data import layout
from recmodels.data.arrays import Ints
from recmodels.metrics.ranking import matched
from tasks.store.events import log_event
from tasks.store.exports import manifest_of
from tasks.store.manifests import damage
from tasks.store.paths import Night


def churn(night: Night, export_id: str, models: list[str], k: int) -> dict[str, float]:
    """For each model, the share of the first k places of the measured users that the export's first k did not have.

    Where the export's lists are shorter, as many places as these have. Users without a list in that export are left
    out; empty where there is none, the export is gone or damaged, or the site has changed the type of its ids since.
    """
    folder = night.store.export(export_id) / "topk"
    manifest = manifest_of(night.store, export_id)
    lists = [file for file in manifest["files"] if file["path"].startswith("topk/")] if manifest else []
    if not lists or not folder.is_dir():
        return {}
    if damaged := damage(folder.parent, lists):
        log_event("compare", "note", f"{damaged}: how much of the lists is new is not measured")
        return {}
    holdout = pq.read_table(night.prepared / layout.HOLDOUT, columns=["user_index"])
    users = np.unique(holdout["user_index"].to_numpy())
    n_items = pq.read_metadata(night.prepared / layout.ITEMS).num_rows
    if not _of_the_same_ids(folder, night.prepared):
        return {}
    k = min(k, (manifest or {}).get("k", k))
    before = _exported(folder, night.prepared, users, n_items, k)
    listed = np.diff(before.indptr) > 0
    shares = {}
    for model in models:
        items = read_lists(night.toplists(model), users, k)
        hits, _, _ = matched(items, before)
        places = (items[listed] >= 0).sum()
        if places:
            shares[model] = float(1 - hits[listed].sum() / places)
    return shares


def _of_the_same_ids(folder: Path, prepared: Path) -> bool:
    """Whether the ids of an export's lists are of the types that they are of tonight."""
    exported = pq.read_schema(next(folder.glob("*.parquet")))
    tonight = {"user_id": layout.USERS, "item_id": layout.ITEMS}
    return all(
        pq.read_schema(prepared / file).field(name).type == exported.field(name).type for name, file in tonight.items()
    )


def _exported(folder: Path, prepared: Path, users: Ints, n_items: int, k: int) -> "sp.csr_array":
    """The export's lists of the measured users, under tonight's indices: [n_users, n_items]."""
    user_ids = pq.read_table(prepared / layout.USERS, columns=["user_id"])["user_id"].combine_chunks()
    item_ids = pq.read_table(prepared / layout.ITEMS, columns=["item_id"])["item_id"].combine_chunks()
    measured = user_ids.take(pa.array(users))
    wanted = (pc.field("rank") <= k) & pc.field("user_id").isin(measured)  # of an export of many users, these alone
    lists = pq.read_table(folder, columns=["user_id", "item_id"], filters=wanted)
    row = pc.index_in(lists["user_id"], value_set=measured)
    item = pc.index_in(lists["item_id"], value_set=item_ids)
    both = pc.and_(pc.is_valid(row), pc.is_valid(item))
    rows, items = row.filter(both).to_numpy(), item.filter(both).to_numpy()
    return sp.csr_array((np.ones(len(rows), np.bool_), (rows, items)), shape=(len(users), n_items))
