"""What buckets of a training of ALS in parts do, see `als_parts`."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from recmodels.compute.jit import one_blas_thread
from recmodels.data.arrays import Bools, Csr, Doubles, Floats, Ints
from recmodels.engine.work import Work
from recmodels.factors.als_steps import by_parts, eigenbasis, gram, penalties, rotate, solve_on_cpu
from recmodels.parted.arrays import mapped, mapped_file, write_arrays
from recmodels.parted.data import user_range
from recmodels.parted.sums import added, by_ranges, write_rows

TINY = np.float32(1e-30)


@dataclass(frozen=True)
class Problem:
    """What all problems share, see `ALS`: weights of unobserved pairs, the penalty, and how exactly each is solved."""

    unobserved_weight: float
    unobserved_weight_of_user: float
    mean_user_weight: float
    regularization: float
    frequency_power: float
    cg_steps: int
    tolerance: float


def diagonal_basis(work: Work) -> None:
    """The eigenvalues of a sum of Gram matrices, and the rotation to the basis in which it is diagonal."""
    first, *others = (mapped_file(work.inputs[name]) for name in sorted(work.inputs))
    values, rotation = eigenbasis(sum(others, start=first))
    write_arrays(work.out, {"values": values, "rotation": rotation})


def turn(work: Work) -> None:
    """The vectors of a range of items, rotated."""
    items = np.array(mapped_file(work.inputs["items"]))
    with one_blas_thread():
        rotate(items, mapped(work.inputs["basis"], "rotation"))
    write_arrays(work.out, {"items": items})


def improve_users(work: Work) -> None:
    """Solve for the vectors of a part's users, from those of the round before if there was one."""
    problem, basis = Problem(**work.arguments["problem"]), work.inputs["basis"]
    own = user_range(work.inputs["data"])
    places = by_ranges(own.items, work.arguments["edges"])
    items = np.concatenate([mapped_file(work.inputs[f"items-{i:04}"])[some] for i, some in enumerate(places)])
    if "users" in work.inputs:
        vectors = np.array(mapped(work.inputs["users"], "vectors"))
        with one_blas_thread():
            rotate(vectors, mapped(work.inputs["turned"], "rotation") @ mapped(basis, "rotation"))
    else:
        vectors = np.zeros((own.by_user.shape[0], items.shape[1]), np.float32)
    penalty = penalties(
        own.by_user, problem.unobserved_weight_of_user, problem.mean_user_weight,
        problem.regularization, problem.frequency_power,
    )  # fmt: skip
    diagonal = diagonal_of(problem, basis)
    solve_on_cpu(vectors, items, own.by_user, diagonal, penalty, problem.cg_steps, problem.tolerance)
    write_arrays(work.out, {"vectors": vectors} | gram_of(vectors))


def list_items(work: Work) -> None:
    """For each range the items that the users of some parts have, as places in it, ascending."""
    owns = [user_range(work.inputs[f"data-{number:04}"]).items for number in work.arguments["parts"]]
    write_rows(work.out, np.unique(np.concatenate(owns)), work.arguments["edges"])


def add_products(work: Work) -> None:
    """For each item of some parts Σ w (v·p) v over their users' vectors v, or Σ w (1 - v·p) v, the residual.

    What is written of a range has a row for each item that `list_items` has listed.
    """
    one, sign = (np.float32(1), np.float32(-1)) if work.arguments["residual"] else (np.float32(0), np.float32(1))
    parts = [f"{number:04}" for number in work.arguments["parts"]]
    owns = [
        (user_range(work.inputs[f"data-{part}"]), mapped(work.inputs[f"users-{part}"], "vectors")) for part in parts
    ]
    for number, (first, last) in enumerate(pairwise(work.arguments["edges"])):
        rows = mapped(work.inputs["rows"], f"rows-{number:04}")
        directions = mapped_file(work.inputs[f"given-{number:04}"])[rows]
        sums = np.zeros_like(directions)
        for own, users in owns:
            low, high = np.searchsorted(own.items, [first, last])
            places = np.searchsorted(rows, own.items[low:high] - first).astype(np.int32)
            _add(own.by_item[low:high], users, directions, one, sign, places, sums)
        write_arrays(work.out, {f"sums-{number:04}": sums})


def take_step(work: Work) -> None:
    """Take the vectors of a range of items a step further, by what all groups have of them.

    The first one finds the direction of the first step from the residual; the last one leaves the vectors alone.
    """
    problem, step, before = Problem(**work.arguments["problem"]), work.arguments["step"], work.inputs["before"]
    rotation = mapped(work.inputs["basis"], "rotation")
    items = np.array(mapped(before, "items"))
    sums = np.zeros_like(items)
    added(work, sums)
    scale = diagonal_of(problem, work.inputs["basis"]) + mapped_file(work.inputs["penalty"])[:, None]
    with one_blas_thread():
        rotate(sums, rotation)
        if step == 0:
            rotate(items, rotation)
    if step == 0:
        residual = sums - scale * items
        direction = residual / scale
        power = _dots(residual, direction)
        size = np.einsum("ij,ij,ij->i", scale, items, items)  # with the residual about that of the right side
        enough: Floats = np.maximum(np.float32(problem.tolerance**2) * (power + size), TINY)
    else:
        residual, direction, power, enough = (
            np.array(mapped(before, name)) for name in ("residual", "direction", "power", "enough")
        )
        going: Bools = power > enough
        product = sums + scale * direction
        length = np.where(going, power / np.where(going, _dots(direction, product), 1), 0)[:, None]
        items += length * direction
        residual -= length * product
        earlier, power = power, np.where(going, _dots(residual, residual / scale), power)
        ratio = np.where(going, power / np.where(going, earlier, 1), 0)[:, None]
        direction = residual / scale + ratio * direction
    if step == problem.cg_steps:
        write_arrays(work.out, {"items": items} | gram_of(items))
        return
    with one_blas_thread():
        given = direction @ rotation.T
    state = {"residual": residual, "direction": direction, "power": power, "enough": enough}
    write_arrays(work.out, {"items": items, "given": given} | state)


def _add(
    entries: Csr, users: Floats, directions: Floats, one: np.float32, sign: np.float32, places: Ints, sums: Floats
) -> None:
    from recmodels.factors import als_kernels as kernels

    given = entries.indptr, entries.indices, entries.data, users, directions, one, sign, places, sums
    by_parts(entries, lambda first, last: kernels.products(first, last, *given))


def gram_of(vectors: Floats) -> dict[str, Doubles]:
    """The Gram matrix of vectors [n, f], as an array of a part."""
    with one_blas_thread():  # each product in the same order, on whichever thread
        return {"gram": gram(vectors)}


def diagonal_of(problem: Problem, basis: Path) -> Floats:
    """a times the Gram matrix in its own basis: float32 [f]."""
    diagonal: Floats = (problem.unobserved_weight * mapped(basis, "values")).astype(np.float32)
    return diagonal


def _dots(left: Floats, right: Floats) -> Floats:
    """Products of rows: float32 [n]."""
    dots: Floats = np.einsum("ij,ij->i", left, right)
    return dots
