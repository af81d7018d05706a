"""ALS on an engine: users' vectors stay where they are made, what the items' need of them is summed over the parts.

A user's problem needs their own interactions and the items' vectors alone, so each part solves for its users. The
items' problems are solved all together, by the same conjugate gradients as `als_kernels.solve`: these need of the users
nothing but the sums Σ_u w (v·p) v over the users of an item, to which each part adds those of its own, in the order of
the parts. Users' vectors are rotated to the basis of the next round when they are improved in it; meanwhile what is
multiplied by them is rotated instead.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recmodels.compute.jit import one_blas_thread
from recmodels.data.arrays import Bools, Floats
from recmodels.data.dataset import Dataset
from recmodels.engine.work import Bucket, Work
from recmodels.factors.als_steps import by_parts, eigenbasis, gram, penalties, rotate, solve_on_cpu
from recmodels.parted.arrays import mapped, write_arrays
from recmodels.parted.data import data_parts, user_range
from recmodels.parted.training import PartedTraining, groups

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


def improve(
    training: PartedTraining,
    data: Dataset,
    items: Floats,
    penalty: Floats,
    problem: Problem,
    rounds: Iterable[object],
) -> None:
    """Improve the items' vectors [n_items, f] in place, once a round.

    Args:
        training: where the parts lie.
        data: the interactions.
        items: the vectors to start from.
        penalty: of each item: float32 [n_items].
        problem: the rest of the objective.
        rounds: as many as there is time for.
    """
    with one_blas_thread():
        parts, users = data_parts(training, data), list[Path]()
        pending = np.eye(items.shape[1], dtype=np.float32)  # what users' vectors have not been rotated by yet
        for number, _ in enumerate(rounds):
            values, rotation = eigenbasis(gram(items))
            rotate(items, rotation)
            diagonal = (problem.unobserved_weight * values).astype(np.float32)
            state = {"items": items, "diagonal": diagonal, "rotation": pending @ rotation}
            given = training.keep(f"items-{number}", lambda state=state: state)  # type: ignore[misc]
            buckets = [
                Bucket(
                    f"{i:04}", {"data": part, "given": given} | ({"users": users[i]} if users else {}), asdict(problem)
                )
                for i, part in enumerate(parts)
            ]
            users = training.map(improve_users, buckets, f"users-{number}", fetch=False)
            pending = _Items(training, number, parts, users, penalty, problem).improve(items)


@dataclass(frozen=True)
class _Items:
    """The items' half of a round."""

    training: PartedTraining
    number: int
    parts: list[Path]
    users: list[Path]
    penalty: Floats
    problem: Problem

    def improve(self, items: Floats) -> Floats:
        """Take the items' vectors some steps further, in place; returns what users' are to be rotated by, [f, f]."""
        f = items.shape[1]
        values, rotation = eigenbasis(self.training.summed(users_gram, self._grams(), f"gram-{self.number}", f))
        residual = self._products("residual", items)
        rotate(items, rotation)
        rotate(residual, rotation)
        diagonal = (self.problem.unobserved_weight * values).astype(np.float32)
        scale = diagonal + self.penalty[:, None]
        residual -= scale * items
        direction = residual / scale
        power = _dots(residual, direction)
        enough = _enough(self.problem, power, scale, items)
        for step in range(self.problem.cg_steps):
            going: Bools = power > enough
            if not going.any():
                break
            product = self._products(f"product-{step}", direction @ rotation.T)
            rotate(product, rotation)
            product += scale * direction
            length = np.where(going, power / np.where(going, _dots(direction, product), 1), 0)[:, None]
            items += length * direction
            residual -= length * product
            before, power = power, np.where(going, _dots(residual, residual / scale), power)
            ratio = np.where(going, power / np.where(going, before, 1), 0)[:, None]
            direction = residual / scale + ratio * direction
        return rotation

    def _products(self, name: str, given: Floats) -> Floats:
        """What `add_products` adds up for each item, over all users: [n_items, f]."""
        step = f"{name}-{self.number}"
        vectors = self.training.keep(f"{step}-given", lambda: {"vectors": given})
        buckets = []
        for number, group in enumerate(groups(len(self.parts))):
            inputs = {"vectors": vectors} | self._users(group) | {f"data-{part}": self.parts[part] for part in group}
            buckets.append(Bucket(f"{number:04}", inputs, {"parts": group, "residual": name == "residual"}))
        products: Floats = self.training.summed(add_products, buckets, step, len(given))
        self.training.drop(f"{step}-given")
        return products

    def _grams(self) -> list[Bucket]:
        found = enumerate(groups(len(self.parts)))
        return [Bucket(f"{number:04}", self._users(group), {"parts": group}) for number, group in found]

    def _users(self, group: list[int]) -> dict[str, Path]:
        return {f"users-{part}": self.users[part] for part in group}


def improve_users(work: Work) -> None:
    """Solve for the vectors of a part's users, from those of the round before if there was one."""
    problem, given = Problem(**work.arguments), work.inputs["given"]
    own, items = user_range(work.inputs["data"]), mapped(given, "items")
    if "users" in work.inputs:
        vectors = np.array(mapped(work.inputs["users"], "vectors"))
        with one_blas_thread():
            rotate(vectors, mapped(given, "rotation"))
    else:
        vectors = np.zeros((own.by_user.shape[0], items.shape[1]), np.float32)
    penalty = penalties(
        own.by_user, problem.unobserved_weight_of_user, problem.mean_user_weight,
        problem.regularization, problem.frequency_power,
    )  # fmt: skip
    solve_on_cpu(vectors, items, own.by_user, mapped(given, "diagonal"), penalty, problem.cg_steps, problem.tolerance)
    write_arrays(work.out, {"vectors": vectors})


def add_products(work: Work) -> None:
    """For each item of some parts Σ w (v·p) v over their users' vectors v, or Σ w (1 - v·p) v, the residual."""
    from recmodels.factors import als_kernels as kernels

    residual: bool = work.arguments["residual"]
    one, sign = (np.float32(1), np.float32(-1)) if residual else (np.float32(0), np.float32(1))
    given = mapped(work.inputs["vectors"], "vectors")
    owns = {number: user_range(work.inputs[f"data-{number}"]) for number in work.arguments["parts"]}
    items = np.unique(np.concatenate([own.items for own in owns.values()]))
    directions, sums = given[items], np.zeros((len(items), given.shape[1]), np.float32)
    for number, own in owns.items():
        users, entries = mapped(work.inputs[f"users-{number}"], "vectors"), own.by_item
        places = np.searchsorted(items, own.items).astype(np.int32)
        given_to = entries.indptr, entries.indices, entries.data, users, directions, one, sign, places, sums
        by_parts(entries, lambda first, last, given_to=given_to: kernels.products(first, last, *given_to))  # type: ignore[misc]
    write_arrays(work.out, {"rows": items, "sums": sums})


def users_gram(work: Work) -> None:
    """The Gram matrix of the vectors of some parts' users: [f, f]."""
    with one_blas_thread():
        grams = [gram(mapped(work.inputs[f"users-{number}"], "vectors")) for number in work.arguments["parts"]]
    write_arrays(work.out, {"rows": np.arange(len(grams[0])), "sums": np.sum(grams, axis=0)})


def _dots(left: Floats, right: Floats) -> Floats:
    """Products of rows: float32 [n]."""
    dots: Floats = np.einsum("ij,ij->i", left, right)
    return dots


def _enough(problem: Problem, power: Floats, scale: Floats, items: Floats) -> Floats:
    """Of each item's residual, what is small beside the right side: float32 [n]."""
    size = np.einsum("ij,ij,ij->i", scale, items, items)
    enough: Floats = np.maximum(np.float32(problem.tolerance**2) * (power + size), TINY)
    return enough
