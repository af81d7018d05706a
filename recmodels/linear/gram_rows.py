"""The Gram matrix XᵀX as numbers: at once, and on an engine, where a bucket is some of its rows."""

import numpy as np

from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.engine.work import Work
from recmodels.parted.arrays import mapped, mapped_csr, write_arrays
from recmodels.parted.training import ranges
from recmodels.scoring.weighted_parts import Weighing, WeightedParts

BLOCK = 512  # rows of the Gram matrix at a time


def gram_rows(columns: Csr, matrix: Csr, chosen: Ints | None = None) -> Floats:
    """Products of some columns of X, as rows [b, n], with all or with the chosen [m]: float32 [b, m]."""
    gram = np.empty((columns.shape[0], matrix.shape[1] if chosen is None else len(chosen)), np.float32)
    for i in range(0, len(gram), BLOCK):
        block = (columns[i : i + BLOCK] @ matrix).toarray()
        gram[i : i + BLOCK] = block if chosen is None else block[:, chosen]
    return gram


def gram_in_parts(weighted: WeightedParts, items: Ints) -> Floats:
    """The products of all pairs of some items, ascending [m]: float32 [m, m]; by buckets of as many products each."""
    inputs = {
        "columns": weighted.by_user("columns"),
        "items": weighted.training.keep("items", lambda: {"items": items}),
    }
    starts = np.concatenate(([0], np.cumsum(weighted.totals[items, 0].astype(np.int64))))
    found = ranges(starts, len(weighted.data))
    buckets = [
        weighted.bucket(f"{number:04}", inputs=inputs, arguments={"first": first, "last": last})
        for number, (first, last) in enumerate(found)
    ]
    gram = np.empty((len(items),) * 2, np.float32)
    for (first, last), part in zip(found, weighted.training.map(write_gram_rows, buckets, "gram"), strict=True):
        gram[first:last] = mapped(part, "gram")
    return gram


def write_gram_rows(work: Work) -> None:
    """The rows of a bucket."""
    items, columns = mapped(work.inputs["items"], "items"), mapped_csr(work.inputs["columns"])
    own = items[work.arguments["first"] : work.arguments["last"]]
    rows: Csr = Weighing.of(work).rows(int(own[0]), int(own[-1]) + 1)[own - own[0]]
    write_arrays(work.out, {"gram": gram_rows(rows, columns, items)})
