"""A contextual bandit over a few arms in batch form: it learns from a night's log and gives probabilities for the next.

Each arm has a linear model of its reward, reward = x·θ + noise, whose posterior is in closed form:

    A = λI + Σ x xᵀ,   b = Σ x r,   θ ~ N(A⁻¹b, noise² A⁻¹)

References: LinUCB, Li, Chu, Langford & Schapire 2010; Thompson sampling, Agrawal & Goyal 2013.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

DRAWS = 2_000
BLOCK = 1 << 24  # numbers in memory at once


@dataclass
class LinearBandit:
    """Which arm to pull in which context.

    Args:
        n_arms: the number of arms.
        n_features: the length of a context, such as 1 for each segment of users, or a constant and some features.
        policy: `thompson` pulls each arm as often as it may be the best one; `linucb` the one that may be best of all.
        explore: for `linucb`, the deviations above the mean that an arm is credited with.
        floor: the least probability of all arms together that is shared among them, so that each can be judged.
        regularization: λ, the prior's precision.
        noise: the standard deviation of a reward.

    Attributes:
        precision: A of each arm, `[n_arms, n_features, n_features]`.
        moment: b of each arm, `[n_arms, n_features]`.
    """

    n_arms: int
    n_features: int
    policy: Literal["thompson", "linucb"] = "thompson"
    explore: float = 1.0
    floor: float = 0.05
    regularization: float = 1.0
    noise: float = 0.5

    def __post_init__(self) -> None:
        self.precision = np.tile(self.regularization * np.eye(self.n_features), (self.n_arms, 1, 1))
        self.moment = np.zeros((self.n_arms, self.n_features))

    def learn(
        self, contexts: Floats, arms: NDArray[np.integer], rewards: Floats, weights: Floats | None = None
    ) -> "LinearBandit":
        """Take in what came of a night: contexts `[n, n_features]`, the arm pulled `[n]`, the reward `[n]`.

        `weights` `[n]`: how many pulls a row stands for, whose mean reward is given; one by default.
        """
        for arm in range(self.n_arms):
            mine = arms == arm
            own = contexts[mine]
            weighted = own if weights is None else own * weights[mine, None]
            self.precision[arm] += own.T @ weighted
            self.moment[arm] += weighted.T @ rewards[mine]
        return self

    def probabilities(self, contexts: Floats, seed: int = 0) -> Floats:
        """How probable each arm is to be pulled in each context, `[n, n_arms]`: the exact propensities.

        Thompson's are frequencies over posterior draws that are the same for all contexts; pulling by them makes them
        exact, whatever the number of draws.
        """
        distinct, place = np.unique(contexts, axis=0, return_inverse=True)
        means: Floats = np.linalg.solve(self.precision, self.moment[:, :, None])[:, :, 0].astype(
            np.float64
        )  # [n_arms, n_features]
        best = self._thompson(distinct, means, seed) if self.policy == "thompson" else self._linucb(distinct, means)
        return (self.floor / self.n_arms + (1 - self.floor) * best)[place.reshape(-1)]

    def pull(self, probabilities: Floats, uniform: Floats) -> NDArray[np.int64]:
        """The arm of each row, by a number in [0, 1) of its own, `[n]`."""
        arms: NDArray[np.int64] = (probabilities.cumsum(axis=1) <= uniform[:, None]).sum(axis=1)
        return np.minimum(arms, self.n_arms - 1)

    def _thompson(self, contexts: Floats, means: Floats, seed: int) -> Floats:
        random = np.random.default_rng(seed)
        factors = np.linalg.cholesky(np.linalg.inv(self.precision))  # [n_arms, n_features, n_features]
        noise = random.standard_normal((DRAWS, self.n_arms, self.n_features))
        drawn = means + self.noise * np.einsum("aij,daj->dai", factors, noise)
        wins = np.zeros((len(contexts), self.n_arms))
        rows = max(1, BLOCK // (DRAWS * self.n_arms))
        for start in range(0, len(contexts), rows):
            values = np.einsum("nf,daf->nda", contexts[start : start + rows], drawn)
            best = values.argmax(axis=2)
            for arm in range(self.n_arms):
                wins[start : start + rows, arm] = (best == arm).mean(axis=1)
        return wins

    def _linucb(self, contexts: Floats, means: Floats) -> Floats:
        deviation = np.sqrt(np.einsum("nf,afg,ng->na", contexts, np.linalg.inv(self.precision), contexts))
        bounds = contexts @ means.T + self.explore * self.noise * deviation
        highest = bounds == bounds.max(axis=1, keepdims=True)
        shares: Floats = highest / highest.sum(axis=1, keepdims=True)
        return shares
