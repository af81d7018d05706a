"""EASE: a linear item-item autoencoder with a closed form (Steck, "Embarrassingly Shallow Autoencoders", 2019)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge

from recmodels.base import SCORE_BYTES, Recommender
from recmodels.compute import memory
from recmodels.compute.work import dense, gram, mean_length, neighbors_work
from recmodels.data.arrays import Bools, Csr, Floats, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.linear import gram_inverse
from recmodels.linear.ease_weights import DenseWeights, SparseWeights
from recmodels.options import FitOptions, WarmStarts
from recmodels.parameters import Search
from recmodels.parted.training import held_rows, parted_training
from recmodels.ranking.topk import TopK
from recmodels.scoring.recency import Recency, histories_and_rows, recent_first
from recmodels.scoring.sparse_product import SCANNED, Factors, product_lists, stored_reasons, stored_similar
from recmodels.scoring.unchanged import Kept, kept_rows, weights_of_items

log = logging.getLogger(__name__)

EXACT_ITEMS = 20_000
"""Up to so many items the matrix is inverted on the processor: 1.6 GB, and about a minute on two cores."""

PRODUCTS, STEPS = 1.5e-7, 1 / 18
"""What an entry of the Gram matrix of a regression takes: of each interaction of the site, as the items that others are
regressed on are mostly popular ones, whose columns grow with it; and to be solved."""

Method = Literal["auto", "exact", "approximate"]


@dataclass
class EASE(Recommender):
    r"""A linear item-item autoencoder with a closed form.

    Score = x B for a history x, where B minimizes |X - X B|² + regularization |B|² with a zero diagonal. With
    P = (XᵀX + regularization I)⁻¹: B_ij = -P_ij / P_jj off the diagonal. Only items with interactions take part; memory
    grows with their square (float32, inverted in place), time with their cube.

    Column j of B is the ridge regression of item j on all others. For larger catalogs it is approximated by the
    regression on the `neighbors` items whose columns of X are most similar, as fsSLIM chooses them: memory grows with
    the items only, and only scores above 0 are listed.

    Attributes:
        method_: "exact" or "approximate", which of the two was fitted.
        items_: int32 [m], exact alone: the items with interactions, ascending.
        weights_: float32 [m, m], exact alone: B of these items.
        sparse_weights_: float32 sparse [n_items, n_items], approximate alone: B.
        item_weights_: float32 [n_items], approximate alone: of the interactions that each had when it was regressed.

    References:
        Ning & Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011 (fsSLIM).
        Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> EASE(regularization=1.0).fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    leaner: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"method": "approximate"},
        {"method": "approximate", "neighbors": 200},
    )
    folds_in: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False
    uses_gpu: ClassVar[bool] = True
    delegates: ClassVar[bool] = True

    regularization: Annotated[float, Ge(0), Search(10.0, 10_000.0, log=True)] = 500.0
    """In units of weight squared: larger means smoother, and closer to popularity."""
    method: Method = "auto"
    """`auto`: exact for up to 20,000 items (on CUDA: for as many as its memory takes), if memory allows."""
    neighbors: Annotated[int, Ge(1)] = 500
    """Approximation alone: how many other items each item is regressed on."""
    recency: Recency = 0.0
    """How much less the earlier items of a history count: by (1 + items that came after)^-recency. 0: all alike."""
    warm_start: WarmStarts = "always"
    """Approximation alone: which trainings start from an earlier model: none; the final one, on all data; also those
    that are compared."""
    warm_change: Annotated[float, Ge(0)] = 0.05
    """An item is regressed anew then if its interactions have changed by more than this share since it last was."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        n_items = len(data.known_items)
        memory.require(self.memory_needed(data.n_users, n_items, len(data)), "ease", n_items)
        self.method_: Literal["exact", "approximate"] = "exact" if self._exact(n_items, len(data)) else "approximate"
        kept = self._kept(data, options) if self.method_ == "approximate" else None
        made_from = {"parameters": asdict(self), "start": None if kept is None else kept.digest}
        with parted_training(options.parts, "ease", data, made_from) as training:
            if self.method_ == "exact":
                dense = DenseWeights.fit(data, self.regularization, training)
                self.items_: Ints = dense.items
                self.weights_: Floats = dense.weights
            else:
                sparse = SparseWeights.fit(data, self.regularization, self.neighbors, training, kept)
                self.sparse_weights_: Csr = sparse.weights
                self.item_weights_: Floats = weights_of_items(data) if kept is None else kept.weights

    def _kept(self, data: Dataset, options: FitOptions) -> Kept | None:
        """What is taken over of an earlier approximation by the same parameters, if there is one."""
        start = options.warm_start
        if start is None or not isinstance(earlier := start.model, EASE) or not hasattr(earlier, "item_weights_"):
            return None
        if (earlier.regularization, earlier.neighbors) != (self.regularization, self.neighbors):
            return None
        by_target: Csr = earlier.sparse_weights_.T.tocsr()
        kept = kept_rows(start, by_target, earlier.item_weights_, weights_of_items(data), self.warm_change)
        known = data.known_items
        log.info("%d of %d items are regressed anew.", kept.changed[known].sum(), len(known))
        return kept

    def _learned(self) -> DenseWeights | SparseWeights:
        if self.method_ == "exact":
            return DenseWeights(self.items_, self.weights_, self.n_items_)
        return SparseWeights(self.sparse_weights_)

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats, batch: int | None
    ) -> TopK:
        learned = self._learned()
        if isinstance(learned, SparseWeights):
            return product_lists(self._product, data, users, k, allowed, repeats, batch)
        return super()._lists(data, users, k, allowed, repeats, batch)

    def _history(self, data: Dataset, users: Ints) -> Csr:
        return recent_first(data, users, self.recency)

    def _product(self, data: Dataset, users: Ints) -> Factors:
        return self._history(data, users), self.sparse_weights_, np.ones(data.n_items, np.float32)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return self._learned().scores(self._history(data, users))

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        learned = self._learned()
        if isinstance(learned, SparseWeights):
            histories, rows = histories_and_rows(data, users, self.recency)
            return stored_reasons(histories, learned.weights, rows, top.items)
        return super()._explain(data, users, top)

    def _similar(self, items: Ints) -> Floats:
        return self._learned().similar(items)

    def _similar_items(self, items: Ints, k: int, allowed: Bools | None) -> TopK:
        learned = self._learned()
        if isinstance(learned, SparseWeights):
            return stored_similar(learned.weights, items, k, allowed)
        return super()._similar_items(items, k, allowed)

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return self._learned().affinity(sources, targets)

    def _exact(self, n_items: int, n_interactions: int) -> bool:
        if self.method != "auto":
            return self.method == "exact"
        small = n_items <= EXACT_ITEMS or gram_inverse.device_for(n_items) == "cuda"
        return small and gram_inverse.memory_needed(n_items, held_rows(n_interactions)) <= memory.available()

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        if self._exact(n_items, n_interactions):
            return gram(n_users, n_interactions) + dense(n_items, n_items, n_items)
        m = min(self.neighbors, n_items)
        regressed = PRODUCTS * n_interactions + STEPS  # an entry of a Gram matrix [m, m]
        return neighbors_work(n_users, n_interactions, n_items, m) + n_items * m**2 * regressed

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        row = n_items if self._exact(n_items, n_interactions) else min(self.neighbors, n_items)
        return n_listed * (mean_length(n_users, n_interactions) * row + SCANNED * n_items)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        if self._exact(n_items, n_interactions):
            return gram_inverse.memory_needed(n_items, held_rows(n_interactions))
        copies = 16 * held_rows(n_interactions)  # X by item, and by user, or the entries of what one is regressed on
        weights = 8 * n_items * min(self.neighbors, n_items)
        return weights + max(copies, weights, SCORE_BYTES)  # they are transposed in the end

    def process_memory(self, n_users: int, n_items: int, n_interactions: int, *, mapped: bool = False) -> int:
        return super().process_memory(n_users, n_items, held_rows(n_interactions), mapped=mapped)
