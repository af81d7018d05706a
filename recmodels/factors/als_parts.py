"""ALS on an engine: users' vectors stay where they are made, those of items are improved by ranges of items.

A user's problem needs their own interactions and the vectors of their items, so each part of the data solves for its
users. An item's problem needs of the users nothing but sums Σ_u w (v·p) v over the users of the item, one for each step
of the same conjugate gradients as in `als_kernels.solve`; the matrix of f² numbers that an item's problem has is never
formed. So what is moved are f numbers an item, for each step and each group of parts: a group adds up what its users
have for each range of items, and of a range one bucket adds up the groups, in their order, and takes the step.

The process that trains reads nothing of all this but the items' vectors at the end. Users' vectors are rotated to the
basis of the next round when they are improved in it; meanwhile what is multiplied by them is rotated instead.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.engine.work import Bucket, Function
from recmodels.factors.als_buckets import (
    Problem,
    add_products,
    diagonal_basis,
    diagonal_of,
    gram_of,
    improve_users,
    list_items,
    take_step,
    turn,
)
from recmodels.parted.arrays import mapped
from recmodels.parted.data import data_parts
from recmodels.parted.sums import groups, numbered, of_range, row_edges
from recmodels.parted.training import PartedTraining


def improve(
    training: PartedTraining,
    data: Dataset,
    items: Floats,
    penalty: Floats,
    problem: Problem,
    rounds: Iterable[object],
) -> tuple[Floats, Floats]:
    """Improve the items' vectors, once a round.

    Args:
        training: where the parts lie.
        data: the interactions.
        items: the vectors to start from [n_items, f].
        penalty: of each item: float32 [n_items].
        problem: the rest of the objective.
        rounds: as many as there is time for.

    Returns:
        The vectors in the basis in which their Gram matrix is diagonal: float32 [n_items, f]; and its diagonal times
        the weight of an unobserved pair: float32 [f].
    """
    edges = row_edges(len(items), items.shape[1] * items.itemsize)
    starts = []
    for number, (first, last) in enumerate(pairwise(edges)):
        given = {"items": items[first:last], "penalty": penalty[first:last]}
        starts.append(training.keep(f"start-{number}", lambda given=given: given | gram_of(given["items"])))  # type: ignore[misc]
    parts = data_parts(training, data)
    return _Training(training, problem, edges, starts, parts, groups(len(parts))).improved(rounds)


@dataclass(frozen=True)
class _Training:
    """A training as the process sees it that gives buckets to the engine: what it has of the parts are their paths.

    Attributes:
        edges: the first item of each range, and the one after the last.
        starts: what each range starts from, and its penalties.
        parts: the data.
        groups: numbers of the parts whose sums are made together.
    """

    training: PartedTraining
    problem: Problem
    edges: list[int]
    starts: list[Path]
    parts: list[Path]
    groups: list[list[int]]

    def improved(self, rounds: Iterable[object]) -> tuple[Floats, Floats]:
        """What `improve` returns."""
        rows = self._map_groups(list_items, "rows", lambda _: {})
        items, users, users_basis, last = self.starts, list[Path](), Path(), self.problem.cg_steps
        for number, _ in enumerate(rounds):
            basis = self._basis(items, f"basis-{number}")
            turned = self._turned(items, basis, f"items-{number}")
            users = self._users(turned, basis, users, users_basis, f"users-{number}")
            users_basis = self._basis(users, f"users-basis-{number}")
            self.training.drop(f"users-{number - 1}")
            self.training.drop(f"step-{number - 1}-{last}")
            items, given = turned, [part / "items.npy" for part in turned]
            for step in range(last + 1):
                sums = self._sums(given, users, rows, f"sums-{number}-{step}", residual=step == 0)
                items = self._stepped(items, users_basis, rows, sums, f"step-{number}-{step}", step)
                given = [part / "given.npy" for part in items]
                self.training.drop(f"sums-{number}-{step}")
                self.training.drop(f"step-{number}-{step - 1}" if step else f"items-{number}")
        basis = self._basis(items, "basis")
        vectors = [mapped(part, "items") for part in self._turned(items, basis, "items", fetch=True)]
        return np.concatenate(vectors), diagonal_of(self.problem, basis)

    def _basis(self, parts: list[Path], step: str) -> Path:
        """The basis in which the Gram matrix of the vectors of all parts is diagonal, as a part."""
        inputs = {f"{number:04}": part / "gram.npy" for number, part in enumerate(parts)}
        (basis,) = self.training.map(diagonal_basis, [Bucket("0000", inputs)], step)
        return basis

    def _turned(self, items: list[Path], basis: Path, step: str, fetch: bool = False) -> list[Path]:
        """The items' vectors in that basis."""
        buckets = [Bucket(f"{i:04}", {"items": part / "items.npy", "basis": basis}) for i, part in enumerate(items)]
        return self.training.map(turn, buckets, step, fetch=fetch)

    def _users(self, items: list[Path], basis: Path, before: list[Path], turned: Path, step: str) -> list[Path]:
        """The users' vectors given those of the items, from those `before`, which are to be `turned` first."""
        inputs = {"basis": basis} | numbered("items", [part / "items.npy" for part in items])
        buckets = []
        for number, data in enumerate(self.parts):
            own = {"users": before[number], "turned": turned} if before else {}
            arguments = {"edges": self.edges, "problem": asdict(self.problem)}
            buckets.append(Bucket(f"{number:04}", inputs | {"data": data} | own, arguments))
        return self.training.map(improve_users, buckets, step, fetch=False)

    def _sums(self, given: list[Path], users: list[Path], rows: list[Path], step: str, *, residual: bool) -> list[Path]:
        """What `add_products` adds up of the users of each group, given a vector of each item."""
        vectors = numbered("given", given)

        def inputs(number: int) -> dict[str, Path]:
            own = {f"users-{part:04}": users[part] for part in self.groups[number]}
            return vectors | own | {"rows": rows[number]}

        return self._map_groups(add_products, step, inputs, residual=residual)

    def _stepped(
        self, items: list[Path], basis: Path, rows: list[Path], sums: list[Path], step: str, number: int
    ) -> list[Path]:
        """The state of each range of items after its next step."""
        buckets = []
        for i, part in enumerate(items):
            inputs = {"before": part, "penalty": self.starts[i] / "penalty.npy", "basis": basis}
            inputs |= of_range("rows", rows, i) | of_range("sums", sums, i)
            arguments = {"parts": len(sums), "step": number, "problem": asdict(self.problem)}
            buckets.append(Bucket(f"{i:04}", inputs, arguments))
        return self.training.map(take_step, buckets, step, fetch=False)

    def _map_groups(
        self, function: Function, step: str, inputs: Callable[[int], dict[str, Path]], **arguments: Any
    ) -> list[Path]:
        """Map over the groups of parts, of which each bucket reads the data."""
        buckets = []
        for number, group in enumerate(self.groups):
            data = {f"data-{part:04}": self.parts[part] for part in group}
            told = {"edges": self.edges, "parts": group} | arguments
            buckets.append(Bucket(f"{number:04}", data | inputs(number), told))
        return self.training.map(function, buckets, step, fetch=False)
