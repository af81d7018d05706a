"""The published vectors: those of users and items by whose products a model scores, for search and retrieval elsewhere.

They are of the model as it was fitted for the export, with its biases folded in: the score of an item for a user is the
inner product of their vectors, and nothing else.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.engine.work import Work
from recmodels.persistence import load
from recmodels.published.schema import arrow_schema
from recmodels.scoring.dot_product import DotProduct
from tasks.export.basis import basis_of
from tasks.export.settings import CHAMPION
from tasks.export.writer import Parts, coded, open_part, same_date
from tasks.store.events import log_event
from tasks.store.manifests import finished
from tasks.store.parts import link
from tasks.store.paths import Night

ITEM_VECTORS, USER_VECTORS = "item_vectors", "user_vectors"
ROWS_A_GROUP = 2**14  # a user is found without reading many others: some megabytes


def chosen(night: Night, wanted: str | None, winner: str) -> tuple[str, Path] | None:
    """The name and the folder of the model whose vectors are published; None, and a note, where there are none.

    Args:
        night: up to its refitted winner, and the models that were fitted beside it.
        wanted: `export.vectors`.
        winner: the name of the model that won.
    """
    if wanted is None:
        return None
    name, folder = (winner, night.champion) if wanted in (CHAMPION, winner) else (wanted, night.arm_model(wanted))
    if folder != night.champion and finished(folder) is None:
        why = f"{name} could not be fitted"
    elif isinstance(load(folder, mapped=True), DotProduct):
        return name, folder
    else:
        why = f"{name} does not score by vectors; name a model that does in export.vectors, such as als"
    log_event("export", "note", f"no vectors are published tonight: {why}")
    return None


def write_user_vectors(work: Work) -> None:
    """Write the vectors of some users, in the order of the export; users of whom the model knows nothing have none."""
    basis = basis_of(work)
    name, model = basis.vectors
    users = np.asarray(basis.order[work.arguments["first"] : work.arguments["end"]])
    data = basis.everybody or basis.data(users)
    users = users[model.knows(data, users)]
    parts = Parts(work.out / USER_VECTORS, ROWS_A_GROUP)
    ids = basis.user_ids.take(pa.array(users))
    parts.write(_table(USER_VECTORS, ids, model.user_vectors(data, users), name, basis.night))
    parts.close()


def write_item_vectors(night: Night, name: str, folder: Path, item_ids: pa.Array, allowed: Bools, out: Path) -> None:
    """Write the vectors of the items, in the order of their ids; items of which the model knows nothing have none."""
    model = load(folder, mapped=True)
    assert isinstance(model, DotProduct)  # `chosen` gives no other
    known: Ints = np.flatnonzero(model.item_vectors.any(axis=1)).astype(np.int32)
    parts = Parts(out / ITEM_VECTORS, ROWS_A_GROUP)
    ids = item_ids.take(pa.array(known))
    offered = pa.array(allowed[known])
    parts.write(_table(ITEM_VECTORS, ids, model.item_vectors[known], name, night, {"available": offered}))
    parts.close()


def without_items(old: Path, gone: pa.Array, out: Path) -> None:
    """Write the vectors of an export once more, with items that may be listed no longer."""
    for file in sorted((old / USER_VECTORS).glob("*.parquet")):
        target = out / USER_VECTORS / file.name
        target.parent.mkdir(exist_ok=True)
        link(file, target)
    for file in sorted((old / ITEM_VECTORS).glob("*.parquet")):
        table = pq.read_table(file)
        listed = pc.and_(table["available"], pc.invert(pc.is_in(table["item_id"], value_set=gone)))
        (out / ITEM_VECTORS).mkdir(exist_ok=True)
        with open_part(out / ITEM_VECTORS / file.name, table.schema) as written:
            column = table.column_names.index("available")
            new = table.set_column(column, table.schema.field(column), listed)
            written.write_table(new, row_group_size=ROWS_A_GROUP)


def _table(
    table: str, ids: pa.Array, vectors: Floats, model: str, night: Night, more: dict[str, pa.Array] | None = None
) -> pa.Table:
    length = vectors.shape[1]
    values = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
    of = "item_id" if table == ITEM_VECTORS else "user_id"
    return pa.table(
        {
            "run_date": same_date(night.run_date, len(ids)),
            of: ids,
            "vector": pa.FixedSizeListArray.from_arrays(values, length),
            "model": coded(np.zeros(len(ids), np.int8), [model]),
            **(more or {}),
        },
        schema=arrow_schema(table, ids.type, ids.type, length),
    )
