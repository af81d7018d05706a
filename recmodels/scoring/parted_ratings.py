"""The baseline of ratings, which the engine computes where data stay on the disk: it needs all of them at once."""

import numpy as np

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED
from recmodels.data.pairs import Pairs
from recmodels.data.stored import StoredDataset
from recmodels.engine.work import Bucket, Needs, Work
from recmodels.parted.arrays import mapped, write_arrays
from recmodels.parted.data import EXCLUDED, TABLES, tables_part
from recmodels.parted.training import PartedTraining
from recmodels.scoring.ratings import Baseline

RATING_BYTES = 64
"""Of a rating, at the peak: what is read of it, and sums in double precision."""


def packed_baseline(data: Dataset, training: PartedTraining | None) -> Floats | None:
    """`Baseline.packed` of the ratings in `data`; None where there are none.

    Args:
        data: on the disk, a node reads the ratings.
        training: the training in parts that it belongs to, if it is one.
    """
    if training is None or not isinstance(data, StoredDataset) or not data.on_disk:
        return None if data.rated is None else Baseline.of(data).packed()
    if "rating" not in Pairs(data.features / PREPARED, data.split).names:
        return None
    told = {"split": data.split, "n_users": data.n_users, "n_items": data.n_items}
    bucket = Bucket("0000", {TABLES: tables_part(training.shared, data)}, told)
    [part] = training.map(write_baseline, [bucket], "baseline", needs=Needs(memory=RATING_BYTES * len(data)))
    packed: Floats = mapped(part, "baseline")
    return packed.copy() if len(packed) else None


def write_baseline(work: Work) -> None:
    """The baseline of all ratings; nothing where there are none."""
    tables, told = work.inputs[TABLES], work.arguments
    columns = Pairs(tables / PREPARED, told["split"]).columns(["user_index", "item_index", "rating"])
    given = ~np.isnan(columns["rating"])
    if (tables / f"{EXCLUDED}.npy").exists():
        given &= ~mapped(tables, EXCLUDED)[columns["user_index"]]
    users, items, ratings = (columns[name][given] for name in ("user_index", "item_index", "rating"))
    found = Baseline.of_ratings(users, items, ratings, told["n_users"], told["n_items"]) if len(ratings) else None
    write_arrays(work.out, {"baseline": np.empty(0, np.float32) if found is None else found.packed()})
