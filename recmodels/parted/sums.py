"""Sums over parts of the data that each have something of many rows (of all items, say): added up by ranges of rows.

A bucket of the data writes what it has of each range as a file of its own. A bucket of a range reads those files alone,
and adds them up in the order of the parts: nothing has to hold, or read, what all parts have of all rows.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Ints
from recmodels.engine.work import Bucket, Function, Work
from recmodels.parted.arrays import mapped, mapped_file, write_arrays
from recmodels.parted.training import PartedTraining

SUMMED = 64
"""Parts of a sum at most: each may be as large as the sum itself."""
PIECE = 2**24
"""Bytes of a range of rows, more or less."""


def groups(n_parts: int) -> list[list[int]]:
    """Divide parts into those that a bucket adds up, before their sums are added: their numbers, in order."""
    return [group.tolist() for group in np.array_split(np.arange(n_parts), min(n_parts, SUMMED))]


def row_edges(n_rows: int, row_bytes: int) -> list[int]:
    """The ranges in which a sum of so many rows is added up: the first row of each, and the one after the last."""
    count = max(1, min(-(-n_rows * row_bytes // PIECE), SUMMED, n_rows))
    return [n_rows * number // count for number in range(count + 1)]


def by_ranges(rows: Ints, edges: Sequence[int]) -> list[Ints]:
    """Ascending rows of each range, counted from its first one."""
    places = np.searchsorted(rows, edges)
    return [rows[i:j] - rows.dtype.type(first) for (i, j), first in zip(pairwise(places), edges, strict=False)]


def numbered(name: str, paths: Sequence[Path]) -> dict[str, Path]:
    """Inputs of a bucket that it finds by their numbers."""
    return {f"{name}-{number:04}": path for number, path in enumerate(paths)}


def of_range(name: str, parts: Sequence[Path], number: int) -> dict[str, Path]:
    """What each part has written of a range, as inputs of a bucket."""
    return numbered(name, [part / f"{name}-{number:04}.npy" for part in parts])


def added(work: Work, total: NDArray[Any]) -> None:
    """Add to a range's rows the `sums` [m, f] that each part has of some of them, its `rows` [m], in place."""
    for number in range(work.arguments["parts"]):
        rows, sums = (mapped_file(work.inputs[f"{name}-{number:04}"]) for name in ("rows", "sums"))
        total[rows] += sums


def write_rows(out: Path, rows: Ints, edges: Sequence[int]) -> None:
    """Write which rows, ascending, a part has something of, by ranges."""
    write_arrays(out, {f"rows-{number:04}": some for number, some in enumerate(by_ranges(rows, edges))})


def write_sums(out: Path, rows: Ints, sums: NDArray[Any], edges: Sequence[int]) -> None:
    """Write what a part has of these rows, ascending, by ranges."""
    write_rows(out, rows, edges)
    places = np.searchsorted(rows, edges)
    write_arrays(out, {f"sums-{number:04}": sums[i:j] for number, (i, j) in enumerate(pairwise(places))})


def summed(
    training: PartedTraining, function: Function, buckets: Sequence[Bucket], step: str, n_rows: int, row_bytes: int
) -> NDArray[Any]:
    """The sum of what the buckets' parts have of each row, in the order of the buckets: [n_rows, f].

    Args:
        training: where the parts lie; they are gone afterwards.
        function: writes by `write_sums` what a bucket has; it is told the `edges`.
        buckets: `SUMMED` at most.
        step: its name.
        n_rows: of the sum.
        row_bytes: of each of them.
    """
    edges = row_edges(n_rows, row_bytes)
    told = [Bucket(one.name, one.inputs, {**one.arguments, "edges": edges}) for one in buckets]
    parts = training.map(function, told, f"{step}-parts", fetch=False)
    ranges = [
        Bucket(
            f"{number:04}",
            of_range("rows", parts, number) | of_range("sums", parts, number),
            {"parts": len(parts), "rows": last - first},
        )
        for number, (first, last) in enumerate(pairwise(edges))
    ]
    totals = training.map(add_up, ranges, step)
    training.drop(f"{step}-parts")
    whole: NDArray[Any] = np.concatenate([mapped(total, "sums") for total in totals])
    return whole


def add_up(work: Work) -> None:
    """What all parts have of a range."""
    first = mapped_file(work.inputs["sums-0000"])
    total = np.zeros((work.arguments["rows"], *first.shape[1:]), first.dtype)
    added(work, total)
    write_arrays(work.out, {"sums": total})
