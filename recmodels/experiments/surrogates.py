"""The effect that an arm will have in the long run, foretold by what its users do early: the surrogate index.

Athey, Chetty, Imbens & Kang (2019, "The surrogate index", NBER 26463): with early signals S and what was known before
X, the index h(S, X) = E[Y | S, X] of an outcome Y is fitted where Y is known already, and the effect of an arm on Y is
the arm's mean of h less that of the others. That is true if

- users are in their arms by lot;
- *surrogacy*: all that the arm does to Y it does by way of S (Prentice 1989);
- *comparability*: who has the same S and X may expect the same Y, in the history and in the experiment.

The first is ours to make. The others cannot be seen in S alone: `recmodels.experiments.surrogacy` tests them together
on effects that have become known.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Doubles
from recmodels.errors import ConfigError

FOLDS = 5
GROUPS = 200
"""Users are put together in so many groups by lot, of whose sums the errors are made: theirs is 5 % of them."""
RIDGE = 1.0  # on columns of variance 1: so much as a single user, and enough where two columns say the same
KNOTS = (0.5, 0.9)  # quantiles at which a line may bend
EDGE = 0.001  # of the history at either end, beyond which a signal is one that the history has not


@dataclass(frozen=True)
class Cohort:
    """Users from an instant on.

    Attributes:
        users: who they are, from 0. Who is in several cohorts has the same number in all, `[n]`.
        before: what was known of them at that instant, NaN where it was not, `[n, n_before]`.
        early: their early signals, in the first days since, NaN where there is none, `[n, n_early]`.
        outcome: what they did in the long run; NaN where that is not known yet, `[n]`.
    """

    users: NDArray[np.integer]
    before: Doubles
    early: Doubles
    outcome: Doubles

    def __len__(self) -> int:
        return len(self.users)

    def take(self, which: NDArray[np.integer] | Bools) -> Self:
        """Some of the users."""
        return replace(self, **{one.name: getattr(self, one.name)[which] for one in fields(self)})

    def only(self, signals: list[int]) -> Self:
        """The same users with some of the early signals."""
        return replace(self, early=self.early[:, signals])

    @classmethod
    def joined(cls, parts: "list[Cohort]") -> Self:
        """Several cohorts as one, such as the months of a history."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))


@dataclass(frozen=True)
class Foretold:
    """The effect of an arm in the long run, as its early signals foretell it.

    Attributes:
        predicted: the arm's mean outcome less that of the others, by the index.
        true: the same of the outcomes themselves; NaN as long as they are not known.
        base: the mean outcome of the others, by the index.
        users: of the arm, and of the others.
        noise: what each group of users adds by chance to the predicted effect and to the true one, `[2, GROUPS]`. Its
            products, summed up, are their variances and their covariance: what is predicted has the chance in who is in
            which arm and that in the fitting of the index.
        error_of_index: the standard error that the fitting of the index alone would make.
        outside: the share of the arm's users with an early signal that hardly anybody in the history has.
        through: the part of the predicted effect that comes by way of each early signal, `[n_early]`; what was known
            before has none.
        of_others: a standard error that comes from other users, of whom no group is.
    """

    predicted: float
    true: float
    base: float
    users: tuple[int, int]
    noise: Doubles
    error_of_index: float
    outside: float
    through: Doubles
    of_others: float = 0.0

    @property
    def error(self) -> float:
        """The standard error of the predicted effect."""
        return float(np.sqrt((self.noise[0] ** 2).sum() + self.of_others**2))

    @property
    def error_of_true(self) -> float:
        """The standard error of the true effect, as far as it is measured; NaN as long as it is not known."""
        return float(np.sqrt((self.noise[1] ** 2).sum()))

    def interval(self, quantile: float = 1.96) -> tuple[float, float]:
        """The ends of the predicted effect, so many standard errors away; the default is for a single look."""
        return self.predicted - quantile * self.error, self.predicted + quantile * self.error


class SurrogateIndex:
    """h(S, X): the outcome that may be expected of a user, by early signals and what was known before.

    A regression on lines that may bend at the median and the 90 % quantile of each column, and on whether a signal is
    there at all. It is cross-fitted: nobody is predicted by a fit that has seen their own outcome, however many cohorts
    they are in. Signals beyond those of the history count as the furthest of them.

    Attributes:
        explained: the share of the outcome's variance that it explains, of users that each fit has not seen.
        explained_before: the share that what was known before explains without any early signal.
    """

    def __init__(self, history: Cohort, *, seed: int = 0) -> None:
        """Fit it.

        Args:
            history: users whose outcome is known.
            seed: of the parting of users into folds.

        Raises:
            ConfigError: there are fewer than ten users for each column of the regression, or all have the same outcome.
        """
        self.seed = seed
        self._columns = _Columns(np.hstack([history.before, history.early]))
        self._history, self._n_before = history, history.before.shape[1]
        design = self._columns.of(np.hstack([history.before, history.early]))
        self._check(design)
        fold = self._fold(history.users)
        self._weights, self._inverse = _cross_fitted(design, history.outcome, fold)
        self._residuals = history.outcome - _by_fold(design, self._weights, fold)
        self._design = design
        variance = float(history.outcome.var())
        self.explained = 1 - float((self._residuals**2).mean()) / variance
        early = self._columns.source >= self._n_before
        alone, _ = _cross_fitted(design[:, ~early], history.outcome, fold)
        left = history.outcome - _by_fold(design[:, ~early], alone, fold)
        self.explained_before = 1 - float((left**2).mean()) / variance

    @property
    def gain(self) -> float:
        """The share that early signals explain of the variance that what was known before leaves."""
        return (self.explained - self.explained_before) / (1 - self.explained_before)

    def predict(self, cohort: Cohort) -> Doubles:
        """The outcome that may be expected of each user, by a fit that has not seen them. [n]"""
        return _by_fold(self._columns.of(_signals(cohort)), self._weights, self._fold(cohort.users))

    def foretell(self, cohort: Cohort, arm: Bools) -> Foretold:
        """The effect of an arm on the outcome of its users in the long run.

        Args:
            cohort: users since the arm began, with their early signals; the outcome may be unknown.
            arm: which of them are in it, `[n]`; the others are in the arm it is compared with.

        Raises:
            ConfigError: where either has fewer than two users.
        """
        n_arm, n_others = int(arm.sum()), int((~arm).sum())
        if min(n_arm, n_others) < 2:
            raise ConfigError(f"An effect needs two users in each arm: there are {n_arm} and {n_others}.")
        design, group = self._columns.of(_signals(cohort)), self._group(cohort.users)
        early = self._columns.source >= self._n_before
        weight, left_of = contrast(arm, design[:, ~early])  # the constant is among what was known before
        weights = self._weights[self._fold(cohort.users)]
        parts = weight @ (design * weights)  # of the predicted effect, by column
        predicted = (design * weights).sum(axis=1)
        signal = self._columns.source[early] - self._n_before
        through = np.bincount(signal, parts[early], cohort.early.shape[1]).astype(np.float64)
        noise = np.zeros((2, GROUPS))
        noise[0] = np.bincount(group, weight * left_of(predicted), GROUPS)
        of_row = self._design @ (self._inverse @ (weight @ design))
        of_index = np.bincount(self._group(self._history.users), of_row * self._residuals, GROUPS)
        noise[0] += of_index
        true = float(weight @ cohort.outcome)
        noise[1] = np.bincount(group, weight * left_of(cohort.outcome), GROUPS) if np.isfinite(true) else np.nan
        return Foretold(
            predicted=float(weight @ predicted),
            true=true,
            base=float(predicted[~arm].mean()),
            users=(n_arm, n_others),
            noise=noise,
            error_of_index=float(np.sqrt((of_index**2).sum())),
            through=through,
            outside=float(self._columns.outside(_signals(cohort), self._n_before)[arm].mean()),
        )

    def _check(self, design: Doubles) -> None:
        if len(design) < 10 * design.shape[1]:
            raise ConfigError(
                f"There are {len(design):,} users whose outcome is known, too few for an index of {design.shape[1]} "
                f"columns: it takes {10 * design.shape[1]:,}."
            )
        if np.ptp(self._history.outcome) == 0:
            raise ConfigError(f"All users have the same outcome, {self._history.outcome[0]:g}: nothing foretells it.")

    def _fold(self, users: NDArray[np.integer]) -> NDArray[np.integer]:
        return by_lot(users, self.seed) % FOLDS

    def _group(self, users: NDArray[np.integer]) -> NDArray[np.integer]:
        return by_lot(users, self.seed) % GROUPS


class _Columns:
    """The columns of the regression, as they are made of signals; `source` is whose each is, -1 of the constant."""

    def __init__(self, signals: Doubles) -> None:
        there = [column[~np.isnan(column)] for column in signals.T]
        there = [one if len(one) else np.zeros(1) for one in there]
        self.low, self.high = (np.array([one.min() for one in there]), np.array([one.max() for one in there]))
        self.usual = np.array([np.quantile(one, (EDGE, 1 - EDGE), method="inverted_cdf") for one in there])
        self.mean = np.array([one.mean() for one in there])
        self.bends = [
            (at, knot)
            for at, one in enumerate(there)
            for knot in np.unique(np.quantile(one, KNOTS, method="inverted_cdf"))
            if one.min() < knot < one.max()
        ]
        self.gaps = [at for at, column in enumerate(signals.T) if 0 < np.isnan(column).mean() < 1]
        self.source = np.array([-1, *range(len(there)), *(at for at, _ in self.bends), *self.gaps])
        self.center, self.scale = np.zeros(len(self.source)), np.ones(len(self.source))
        made = self.of(signals)
        self.center[1:], self.scale[1:] = made[:, 1:].mean(axis=0), np.maximum(made[:, 1:].std(axis=0), 1e-12)

    def of(self, signals: Doubles) -> Doubles:
        """The columns of some users, [n, n_columns]: of mean 0 and variance 1 in the history, after the constant."""
        missing = np.isnan(signals)
        filled = np.clip(np.where(missing, self.mean, signals), self.low, self.high)
        bent = [np.maximum(filled[:, at] - knot, 0.0) for at, knot in self.bends]
        made = np.column_stack([np.ones(len(signals)), filled, *bent, *(missing[:, at] for at in self.gaps)])
        return (made - self.center) / self.scale

    def outside(self, signals: Doubles, first: int) -> Bools:
        """Who has a signal, from the `first` one on, that hardly anybody had. [n]"""
        with np.errstate(invalid="ignore"):
            beyond = (signals < self.usual[:, 0]) | (signals > self.usual[:, 1])
        return np.asarray(beyond[:, first:].any(axis=1), bool)


def _signals(cohort: Cohort) -> Doubles:
    return np.hstack([cohort.before, cohort.early])


def by_lot(users: NDArray[np.integer], seed: int) -> NDArray[np.integer]:
    """A number of each user by lot, the same in every cohort. [n]"""
    mixed = (users.astype(np.uint64) + np.uint64((seed * 0x9E3779B9 + 1) % 2**64)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed ^ (mixed >> np.uint64(27))) >> np.uint64(20)).astype(np.int64)


def _cross_fitted(design: Doubles, outcome: Doubles, fold: NDArray[np.integer]) -> tuple[Doubles, Doubles]:
    """The weights of the fits without each fold, [FOLDS, n_columns], and the inverse that the fit on all has."""
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0.0  # of the constant
    parts = [design[fold == one] for one in range(FOLDS)]
    squares = np.stack([part.T @ part for part in parts])
    products = np.stack([part.T @ outcome[fold == one] for one, part in enumerate(parts)])
    all_squares, all_products = squares.sum(axis=0) + penalty, products.sum(axis=0)
    weights = [np.linalg.solve(all_squares - squares[one], all_products - products[one]) for one in range(FOLDS)]
    return np.stack(weights), np.linalg.inv(all_squares)


def _by_fold(design: Doubles, weights: Doubles, fold: NDArray[np.integer]) -> Doubles:
    found: Doubles = np.einsum("nd,nd->n", design, weights[fold])
    return found


def contrast(arm: Bools, known: Doubles) -> tuple[Doubles, "Rest"]:
    """What each user counts in an effect, as a regression on the arm and on what was known before has it (CUPED).

    Users of the arm count 1 together, the others -1, and what was known before, a constant among it, is the same on
    both sides. With it comes what of the users' values is left to chance.
    """
    rest = Rest(np.column_stack([arm, known]))
    return rest.inverse[0] @ rest.columns.T, rest


class Rest:
    """What of values a regression on some columns does not explain."""

    def __init__(self, columns: Doubles) -> None:
        self.columns = columns
        self.inverse = np.linalg.pinv(columns.T @ columns, hermitian=True)

    def __call__(self, values: Doubles) -> Doubles:
        left: Doubles = values - self.columns @ (self.inverse @ (self.columns.T @ values))
        return left
