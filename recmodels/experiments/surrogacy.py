"""Whether early signals foretell the effects of arms: true effects against those foretold, of arms that are known.

Both are estimated on the same users, and who happens to do more in an arm early happens to do more later. So estimated
effects go together even where arms do nothing at all, and plain least squares of one on the other finds how *users*
are foretold and not how *effects* are. More experiments do not help (Bibaut, Chou, Ejdemyr & Kallus, KDD 2024). Here
the chance that they share is known from the users, and is taken off: the same as if each effect were foretold by some
of the users and measured on others, averaged over all ways of parting them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.experiments.surrogates import GROUPS, Foretold

ONE_LOOK = 1.96
"""The standard errors that an interval of 95 % reaches to either side."""
NEAR = 0.2
"""So far from 1 a slope may be: effects are foretold that well."""


@dataclass(frozen=True)
class Surrogacy:
    """How true effects follow those foretold: true = slope times foretold.

    Attributes:
        slope: 1 if they are foretold as they come; NaN where nothing was foretold to happen.
        low: the lower end of its interval; -inf where the effects are too small to say.
        high: the upper end.
        naive: the slope by plain least squares, which shared chance draws towards that of users.
        correlation: of true effects with those foretold, around 0, without the chance in both; at most 1 but for the
            chance that is left, NaN where either does not vary beyond chance.
        wrong_sign: the share of the effects that were measured on the other side of 0.
        effects: how many there are.
    """

    slope: float
    low: float
    high: float
    naive: float
    correlation: float
    wrong_sign: float
    effects: int

    @property
    def told(self) -> bool:
        """Whether the effects were large enough for the interval to have two ends."""
        return self.low > -inf and self.high < inf

    @property
    def near(self) -> bool:
        """Whether the slope is 1 ± 0.2, and the interval has 1 in it and not 0."""
        return abs(self.slope - 1) <= NEAR and self.low <= 1 <= self.high and self.low > 0


def of_these(effects: Sequence[Foretold], quantile: float = ONE_LOOK) -> Surrogacy:
    """The slope of these very effects, such as those of a site's arms.

    The interval has the chance in the users and in the fitting of the index. What another arm would do is not in it.
    Effects may share users. Each counts by how exactly it was measured.
    """
    noise = np.stack([one.noise for one in effects], axis=1).reshape(2 * len(effects), GROUPS)
    covariance = noise @ noise.T  # predicted effects first, then true ones
    point = np.array([*(one.predicted for one in effects), *(one.true for one in effects)])
    weight = np.diag(1 / np.maximum(np.diag(covariance)[len(effects) :], 1e-300))
    nothing = np.zeros_like(weight)
    # Products of effects are quadratic forms of them: of true with predicted, and of predicted with themselves.
    forms = [
        np.block([[nothing, weight / 2], [weight / 2, nothing]]),
        np.block([[weight, nothing], [nothing, nothing]]),
    ]
    products = [float(point @ form @ point - np.trace(form @ covariance)) for form in forms]
    spread = np.array([[_covariance(point, covariance, one, other) for one in forms] for other in forms])
    return _surrogacy(effects, np.diag(weight), products[0], products[1], spread, quantile)


def over_experiments(effects: Sequence[Foretold]) -> Surrogacy:
    """The slope over experiments of which these are a sample, each on users of its own.

    The interval has the chance in which experiments they are, beside that in their users. It takes three of them.
    """
    from scipy import stats

    n = len(effects)
    each = np.array(
        [
            (
                one.true * one.predicted - float(one.noise[0] @ one.noise[1]),
                one.predicted**2 - float(one.noise[0] @ one.noise[0]),
            )
            for one in effects
        ]
    )
    spread = n * np.cov(each.T)
    products = each.sum(axis=0)
    return _surrogacy(effects, np.ones(n), products[0], products[1], spread, float(stats.t.ppf(0.975, n - 1)))


def _surrogacy(
    effects: Sequence[Foretold], weight: Doubles, both: float, foretold: float, spread: Doubles, quantile: float
) -> Surrogacy:
    """A slope from the sums of products of true with predicted effects and of predicted ones with themselves."""
    predicted, true = (np.array(one) for one in zip(*((one.predicted, one.true) for one in effects), strict=True))
    errors = np.array([one.error_of_true for one in effects])
    of_true = float(weight @ (true**2 - errors**2))
    low, high = _fieller(both, foretold, spread, quantile)
    return Surrogacy(
        slope=both / foretold if foretold > 0 else nan,
        low=low,
        high=high,
        naive=float(weight @ (predicted * true) / (weight @ predicted**2)) if predicted.any() else nan,
        correlation=both / sqrt(foretold * of_true) if min(foretold, of_true) > 0 else nan,
        wrong_sign=float((predicted * true < 0).mean()),
        effects=len(effects),
    )


def _fieller(above: float, below: float, spread: Doubles, quantile: float) -> tuple[float, float]:
    """The interval of a ratio of two estimates with a covariance (Fieller 1954): all of it where it has no ends."""
    q = quantile**2
    a = below**2 - q * spread[1, 1]
    b = above * below - q * spread[0, 1]
    c = above**2 - q * spread[0, 0]
    if a <= 0 or below <= 0:
        return -inf, inf
    half = sqrt(max(b**2 - a * c, 0.0))
    return (b - half) / a, (b + half) / a


def _covariance(point: Doubles, noise: Doubles, one: Doubles, other: Doubles) -> float:
    """The covariance of two quadratic forms of normal estimates: 4 m'AVBm + 2 tr(AVBV), with m m' by p p' - V."""
    return float(4 * point @ one @ noise @ other @ point - 2 * np.trace(one @ noise @ other @ noise))
