"""A proxy of the long run that is learned from past experiments: which early effects went with which late ones.

The surrogate index learns from users, and is wrong where an arm goes on doing what it does: what pleased a user by
chance is over next week, and what an arm pleases them by is not. Past arms went on, too. So with enough of them, late
effects are regressed on early ones, with the chance that both share taken off: the total covariance estimator of
Bibaut, Chou, Ejdemyr & Kallus (KDD 2024), weights = (Σ s s' - Ω_ss)⁻¹ (Σ s y - Ω_sy) over experiments with early
effects s, late ones y, and the covariance Ω of their errors, which is known from the users of each. Signals that say
nearly the same are many and experiments few, so only those mixtures of signals count in which arms differ by more than
chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools, Doubles
from recmodels.errors import ConfigError
from recmodels.experiments.surrogates import GROUPS, Cohort, Foretold, by_lot, contrast

LEAST = 1e-9  # of the mean square of early effects, so that there is some chance in all of them


@dataclass(frozen=True)
class Effects:
    """What an arm did early and late.

    Attributes:
        early: its effect on each early signal, `[n_early]`.
        late: its effect on the outcome; NaN as long as that is not known.
        base: the mean outcome of the others; NaN likewise.
        users: of the arm, and of the others.
        noise: what each group of users adds by chance to each early effect and, last, to the late one,
            `[n_early + 1, GROUPS]`.
    """

    early: Doubles
    late: float
    base: float
    users: tuple[int, int]
    noise: Doubles

    @classmethod
    def measured(cls, cohort: Cohort, arm: Bools) -> "Effects":
        """Of users in arms; what was known of them before explains what it can (CUPED).

        Args:
            cohort: the users.
            arm: which of them are in the arm, `[n]`; the others are in the one it is compared with.
        """
        known = np.column_stack([np.ones(len(arm)), cohort.before])
        values, noise = zip(
            *(_measured(column, known, arm, cohort.users) for column in (*cohort.early.T, cohort.outcome)), strict=True
        )
        users = (int(arm.sum()), int((~arm).sum()))
        base = float(cohort.outcome[~arm].mean())
        return cls(np.array(values[:-1]), float(values[-1]), base, users, np.stack(noise))

    @classmethod
    def paired(cls, arm: Cohort, others: Cohort) -> "Effects":
        """Of the same users once in the arm and once not, as only a simulation has them."""
        ours, theirs = (np.column_stack([one.early, one.outcome]) for one in (arm, others))
        differences, group = ours - theirs, by_lot(arm.users, 0) % GROUPS
        values, noise = np.zeros(differences.shape[1]), np.zeros((differences.shape[1], GROUPS))
        for at, column in enumerate(differences.T):
            there = ~np.isnan(column)
            values[at] = column[there].mean() if there.any() else np.nan
            noise[at] = np.bincount(group[there], (column[there] - values[at]) / max(there.sum(), 1), GROUPS)
        base = float(others.outcome.mean())
        return cls(values[:-1], float(values[-1]), base, (len(arm), len(others)), noise)

    def only(self, signals: Sequence[int]) -> "Effects":
        """The same with some of the early signals."""
        return Effects(self.early[signals], self.late, self.base, self.users, self.noise[[*signals, -1]])


class Proxy:
    """Late effects by early ones.

    Attributes:
        weights: the late effect of each unit of an early one, `[n_early]`.
        covariance: of the weights, by which experiments they were learned from, `[n_early, n_early]`.
    """

    def __init__(self, past: Sequence[Effects]) -> None:
        """Learn from experiments whose late effects are known, each on users of its own.

        Raises:
            ConfigError: there are not more experiments than early signals, or their early effects are chance alone.
        """
        early, late = np.stack([one.early for one in past]), np.array([one.late for one in past])
        n, n_early = early.shape
        if n <= n_early:
            raise ConfigError(f"There are {n} experiments to learn from, too few for {n_early} early signals.")
        noise = np.stack([one.noise for one in past])
        errors = np.einsum("epg,eqg->epq", noise, noise)  # [n, n_early + 1, n_early + 1]
        unit = np.sqrt(np.maximum((early**2).mean(axis=0), 1e-300))
        squares = early[:, :, None] * early[:, None, :] - errors[:, :-1, :-1]
        products = early * late[:, None] - errors[:, :-1, -1]
        squares, products = squares / np.outer(unit, unit), products / unit
        inverse = _inverse(early / unit, errors[:, :-1, :-1].sum(axis=0) / np.outer(unit, unit))
        weights = inverse @ products.sum(axis=0)
        each = inverse @ (products - squares @ weights).T  # [n_early, n]
        self.weights = weights / unit
        self.covariance = each @ each.T * (n / (n - n_early)) / np.outer(unit, unit)

    def foretell(self, effects: Effects) -> Foretold:
        """The late effect of another experiment, by its early ones."""
        noise = np.stack([self.weights @ effects.noise[:-1], effects.noise[-1]])
        of_weights = float(np.sqrt(effects.early @ self.covariance @ effects.early))
        return Foretold(
            predicted=float(self.weights @ effects.early),
            true=effects.late,
            base=effects.base,
            users=effects.users,
            noise=noise,
            error_of_index=of_weights,
            outside=0.0,
            through=self.weights * effects.early,
            of_others=of_weights,
        )


def _measured(values: Doubles, known: Doubles, arm: Bools, users: np.ndarray) -> tuple[float, Doubles]:
    """An effect and what each group of users adds to it by chance, of the users who have a value."""
    there = ~np.isnan(values)
    if min((arm & there).sum(), (~arm & there).sum()) < 2:
        return float("nan"), np.full(GROUPS, np.nan)
    weight, left_of = contrast(arm[there], known[there])
    noise = np.bincount(by_lot(users[there], 0) % GROUPS, weight * left_of(values[there]), GROUPS)
    return float(weight @ values[there]), noise.astype(np.float64)


def _inverse(early: Doubles, errors: Doubles) -> Doubles:
    """The inverse of early effects' squares without their errors, over the mixtures in which there is more than chance.

    In units of their errors, squares of chance alone have eigenvalues up to (1 + sqrt(n_early / n))² (Marchenko and
    Pastur 1967). What is beyond has eigenvalues less 1 without its errors.
    """
    n, n_early = early.shape
    root = np.linalg.inv(np.linalg.cholesky(errors + LEAST * n * np.eye(n_early)))
    values, vectors = np.linalg.eigh(root @ early.T @ early @ root.T)
    beyond = values > (1 + np.sqrt(n_early / n)) ** 2
    if not beyond.any():
        raise ConfigError("The early effects of all experiments are no more than chance: nothing is learned by them.")
    ways = root.T @ vectors[:, beyond] / np.sqrt(values[beyond] - 1)
    inverse: Doubles = ways @ ways.T
    return inverse
