"""What each model proposed for the place of each user that could be drawn, kept for weeks: it is judged by what came.

A row a user and a model that proposed something: by user, then model. The columns are `COLUMNS`; the metadata of the
file say which export it belongs to, and with which `epsilon` it was drawn.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.exploration.slot import Explored
from tasks.store.feedback import EPSILON, EXPORT_ID, PROPOSALS, learned
from tasks.store.paths import Store

ROWS_A_GROUP = 1_000_000


class ProposalFile:
    """Streams the proposals of a night's export into a file; `models` are those that propose, by number."""

    def __init__(
        self, path: Path, user_ids: pa.Array, item_ids: pa.Array, models: list[str], export_id: str, epsilon: float
    ) -> None:
        self.path, self.user_ids, self.item_ids, self.models = path, user_ids, item_ids, models
        self.schema = pa.schema(
            [
                ("user_id", user_ids.type),
                ("model", pa.dictionary(pa.int16(), pa.string())),
                ("item_id", item_ids.type),
                ("usual", item_ids.type),  # what the place had
                ("slot", pa.int16()),  # the place, from 1
                ("share", pa.float32()),  # how probable the model's proposal is where one is drawn
            ],
            metadata={EXPORT_ID: export_id, EPSILON: repr(epsilon)},
        )

    def __enter__(self) -> Self:
        self.file = pq.ParquetWriter(self.path, self.schema, compression="zstd")
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, users: Ints, proposals: Ints, usual: Ints, explored: Explored) -> None:
        """Add the proposals [n, n_models] of some users [n] for the place that is drawn, and what it had, `usual`."""
        row, column = np.nonzero(explored.shares > 0)
        if not len(row):
            return
        table = pa.table(
            {
                "user_id": self.user_ids.take(pa.array(users[row])),
                "model": pa.DictionaryArray.from_arrays(pa.array(column, pa.int16()), self.models),
                "item_id": self.item_ids.take(pa.array(proposals[row, column])),
                "usual": self.item_ids.take(pa.array(usual[row])),
                "slot": (explored.slot[row] + 1).astype(np.int16),
                "share": explored.shares[row, column].astype(np.float32),
            },
            schema=self.schema,
        )
        self.file.write_table(table, row_group_size=ROWS_A_GROUP)


def keep(parts: Sequence[Path], store: Store, run_date: date) -> None:
    """Make one file of some, and put it in the place of the night's earlier one."""
    schema = pq.read_schema(parts[0])
    with learned(store, run_date, PROPOSALS) as path, pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(pq.read_table(part).cast(schema), row_group_size=ROWS_A_GROUP)


def about(path: Path) -> dict[str, Any]:
    """The export that a night's proposals belong to, and the epsilon with which they were drawn."""
    metadata = pq.read_schema(path).metadata or {}
    return {"export_id": metadata[EXPORT_ID].decode(), "epsilon": float(metadata[EPSILON])}
