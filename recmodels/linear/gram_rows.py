"""The Gram matrix XᵀX as numbers: at once, and on an engine, where a bucket is some of its rows."""

import numpy as np

from recmodels.data.arrays import Csr, Floats
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr, write_arrays
from recmodels.parted.training import PartedTraining, ranges
from recmodels.scoring.similarity import products_of

BLOCK = 512  # rows of the Gram matrix at a time


def gram_rows(columns: Csr, matrix: Csr) -> Floats:
    """Products of some columns of X, as rows [b, n], with all: float32 [b, m]."""
    gram = np.empty((columns.shape[0], matrix.shape[1]), np.float32)
    for i in range(0, len(gram), BLOCK):
        gram[i : i + BLOCK] = (columns[i : i + BLOCK] @ matrix).toarray()
    return gram


def gram_in_parts(training: PartedTraining, columns: Csr, matrix: Csr) -> Floats:
    """`gram_rows` of all columns, by buckets of as many products each."""
    everything = training.keep("matrix", lambda: csr_arrays(matrix))
    starts = np.concatenate(([0], np.cumsum(products_of(columns, matrix))))
    found = ranges(starts, columns.nnz)
    buckets = []
    for number, (first, last) in enumerate(found):
        own = training.keep(f"columns-{number}", lambda first=first, last=last: csr_arrays(columns[first:last]))  # type: ignore[misc]
        buckets.append(Bucket(f"{number:04}", {"matrix": everything, "columns": own}))
    gram = np.empty((matrix.shape[1],) * 2, np.float32)
    for (first, last), part in zip(found, training.map(write_gram_rows, buckets, "gram"), strict=True):
        gram[first:last] = mapped(part, "gram")
    return gram


def write_gram_rows(work: Work) -> None:
    """The rows of a bucket."""
    columns, matrix = (mapped_csr(work.inputs[name]) for name in ("columns", "matrix"))
    write_arrays(work.out, {"gram": gram_rows(columns, matrix)})
