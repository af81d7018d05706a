"""A linear graph filter: neighbors, and the low frequencies of the graph of users and items (GF-CF and after)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from hashlib import sha256
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from scipy import sparse

from recmodels.compute.work import mean_length
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.linear.products import InParts, Whole
from recmodels.linear.spectral import ItemFilter, filter_memory, filter_work
from recmodels.options import FitOptions, WarmStarts
from recmodels.parameters import Search, Seed
from recmodels.parted.training import PartedTraining, held_rows, parted_training
from recmodels.scoring.recency import Recency, recent_first
from recmodels.scoring.unchanged import Kept, kept_rows, weights_of_items
from recmodels.scoring.weighted_parts import WeightedParts, Weights, powers_of

BOUND, LOOKED_AT = 0.6, 70  # steps of an item's bound, and for each number of the vectors of those that reach a list

SAME = ("neighbors", "user_exponent", "item_exponent")
"""Hyper-parameters of an earlier model whose neighbors are gone on from."""


@dataclass
class GraphFilter(ItemFilter):
    r"""A linear filter of the graph of users and items: item neighbors, and its low frequencies.

    Score = x D_i^-before f(AᵀA) D_i^after for a history x, with A = D_u^-user_exponent R D_i^-item_exponent; D_u and
    D_i hold the sums of the weights R of each user and item. GF-CF takes exponents of 1/2 and f(λ) = λ, plus a constant
    on the `rank` largest eigenvalues. Here f is that of a ridge regression, λ / (λ + saturation λ_max), which tames the
    few largest ones as EASE and sharpening do, and grows `remainder` times as fast as f(λ_r) / λ_r beyond: noisy detail
    counts for less. No training: eigenvectors, and one sparse product.

    Attributes:
        vectors_: float32 [n_items, r], the eigenvectors of the r = `rank` largest eigenvalues of AᵀA.
        lengths_: float32 [n_items], of the rows of `vectors_`.
        response_: float32 [r], f at these eigenvalues, less its linear part.
        near_: float32 sparse [n_items, n_items], the linear part of f(AᵀA): the largest entries of each row.
        known_: bool [n_items], items with interactions.
        slope_: what the entries of AᵀA were multiplied by.
        item_weights_: float32 [n_items], of the interactions that each item had when its neighbors were looked for.
        before_: float32 [n_items], D_i^-before; zeros without interactions.
        after_: float32 [n_items], D_i^after; zeros without interactions.

    References:
        Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
        Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021 (GF-CF).
        Choi et al., "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> GraphFilter(rank=2).fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    delegates: ClassVar[bool] = True
    leaner: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"rank": 256, "neighbors": 500}, {"rank": 64, "neighbors": 200},
    )  # fmt: skip

    rank: Annotated[int, Ge(1), Search(32, 1024, log=True)] = 512
    """How many eigenvectors: more is finer, and costs time (items times rank²) and memory (items times rank)."""
    user_exponent: Annotated[float, Ge(0), Search(0.0, 0.8)] = 0.4
    """How much less each interaction of an active user counts: 0 not at all, 0.5 as in a cosine."""
    item_exponent: Annotated[float, Ge(0), Search(0.0, 0.8)] = 0.3
    """How much less interactions with popular items count."""
    before: float = 0.55
    """The same once more for the items of the user's own history."""
    after: float = 0.22
    """How much lists favor popular items."""
    saturation: Annotated[float, Gt(0), Search(0.3, 1.0)] = 0.9
    """The share of the largest eigenvalue at which f has risen to a half; larger is closer to plain neighbors."""
    remainder: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.55
    """Weight of the eigenvalues beyond `rank`; 0 is the ideal low-pass filter alone."""
    neighbors: Annotated[int, Ge(1)] = 1000
    """How many entries of each row of AᵀA are kept."""
    recency: Recency = 0.0
    """How much less the earlier items of a history count: by (1 + items that came after)^-recency. 0: all alike."""
    warm_start: WarmStarts = "always"
    """Which trainings start from an earlier model: none; the final one, on all data; also those that are compared."""
    warm_change: Annotated[float, Ge(0)] = 0.05
    """The neighbors of an item are looked for anew then if its interactions have changed by more than this share since
    they last were."""
    seed: Seed = 0

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        def response(values: Floats) -> Floats:
            risen: Floats = values / (values + np.float32(self.saturation) * values[0])
            return risen

        near = self._earlier_vectors(options)
        kept = cache(partial(self._earlier_entries, data, options))
        made_from = {"parameters": asdict(self), "start": None if near is None else sha256(near.data).hexdigest()}
        if options.parts is not None and (entries := kept()) is not None:
            made_from["kept"] = entries.digest
        with parted_training(options.parts, "graph_filter", data, made_from) as training:
            self._fit_filter(
                self._whole(data) if training is None else self._in_parts(training, data, kept()),
                data.item_counts > 0,
                response,
                lambda values: self.remainder / float(values[-1] + self.saturation * values[0]),
                rank=self.rank,
                neighbors=self.neighbors,
                seed=self.seed,
                near=near,
                kept=kept,
            )
        sums = data.item_weights
        if self.item_weights_ is None:
            self.item_weights_ = weights_of_items(data)
        self.before_ = powers_of(sums, -self.before)
        self.after_ = powers_of(sums, self.after)

    def _history(self, data: Dataset, users: Ints) -> Csr:
        return recent_first(data, users, self.recency)

    def _whole(self, data: Dataset) -> Whole:
        """A, in memory."""
        matrix, weights = data.matrix, self._weights()
        of_user = np.repeat(weights.of_users(matrix, data.n_items), np.diff(matrix.indptr))
        values = weights.values(matrix.data, of_user, weights.of_items(data.item_weights)[matrix.indices])
        return Whole(sparse.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape))

    def _in_parts(self, training: PartedTraining, data: Dataset, kept: Kept | None) -> InParts:
        """The same by the parts of the data."""
        return InParts(WeightedParts.of(training, data, self._weights(), None if kept is None else kept.changed))

    def _weights(self) -> Weights:
        return Weights("powers", exponents=(-self.user_exponent, -self.item_exponent))

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return filter_work(n_users, n_items, n_interactions, self.rank, self.neighbors)

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        near = mean_length(n_users, n_interactions) * min(self.neighbors, n_items)
        return n_listed * (near + BOUND * n_items + LOOKED_AT * self.rank)

    def _earlier_vectors(self, options: FitOptions) -> Floats | None:
        """The eigenvectors of an earlier model of the same rank, at today's items; zeros for new ones."""
        start = options.warm_start
        if start is None or not isinstance(start.model, GraphFilter) or start.model.rank != self.rank:
            return None
        return start.known_rows("items", start.model.vectors_)

    def _earlier_entries(self, data: Dataset, options: FitOptions) -> Kept | None:
        """The entries of AᵀA that are those of an earlier model of as many neighbors, and the same A."""
        start = options.warm_start
        if start is None or not isinstance(earlier := start.model, GraphFilter) or not hasattr(earlier, "slope_"):
            return None
        if earlier.item_weights_ is None or any(getattr(earlier, name) != getattr(self, name) for name in SAME):
            return None
        return kept_rows(start, earlier._entries(), earlier.item_weights_, weights_of_items(data), self.warm_change)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return filter_memory(n_users, n_items, held_rows(n_interactions), self.rank, self.neighbors)

    def process_memory(self, n_users: int, n_items: int, n_interactions: int, *, mapped: bool = False) -> int:
        return super().process_memory(n_users, n_items, held_rows(n_interactions), mapped=mapped)
