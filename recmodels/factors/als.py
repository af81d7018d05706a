"""Implicit-feedback alternating least squares: factors of users and items, each solved for in turn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt

from recmodels.base import SCORE_BYTES
from recmodels.compute import device
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions
from recmodels.parameters import Search, Seed
from recmodels.scoring.dot_product import USERS_AT_A_TIME, DotProduct

PARTS = 64  # into how many parts the rows are divided, of about as many entries each; whoever is free takes the next
CLOSE = 1e-3  # the residual, relative to the right side, that is enough while both sides still change
EXACT_STEPS, EXACT = 100, 1e-6  # for the vectors that lists are made of: steps at most, and the residual


@dataclass
class ALS(DotProduct):
    r"""Score = x_u·y_i, where x and y minimise Σ_{(u,i) seen} w_ui (1 - x_u·y_i)² + a Σ_{all u,i} (x_u·y_i)² + penalty.

    The weight of a pair is w_ui, and all pairs together that were not seen weigh `unobserved` times as much as those
    that were: a = unobserved · Σ w_ui / (n_users n_items). The penalty is λ (Σ_u n (n_u / n)^e |x_u|² + the same for
    items), with n_u = Σ_i w_ui + a n_items the weight of all that the loss asks of a user, and n the mean of n_u (Hu,
    Koren and Volinsky, 2008; the objective and the penalty by frequency as in Rendle et al., "Revisiting the
    Performance of iALS", 2021, with a λ that means the same for any e).

    With the items fixed, each user is a least-squares problem of its own, and the other way round. All share the Gram
    matrix of the factors; in the basis of its eigenvectors it is diagonal, and rotating users and items alike changes
    no score. There a step of conjugate gradients costs no more than the user's own items (Takács et al., 2011, without
    the product with the Gram matrix), and the diagonal makes a good preconditioner: two steps are enough.

    Users' vectors are not stored: each is solved for, exactly, from the history that the lists are asked for. So new
    interactions and new users count at once, and a score is a sum over the history, which explains it (Hu et al., 5).
    """

    factors: Annotated[int, Ge(1), Search(16, 512, log=True)] = 128
    """f: numbers in a vector."""
    regularization: Annotated[float, Gt(0), Search(0.0005, 0.5, log=True)] = 0.01
    """λ: larger means shorter vectors, and lists closer to popularity."""
    frequency_power: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.5
    """e: 0 penalises everybody alike, 1 each in proportion to what is known of them."""
    unobserved: Annotated[float, Gt(0), Search(1.0, 200.0, log=True)] = 20.0
    """What all pairs that were not seen weigh together, relative to those that were: more favours what many have."""
    iterations: Annotated[int, Ge(1)] = 8
    """How often users and items are solved for."""
    steps: Annotated[int, Ge(1)] = 2
    """Steps of conjugate gradients in each of them, from the last solution."""
    seed: Seed = 0

    uses_gpu: ClassVar[bool] = True

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        by_user: Csr = data.matrix
        by_item: Csr = data.matrix.T.tocsr()
        rng = np.random.default_rng(self.seed)
        items = rng.standard_normal((data.n_items, self.factors), dtype=np.float32)
        items *= np.float32(0.1 / self.factors**0.5)
        items[np.diff(by_item.indptr) == 0] = 0
        users = np.zeros((data.n_users, self.factors), np.float32)
        # counted are those who have interactions: a catalogue of items that nobody has changes nothing
        n_users, n_items = (int((np.diff(entries.indptr) > 0).sum()) for entries in (by_user, by_item))
        total = float(data.weight.sum(dtype=np.float64))
        self.unobserved_weight_ = self.unobserved * total / (n_users * n_items)
        self.asked_of_users_ = self.unobserved_weight_ * n_items
        self.mean_weight_ = total / n_users + self.asked_of_users_
        asked_of_items = self.unobserved_weight_ * n_users
        penalty_users = self._penalty(by_user, self.asked_of_users_, self.mean_weight_)
        penalty_items = self._penalty(by_item, asked_of_items, self.mean_weight_ * n_users / n_items)
        for _ in range(self.iterations):
            self._improve(users, items, by_user, penalty_users)
            self._improve(items, users, by_item, penalty_items)
        self.item_vectors_ = items
        self.shared_: Floats = self._to_eigenbasis(items)  # [f]: the diagonal of a YᵀY

    def _improve(self, mine: Floats, others: Floats, entries: Csr, penalty: Floats) -> None:
        """Solve for the vectors of one side, in place; both sides are rotated first."""
        _solve(mine, others, entries, self._to_eigenbasis(others, mine), penalty, self.steps, CLOSE)

    def _penalty(self, entries: Csr, asked: float, mean: float) -> Floats:
        share = (entries.sum(axis=1, dtype=np.float64) + asked) / mean
        penalty: Floats = (self.regularization * mean * share**self.frequency_power).astype(np.float32)
        return penalty

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        histories: Csr = data.matrix[users]
        penalty = self._penalty(histories, self.asked_of_users_, self.mean_weight_)
        vectors = np.zeros((len(users), self.item_vectors_.shape[1]), np.float32)
        _solve(vectors, self.item_vectors_, histories, self.shared_, penalty, EXACT_STEPS, EXACT)
        return vectors

    def _reasons(self, history: Csr, items: Ints) -> Ints:
        from recmodels.factors import als_kernels as kernels

        found = np.full(items.shape, -1, np.int32)
        penalty = self._penalty(history, self.asked_of_users_, self.mean_weight_)

        def explain(first: int, last: int) -> None:
            kernels.reasons(
                first, last, history.indptr, history.indices, history.data, items, self.item_vectors_, self.shared_,
                penalty, found,
            )  # fmt: skip

        _by_parts(history, explain)
        return found

    def _to_eigenbasis(self, *sides: Floats) -> Floats:
        """Rotate the vectors [n, f] of the sides, so that a times the Gram matrix of the first is diagonal: [f]."""
        from recmodels.compute.jit import one_blas_thread, parallel_for

        f = sides[0].shape[1]
        starts = range(0, len(sides[0]), USERS_AT_A_TIME)
        parts = np.empty((len(starts), f, f), np.float32)

        def add(start: int) -> None:
            block = sides[0][start : start + USERS_AT_A_TIME]
            np.matmul(block.T, block, out=parts[start // USERS_AT_A_TIME])

        with one_blas_thread():  # each product in the same order, whoever computes it
            parallel_for(add, starts)
            values, basis = np.linalg.eigh(parts.sum(axis=0, dtype=np.float64))
            rotation = np.ascontiguousarray(basis, dtype=np.float32)
            for vectors in sides:

                def turn(start: int, vectors: Floats = vectors) -> None:
                    vectors[start : start + USERS_AT_A_TIME] = vectors[start : start + USERS_AT_A_TIME] @ rotation

                parallel_for(turn, range(0, len(vectors), USERS_AT_A_TIME))
        diagonal: Floats = (self.unobserved_weight_ * np.maximum(values, 0)).astype(np.float32)
        return diagonal

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        vectors = 4 * self.factors * (n_users + n_items)
        return vectors + 4 * self.factors * 4 * USERS_AT_A_TIME + 12 * n_interactions + SCORE_BYTES


def _solve(
    mine: Floats, others: Floats, entries: Csr, shared: Floats, penalty: Floats, steps: int, tolerance: float
) -> None:
    """Improve the vectors `mine` [n, f], one for each row of `entries` [n, m], given the `others` [m, f]."""
    if device.cuda():
        from recmodels.factors import als_torch

        als_torch.solve(entries, others, shared, penalty, mine, steps, tolerance, device.name())
        return
    from recmodels.factors import als_kernels as kernels

    def solve(first: int, last: int) -> None:
        kernels.solve(
            first, last, entries.indptr, entries.indices, entries.data, others, shared, penalty, mine, steps,
            np.float32(tolerance),
        )  # fmt: skip

    _by_parts(entries, solve)


def _by_parts(entries: Csr, work: Callable[[int, int], None]) -> None:
    """Call `work` with ranges of the rows, of about as much work each."""
    from recmodels.compute.jit import parallel_for

    done = entries.indptr + 8 * np.arange(len(entries.indptr), dtype=np.int64)  # what the rows before each cost
    ends = np.searchsorted(done, np.linspace(0, done[-1], PARTS + 1))
    ends[-1] = entries.shape[0]
    parallel_for(lambda part: work(ends[part], ends[part + 1]), range(PARTS))
