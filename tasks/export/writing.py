"""The tables of an export as files, of the parts that the engine makes of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.compute.memory import trim
from recmodels.data import layout
from recmodels.engine.current import engine
from recmodels.published.schema import MORE_LISTS
from tasks.export.audit import judged
from tasks.export.audit_items import popular_counts
from tasks.export.basis import let_go
from tasks.export.buckets import Made, buckets_of, files_of, write_lists, write_similar
from tasks.export.decisions import Decided
from tasks.export.item_tables import popular_table
from tasks.export.listed import listed_of, write_table
from tasks.export.vectors import USER_VECTORS, write_item_vectors, write_user_vectors
from tasks.export.writer import Parts
from tasks.store.files import Json
from tasks.store.parts import link
from tasks.store.versions import code_of


@dataclass(frozen=True, eq=False)
class Written:
    """An export as it was written.

    Attributes:
        made: the parts that it was made of, which lie where they were made.
        counts: what the audit judges: all that was counted on the files.
    """

    made: Made
    counts: Json


def write_export(decided: Decided, out: Path, folder: Path, made_from: str) -> Written:
    """Write the folders of the tables into `out`: Parquet and nothing else.

    Args:
        decided: what concerns all users.
        out: the export's folder.
        folder: for the parts, which are not made again as long as they are there.
        made_from: a digest of all that the export is made from.
    """
    night, settings = decided.night, decided.settings
    n_items = pq.read_metadata(night.prepared / layout.ITEMS).num_rows
    basis, code = decided.put_together(folder, made_from), code_of(__name__)
    recommenders, run = decided.recommenders(), engine().map
    try:
        scattered = decided.order is not None
        lists = buckets_of(decided.n_users, settings.longest, basis, recommenders, scattered=scattered)
        similar = buckets_of(n_items, settings.similar, basis, recommenders) if settings.similar else []
        users = buckets_of(decided.n_users, 1, basis, recommenders, scattered=scattered) if decided.vectors else []
        made = Made(
            run(write_lists, lists, folder / "lists", code=code, needs=decided.needs),
            run(write_similar, similar, folder / "similar", code=code, needs=decided.needs) if similar else [],
        )
        vectors = run(write_user_vectors, users, folder / "vectors", code=code, needs=decided.needs) if users else []
    finally:
        let_go()
    trim()
    more = {table: counts for table in MORE_LISTS if (counts := made.more(table)) is not None}
    of_users = dict.fromkeys(("topk", *more), made.lists)
    for table, parts in (of_users | {"similar": made.similar, USER_VECTORS: vectors}).items():
        for number, file in enumerate(files_of(parts, table)):
            (out / table).mkdir(exist_ok=True)
            link(file, out / table / f"part-{number:05d}.parquet")
    write_table(out, listed_of(*made.listed, night.run_date))
    items = pq.read_table(night.prepared / layout.ITEMS)
    available: np.ndarray[tuple[int], np.dtype[np.bool_]] = items["available"].to_numpy()
    allowed = available if decided.plan is None else decided.plan.allowed
    best = Parts(out / "popular")
    best.write(popular_table(night.run_date, decided.windows, items, decided.features, allowed, settings.k))
    best.close()
    if decided.vectors is not None:
        write_item_vectors(night, *decided.vectors, items["item_id"].combine_chunks(), available & allowed, out)
    offered = items["item_id"].filter(pa.array(available & allowed)).combine_chunks()
    popular = popular_counts(out, offered)
    for counts in more.values():
        judged(counts)
    return Written(made, made.counts(decided.plan) | popular)
