"""Implicit-feedback alternating least squares: factors of users and items, each solved for in turn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt

from recmodels.base import SCORE_BYTES, State
from recmodels.compute.work import dense, mean_length
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.engine.current import asked_for
from recmodels.factors.als_steps import by_parts, eigenbasis, gram, penalties, rotate, solve, weighted_penalties
from recmodels.options import FitOptions, WarmStart, WarmStarts
from recmodels.parameters import Renamed, Search, Seed
from recmodels.parted.training import PartedTraining, held_rows, parted_training
from recmodels.ranking.topk import TopK
from recmodels.scoring.dot_product import USERS_AT_A_TIME, DotProduct, left_by_bounds

ITEM_ROWS = 3  # matrices as large as the items' vectors that a training in parts holds
TOLERANCE = 1e-3  # of the residual relative to the right side, while both sides still change
EXACT_STEPS, EXACT_TOLERANCE = 100, 1e-6  # for the vectors that lists are made of: steps at most, and the residual


@dataclass
class ALS(DotProduct):
    r"""Implicit-feedback matrix factorization by alternating least squares (iALS).

    Score = x_u·y_i, where x and y minimize

        Σ_{(u,i) observed} w_ui (1 - x_u·y_i)² + a Σ_{all u,i} (x_u·y_i)² + λ (Σ_u c_u |x_u|² + Σ_i c_i |y_i|²)

    with w_ui the weight of an interaction, and a = alpha · Σ w_ui / (n_users n_items): all pairs together weigh `alpha`
    times as much as the interactions. The penalty counts c_u = n (n_u / n)^e, n_u = Σ_i w_ui + a n_items being the
    weight of all terms of a user and n its mean, so that λ means the same for any e = `frequency_power`.

    How `alpha` relates to the papers: a is the unobserved weight alpha_0 of Rendle et al. (2021); `alpha` is that
    weight in a unit that does not depend on the size and the density of the data. Hu et al. (2008) give unobserved
    pairs the weight 1 and observed ones the confidence 1 + alpha r: theirs is about 1 / a, so larger here is smaller
    there.

    With the items fixed, each user is a least-squares problem of its own, and the other way round. All share the Gram
    matrix of the factors; in the basis of its eigenvectors it is diagonal, and rotating users and items together
    changes no score. There a step of conjugate gradients costs no more than the user's own items (Takács et al., 2011,
    without the product with the Gram matrix), and the diagonal makes a good preconditioner: two steps are enough.

    Users' vectors are not stored: each is solved for, exactly, from the history that the lists are asked for. So new
    interactions and new users count at once, and a score is a sum over the history, which explains it.

    Attributes:
        item_vectors_: float32 [n_items, f], y, in the basis in which their Gram matrix is diagonal.
        gram_diagonal_: float32 [f], the diagonal of a YᵀY.
        unobserved_weight_: a, the weight of a pair that was not observed.
        unobserved_weight_of_user_: a n_items, of all items with interactions: what each user's loss weighs anyhow.
        mean_user_weight_: n, the mean over users of n_u.

    References:
        Hu, Koren & Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
        Takács, Pilászy & Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
        Filtering", RecSys 2011.
        Rendle, Krichene, Zhang & Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", 2021.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> ALS(factors=2, iterations=4).fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    factors: Annotated[int, Ge(1), Search(16, 512, log=True)] = 128
    """f: numbers in a vector."""
    regularization: Annotated[float, Gt(0), Search(0.0005, 0.5, log=True)] = 0.01
    """λ: larger means shorter vectors, and lists closer to popularity."""
    frequency_power: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.5
    """e: 0 penalizes all users alike, 1 each in proportion to n_u."""
    alpha: Annotated[float, Gt(0), Search(1.0, 200.0, log=True)] = 20.0
    """Weight of all pairs together, relative to that of the interactions: more favors popular items."""
    iterations: Annotated[int, Ge(1)] = 8
    """How often users and items are solved for."""
    cg_steps: Annotated[int, Ge(1)] = 2
    """Steps of conjugate gradients in each of them, from the last solution."""
    warm_start: WarmStarts = "always"
    """Which trainings start from an earlier model: none; the final one, on all data; also those that are compared."""
    warm_iterations: Annotated[int, Ge(1)] = 1
    """How often users and items are solved for then."""
    seed: Seed = 0

    renamed: ClassVar[Mapping[str, Renamed]] = {"unobserved": "alpha", "steps": "cg_steps"}
    renamed_attributes: ClassVar[Mapping[str, str]] = {
        "shared_": "gram_diagonal_",
        "asked_of_users_": "unobserved_weight_of_user_",
        "mean_weight_": "mean_user_weight_",
    }

    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ({"factors": 64}, {"factors": 32})
    folds_in: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False
    uses_gpu: ClassVar[bool] = True
    delegates: ClassVar[bool] = True

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        rng = np.random.default_rng(self.seed)
        items = rng.standard_normal((data.n_items, self.factors), dtype=np.float32)
        items *= np.float32(0.1 / self.factors**0.5)
        warm = self._take_over(options.warm_start, items)
        items[data.item_counts == 0] = 0
        # Users and items without interactions do not count: they change nothing.
        n_users, n_items = int((np.diff(data.indptr) > 0).sum()), len(data.known_items)
        self.unobserved_weight_ = self.alpha * data.total_weight / (n_users * n_items)
        self.unobserved_weight_of_user_ = self.unobserved_weight_ * n_items
        self.mean_user_weight_ = data.total_weight / n_users + self.unobserved_weight_of_user_
        of_item = self.unobserved_weight_ * n_users, self.mean_user_weight_ * n_users / n_items
        rounds = options.rounds(self.warm_iterations if warm else self.iterations)
        made_from = {"parameters": asdict(self), "start": sha256(items.data).hexdigest()}
        with parted_training(options.parts, "als", data, made_from) as training:
            if training is not None:
                penalty = weighted_penalties(data.item_weights, *of_item, self.regularization, self.frequency_power)
                found = self._improved_in_parts(training, data, items, penalty, rounds)
                self.item_vectors_: Floats = found[0]
                self.gram_diagonal_: Floats = found[1]
                return
        by_user: Csr = data.matrix
        by_item: Csr = data.matrix.T.tocsr()
        penalty_items = self._penalty(by_item, *of_item)
        users = np.zeros((data.n_users, self.factors), np.float32)
        penalty_users = self._penalty(by_user, self.unobserved_weight_of_user_, self.mean_user_weight_)
        for _ in rounds:
            self._improve(users, items, by_user, penalty_users)
            self._improve(items, users, by_item, penalty_items)
        self.item_vectors_ = items
        self.gram_diagonal_ = self._to_eigenbasis(items)

    def _improved_in_parts(
        self, training: PartedTraining, data: Dataset, items: Floats, penalty: Floats, rounds: Iterable[object]
    ) -> tuple[Floats, Floats]:
        """The items' vectors, improved once a round, and the diagonal of their Gram matrix."""
        from recmodels.factors.als_buckets import Problem
        from recmodels.factors.als_parts import improve

        problem = Problem(
            self.unobserved_weight_, self.unobserved_weight_of_user_, self.mean_user_weight_,
            self.regularization, self.frequency_power, self.cg_steps, TOLERANCE,
        )  # fmt: skip
        return improve(training, data, items, penalty, problem, rounds)

    def _take_over(self, start: WarmStart | None, items: Floats) -> bool:
        """Set the vectors of items, new ones to 0, to those of an earlier model of as many factors, if there is one."""
        if start is None or not isinstance(start.model, ALS) or start.model.factors != self.factors:
            return False
        items[:] = start.known_rows("items", start.model.item_vectors_)
        return True

    def _improve(self, vectors: Floats, fixed: Floats, entries: Csr, penalty: Floats) -> None:
        """Solve for the vectors of one side, in place; both sides are rotated first."""
        gram_diagonal = self._to_eigenbasis(fixed, vectors)
        solve(vectors, fixed, entries, gram_diagonal, penalty, self.cg_steps, TOLERANCE)

    def _penalty(self, entries: Csr, unobserved: float, mean: float) -> Floats:
        return penalties(entries, unobserved, mean, self.regularization, self.frequency_power)

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        histories: Csr = data.matrix[users]
        penalty = self._penalty(histories, self.unobserved_weight_of_user_, self.mean_user_weight_)
        vectors = np.zeros((len(users), self.item_vectors_.shape[1]), np.float32)
        solve(vectors, self.item_vectors_, histories, self.gram_diagonal_, penalty, EXACT_STEPS, EXACT_TOLERANCE)
        return vectors

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        """The item of the history that adds most to the score, which is a sum over the history (Hu et al., 5)."""
        return self._explained_in_parts(data, users, top, self._reasons)

    def _reasons(self, history: Csr, items: Ints) -> Ints:
        from recmodels.factors import als_kernels as kernels

        found = np.full(items.shape, -1, np.int32)
        penalty = self._penalty(history, self.unobserved_weight_of_user_, self.mean_user_weight_)

        def explain(first: int, last: int) -> None:
            kernels.reasons(
                first, last, history.indptr, history.indices, history.data, items, self.item_vectors_,
                self.gram_diagonal_, penalty, found,
            )  # fmt: skip

        by_parts(history, explain)
        return found

    def _to_eigenbasis(self, *sides: Floats) -> Floats:
        """Rotate the vectors [n, f] of the sides, so that a times the Gram matrix of the first is diagonal: [f]."""
        from recmodels.compute.jit import one_blas_thread

        with one_blas_thread():  # each product in the same order, on whichever thread
            values, rotation = eigenbasis(gram(sides[0]))
            for vectors in sides:
                rotate(vectors, rotation)
        diagonal: Floats = (self.unobserved_weight_ * values).astype(np.float32)
        return diagonal

    def _restore(self, state: State) -> None:
        super()._restore({self.renamed_attributes.get(name, name): value for name, value in state.items()})

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        f, vectors = self.factors, n_users + n_items
        solved = 2 * n_interactions * 2 * f * (self.cg_steps + 1.0)  # both sides; each step goes twice over a row
        turned = dense(2 * vectors, f, f) + dense(vectors, f, f)  # both sides twice, and the Gram matrix of each
        return self.iterations * (solved + turned)

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        solved = n_listed * mean_length(n_users, n_interactions) * self.factors * (self.cg_steps + 1.0) / 2
        return dense(n_listed, self.factors, left_by_bounds(n_items)) + solved

    def rounds(self) -> int:
        return self.iterations

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        lists = 4 * self.factors * USERS_AT_A_TIME
        if asked_for():  # in parts users' vectors and all interactions are on nodes
            return 4 * self.factors * ITEM_ROWS * n_items + lists + SCORE_BYTES
        return 4 * self.factors * (n_users + n_items) + max(lists + 8 * n_interactions, SCORE_BYTES)

    def process_memory(self, n_users: int, n_items: int, n_interactions: int, *, mapped: bool = False) -> int:
        return super().process_memory(n_users, n_items, held_rows(n_interactions), mapped=mapped)
