"""Listwise regression: what of the members' lists says that a user goes on to an item, with the fewest numbers."""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Longs
from recmodels.ensemble.fusion import Candidates, RankingObjective, folds_of, summed

PENALTY = 30.0
"""Of the squared coefficients of features of standard deviation 1, beside the sum of the log likelihoods."""


def linear_features(candidates: Candidates) -> Doubles:
    """Of each member whether it lists the item, the logarithm of the rank from 1, and the share: [n, 3m], 0 if not."""
    listed = np.isfinite(candidates.rank)
    rank = np.log1p(np.where(listed, candidates.rank, 0))
    return np.column_stack([listed.astype(np.float64), rank, candidates.share])


@dataclass(frozen=True, eq=False)
class Linear:
    """Coefficients of `linear_features`, and the scores of candidates by those that other users gave."""

    coefficients: Doubles  # [3m]
    unseen: Doubles  # [n], log odds but for a constant of each user
    value: float  # mean NDCG by these scores

    @property
    def log_odds(self) -> Doubles:
        """What trees add to: [n]."""
        return self.unseen


def regressed(objective: RankingObjective, seed: int) -> Linear:
    """The conditional logit of what users went on to among their candidates, measured on users it was not fitted on.

    P(i | u) = exp(w·x_ui) / Σ_j exp(w·x_uj) over the candidates j of u; w has the highest likelihood of all that was
    relevant, less a penalty of its square (McFadden, "Conditional Logit Analysis of Qualitative Choice Behavior", 1974;
    as a loss for ranking: Cao et al., "Learning to Rank: From Pairwise Approach to Listwise Approach", ICML 2007).
    """
    candidates, rows = objective.candidates, linear_features(objective.candidates)
    fold, unseen = folds_of(candidates.n_users, seed), np.zeros(len(candidates))
    for out in np.unique(fold):
        inside = candidates.of_users(fold != out)
        coefficients = _fitted(rows[inside], objective.relevant[inside], candidates.user[inside])
        unseen[~inside] = summed(rows[~inside], coefficients)
    everyone = _fitted(rows, objective.relevant, candidates.user)
    return Linear(everyone, unseen, float(objective.per_user(unseen).mean()))


def _fitted(rows: Doubles, relevant: Bools, user: Longs) -> Doubles:
    """The coefficients: [n_features]; `user` [n], ascending, says whose candidate each row is."""
    from scipy.optimize import minimize

    from recmodels.compute.jit import one_blas_thread

    told = np.bincount(user, relevant) > 0  # of the others nothing is learned
    if not told.any():
        return np.zeros(rows.shape[1])
    rows, relevant, user = rows[told[user]], relevant[told[user]], user[told[user]]
    scale = rows.std(axis=0)
    scale[scale == 0] = 1.0
    rows = rows / scale
    starts = np.flatnonzero(np.diff(user, prepend=-1)).astype(np.int64)
    user = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(user)))
    hits = np.add.reduceat(relevant.astype(np.float64), starts)

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        scores = rows @ weights
        scores -= np.maximum.reduceat(scores, starts)[user]
        odds = np.exp(scores)
        total = np.add.reduceat(odds, starts)
        likelihood = scores[relevant].sum() - hits @ np.log(total)
        gradient = rows.T @ (relevant - (hits / total)[user] * odds)
        return PENALTY * weights @ weights - likelihood, 2 * PENALTY * weights - gradient

    with one_blas_thread():  # sums of several parts would depend on their number
        found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B")
    weights: Doubles = found.x / scale
    return weights
