"""`nearest` on an engine, to the same bytes: a bucket is some rows, which are compared with all."""

from dataclasses import asdict

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Csr
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr, write_arrays
from recmodels.parted.training import PartedTraining, ranges
from recmodels.scoring.similarity import Measure, denominators, nearest, nearest_of, only, products_of


def nearest_by(
    training: PartedTraining | None,
    rows: Csr,
    measure: Measure,
    k: int,
    columns: Csr | None = None,
    chosen: Bools | None = None,
    step: str = "",
) -> Csr:
    """`nearest`, in parts where the training is; `step` tells one of its searches from another."""
    if training is None:
        return nearest(rows, measure, k, columns, chosen)
    return nearest_in_parts(training, rows, measure, k, columns, chosen, step)


def nearest_in_parts(
    training: PartedTraining,
    rows: Csr,
    measure: Measure,
    k: int,
    columns: Csr | None = None,
    chosen: Bools | None = None,
    step: str = "",
) -> Csr:
    """`nearest`, by buckets of as many products each; a node needs the transpose of all rows, on its disk."""
    columns = rows.T.tocsr() if columns is None else columns
    left, right = denominators(rows, measure)
    rows = rows if chosen is None else only(rows, chosen)
    everything = training.keep(f"{step}columns", lambda: csr_arrays(columns) | {"left": left, "right": right})
    starts = np.concatenate(([0], np.cumsum(products_of(rows, columns))))
    buckets = []
    for number, (first, last) in enumerate(ranges(starts, rows.nnz)):
        own = training.keep(f"{step}rows-{number}", lambda first=first, last=last: csr_arrays(rows[first:last]))  # type: ignore[misc]
        arguments = {"first": first, "k": min(k, rows.shape[0] - 1), "measure": asdict(measure)}
        buckets.append(Bucket(f"{number:04}", {"columns": everything, "rows": own}, arguments))
    parts = [mapped_csr(part) for part in training.map(similar_to_all, buckets, f"{step}nearest")]
    stacked: Csr = sparse.vstack(parts, format="csr")
    return stacked


def similar_to_all(work: Work) -> None:
    """The nearest of some rows."""
    columns, rows = work.inputs["columns"], mapped_csr(work.inputs["rows"])
    measure = Measure(**work.arguments["measure"])
    found = nearest_of(
        rows, measure, work.arguments["k"], mapped_csr(columns), mapped(columns, "left"), mapped(columns, "right"),
        work.arguments["first"],
    )  # fmt: skip
    write_arrays(work.out, csr_arrays(found))
