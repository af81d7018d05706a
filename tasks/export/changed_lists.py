"""The lists that are not as in the export before: what a job needs that pushes updates and nothing else."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.published.schema import ADDED, arrow_schema
from tasks.export.differences import side_by_side, topk_files
from tasks.export.tally import Pair
from tasks.export.writer import Parts, coded, same_date
from tasks.store.events import log_event
from tasks.store.exports import current, manifest_of
from tasks.store.files import Json
from tasks.store.manifests import damage
from tasks.store.paths import Store

COLUMNS = ["user_id", "rank", "item_id"]
MORE = ["run_date", "score", "model", "source", "reason_item_id", *ADDED]
CHANGES = ["new", "changed", "removed"]


def base_of(store: Store, run_date: date) -> Json | None:
    """The export that readers have now, if the new lists can be compared with it: whole, and of no later night."""
    pointer = current(store)
    if pointer is None or pointer["run_date"] > str(run_date):
        return None
    manifest = manifest_of(store, pointer["export_id"])
    if manifest is None:
        log_event("export", "note", f"{pointer['export_id']} has no manifest any more: what changed is not written")
        return None
    lists = [file for file in manifest["files"] if file["path"].startswith("topk/")]
    if damaged := damage(store.export(pointer["export_id"]), lists):
        log_event("export", "note", f"{damaged}: which lists changed since is not written")
        return None
    return manifest


def write_delta(store: Store, base: Json, out: Path, run_date: date) -> bool:
    """Write `topk_delta/` next to `topk/` in `out`; False where the ids are of other types than in `base`.

    Memory is bounded by some two million rows of each export.
    """
    old, new = topk_files(store, base), sorted((out / "topk").glob("*.parquet"))
    if not old or not new or not all(path.exists() for path in old):
        return False
    types = [[pq.read_schema(files[0]).field(name).type for name in COLUMNS] for files in (old, new)]
    if types[0] != types[1]:
        return False
    schema = arrow_schema("topk_delta", types[1][0], types[1][2])
    parts = Parts(out / "topk_delta")
    parts.write(schema.empty_table())  # the table is there where nobody had a list, nor has one
    for before, after in side_by_side(old, new, COLUMNS, MORE):
        pair = Pair(before, after)
        parts.write(
            pa.concat_tables([_kept(pair, after, schema), _removed(pair, run_date, schema)]).sort_by(
                [("user_id", "ascending"), ("rank", "ascending")]
            )
        )
    parts.close()
    return True


def _kept(pair: Pair, after: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows of new and of changed lists."""
    rows = np.flatnonzero(~pair.same[pair.new_user])
    change = (pair.old_size > 0)[pair.new_user[rows]].astype(np.int8)
    return after.take(rows).append_column("change", coded(change, CHANGES)).select(schema.names).cast(schema)


def _removed(pair: Pair, run_date: date, schema: pa.Schema) -> pa.Table:
    """A row for each user that has no list any more."""
    gone = np.flatnonzero((pair.old_size > 0) & (pair.new_size == 0))
    columns = {
        "run_date": same_date(run_date, len(gone)),
        "user_id": pair.user_ids.take(pa.array(gone)),
        "change": coded(np.full(len(gone), 2, np.int8), CHANGES),
    }
    return pa.table([columns.get(field.name, pa.nulls(len(gone), field.type)) for field in schema], schema=schema)
