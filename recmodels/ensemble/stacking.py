"""Stacking: gradient-boosted trees that rank the candidates of several members, kept as plain arrays."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Doubles, Floats, Ints, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.ensemble.fusion import Candidates, RankingObjective, folds_of

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

OFFSET = 10.0  # of the reciprocal ranks among the features
HALF_LIFE = 30.0  # days after which an interaction counts half in recent popularity
FOLDS = 3
BLEND_WEIGHTS = (0.0, 0.5, 1.0, 2.0)  # of the simpler fusion that are tried, beside the trees

PARTS = ("roots", "feature", "threshold", "left", "right", "value")


@dataclass(frozen=True, eq=False)
class Trees:
    """The sum of regression trees, as arrays of nodes: log odds that a candidate is relevant."""

    roots: Ints  # [n_trees], the first node of each
    feature: Ints  # [n_nodes], what a node looks at
    threshold: Doubles  # [n_nodes]; at most this much goes left
    left: Ints  # [n_nodes], -1 at leaves
    right: Ints
    value: Doubles  # [n_nodes], of leaves

    @classmethod
    def none(cls) -> "Trees":
        nodes = np.empty(0, np.int32)
        return cls(nodes, nodes, np.empty(0), nodes, nodes, np.empty(0))

    @classmethod
    def of(cls, booster: Any) -> "Trees":
        """The trees of a fitted HistGradientBoostingClassifier of two classes; the first is a leaf, its baseline."""
        nodes = [stage[0].nodes for stage in booster._predictors]
        sizes = np.array([len(tree) for tree in nodes])
        roots = 1 + np.cumsum(sizes) - sizes
        every = np.concatenate(nodes)
        shift = np.repeat(roots, sizes)
        leaf = every["is_leaf"].astype(bool)
        baseline = np.asarray(booster._baseline_prediction).ravel()[:1]
        return cls(
            roots=np.append(0, roots).astype(np.int32),
            feature=np.append(0, every["feature_idx"]).astype(np.int32),
            threshold=np.append(0, every["num_threshold"]).astype(np.float64),
            left=np.append(-1, np.where(leaf, -1, every["left"] + shift)).astype(np.int32),
            right=np.append(-1, np.where(leaf, -1, every["right"] + shift)).astype(np.int32),
            value=np.append(baseline, every["value"]).astype(np.float64),
        )

    def scores(self, rows: Doubles) -> Doubles:
        """The log odds of each row [n, n_features]; what scikit-learn calls the decision function."""
        from recmodels.ensemble.kernels import forest

        scores: Doubles = forest(np.ascontiguousarray(rows), *(getattr(self, name) for name in PARTS))
        return scores


def item_features(data: Dataset) -> Doubles:
    """Popularity and recent popularity of each item: [n_items, 2]."""
    age = (data.end - data.timestamp) / MICROSECONDS_PER_DAY
    total = np.log1p(np.bincount(data.item_index, data.weight, data.n_items))
    late = np.log1p(np.bincount(data.item_index, data.weight * 0.5 ** (age / HALF_LIFE), data.n_items))
    return np.column_stack([total / max(total.max(), 1e-9), late / max(late.max(), 1e-9)])


def user_features(data: Dataset, users: Ints) -> Doubles:
    """Length of each user's history, and days since their last interaction: [n, 2]."""
    length = row_lengths(data.indptr, users)
    last = data.timestamp[np.maximum(data.indptr[users + 1] - 1, 0)] if len(data) else 0
    away = np.where(length > 0, data.end - last, 0) / MICROSECONDS_PER_DAY
    return np.column_stack([np.log1p(length), np.log1p(away)])


def features(candidates: Candidates, about_items: Doubles, about_users: Doubles, own: Floats | None = None) -> Doubles:
    """What the trees see of each candidate: [n, m + 7], and the site's own columns `own` [n, c] after it.

    Of each member the share of the score; how many members list it, and the means of the reciprocal ranks and of the
    shares; then what is known of the item and of the user.
    """
    return np.column_stack(
        [
            candidates.share,
            np.isfinite(candidates.rank).sum(axis=1),
            candidates.reciprocal(OFFSET).mean(axis=1),
            candidates.share.mean(axis=1),
            about_items[candidates.item],
            about_users[candidates.user],
            *([] if own is None else [own]),
        ]
    )


@dataclass(frozen=True, eq=False)
class Stack:
    """Trees, the weight of the simpler fusion beside them, and their NDCG for users that neither was fitted on."""

    trees: Trees
    blend: float  # what the log odds of the simpler fusion are multiplied by, to be added to those of the trees
    value: float  # mean NDCG, each user measured with what was fitted on others
    without: Trees  # fitted without the users of some candidates
    out: Bools  # which candidates these are: [n]


def stacked(
    objective: RankingObjective, rows: Doubles, beside: Doubles, n_trees: int, leaves: int, rate: float, seed: int
) -> Stack:
    """Trees fitted to which candidates are relevant, and the weight of what stands `beside` them, by other users.

    `beside` [n]: log odds of the candidates by a fusion that other users gave.
    """
    fold, unseen = folds_of(objective.candidates.n_users, seed, FOLDS), np.zeros(len(rows))
    for out in np.unique(fold):
        inside = objective.candidates.of_users(fold != out)
        trees = boosted(rows[inside], objective.relevant[inside], n_trees, leaves, rate, seed)
        unseen[~inside] = trees.scores(rows[~inside])
    without, held_out = trees, ~inside
    values = [float(objective.per_user(unseen + share * beside).mean()) for share in BLEND_WEIGHTS]
    trees = boosted(rows, objective.relevant, n_trees, leaves, rate, seed)
    return Stack(trees, BLEND_WEIGHTS[int(np.argmax(values))], max(values), without, held_out)


def boosted(rows: Doubles, relevant: NDArray[np.bool_], n_trees: int, leaves: int, rate: float, seed: int) -> Trees:
    """Fitted on one thread: sums of several parts would depend on their number."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    booster = HistGradientBoostingClassifier(
        max_iter=n_trees,
        learning_rate=rate,
        max_leaf_nodes=leaves,
        min_samples_leaf=min(100, max(5, len(rows) // 100)),
        l2_regularization=10.0,
        early_stopping=False,
        random_state=seed,
    )
    with _pools().limit(limits=1):
        return Trees.of(booster.fit(rows, relevant))


@cache
def _pools() -> "ThreadpoolController":
    """The threads of the libraries that scikit-learn has loaded: to look for them takes as long as a few trees."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
