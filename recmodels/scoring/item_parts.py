"""Neighbors of items by the parts of the data: a bucket finds the items that it compares with all others."""

from dataclasses import asdict
from typing import Any

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr
from recmodels.engine.work import Work
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr, write_arrays
from recmodels.parted.training import ranges
from recmodels.scoring.kept_neighbors import largest_of_both, only_columns
from recmodels.scoring.similarity import Measure, denominators_of, nearest_of, only
from recmodels.scoring.unchanged import Kept
from recmodels.scoring.weighted_parts import Weighing, WeightedParts


def nearest_items(weighted: WeightedParts, measure: Measure, k: int, kept: Kept | None = None) -> Csr:
    """`nearest_after` of the items [n_items, n_items], whose rows are their interactions, weighted."""
    own = nearest_changed(weighted, measure, k)
    if kept is None:
        return own
    others = _found(weighted, measure, k, others=True)
    return largest_of_both(own + others, only_columns(kept.rows, ~weighted.changed), k)


def nearest_changed(weighted: WeightedParts, measure: Measure, k: int) -> Csr:
    """`nearest` of the items that have changed, among all; the rows of the others are empty."""
    return _found(weighted, measure, k, others=False)


def _found(weighted: WeightedParts, measure: Measure, k: int, *, others: bool) -> Csr:
    """Neighbors of the items that have changed, among all; or those of the `others`, among these."""
    training, data = weighted.training, weighted.data
    step, chosen = ("others", ~weighted.changed) if others else ("changed", weighted.changed)
    left, right = denominators_of(weighted.totals[:, 2], measure)
    items = training.keep(f"{step}-items", lambda: {"left": left, "right": right, "chosen": chosen})
    inputs = {"items": items, "columns": weighted.by_user(f"{step}-columns", changed=others)}
    told: dict[str, Any] = {"k": min(k, data.n_items - 1), "measure": asdict(measure)}
    starts = np.concatenate(([0], np.cumsum(np.where(chosen, weighted.totals[:, int(others)], 0).astype(np.int64))))
    buckets = [
        weighted.bucket(f"{number:04}", inputs=inputs, arguments=told | {"first": first, "last": last})
        for number, (first, last) in enumerate(ranges(starts, int(data.item_counts[chosen].sum())))
    ]
    parts = [mapped_csr(part) for part in training.map(compare_items, buckets, f"{step}-nearest")]
    stacked: Csr = sparse.vstack(parts, format="csr")
    return stacked


def compare_items(work: Work) -> None:
    """The nearest of some items."""
    told, items, first, last = work.arguments, work.inputs["items"], work.arguments["first"], work.arguments["last"]
    rows = only(Weighing.of(work).rows(first, last), mapped(items, "chosen")[first:last])
    found = nearest_of(
        rows, Measure(**told["measure"]), told["k"], mapped_csr(work.inputs["columns"]),
        mapped(items, "left"), mapped(items, "right"), first,
    )  # fmt: skip
    write_arrays(work.out, csr_arrays(found))
