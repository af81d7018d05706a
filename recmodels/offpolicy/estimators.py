"""Estimators of a policy's value from a log of another policy's events.

For events i = 1..n with reward r, weight w = π(a|x) / π₀(a|x) of the evaluated policy π and the logging policy π₀, and
a model q̂ of the expected reward, with q̂(x, π) = Σₐ π(a|x) q̂(x, a):

    IPS        mean(w r)                                          Horvitz & Thompson 1952
    SNIPS      Σ w r / Σ w                                        Swaminathan & Joachims 2015
    DM         mean(q̂(x, π))                                      the direct method
    DR         mean(q̂(x, π) + w (r - q̂(x, a)))                    Dudík, Langford & Li 2011
    SNDR       mean(q̂(x, π)) + Σ w (r - q̂(x, a)) / Σ w
    Switch-DR  DR with the weights above τ set to 0               Wang, Agarwal & Dudík 2017
    DRos       DR with λ w / (w² + λ) for w                       Su et al. 2020

An estimate's interval comes from its influence function summed by unit (user), so that the events of one user, which
are alike, count as one. Rewards are rare and weights uneven, so that the sums are skewed: Hall's transformation (1992)
corrects for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from recmodels.offpolicy.log import Floats, Log

FLAT = 1e-6  # skewness that changes nothing
SURE = 1.96  # standard errors that a bias may be larger than it looks: chosen by its looks alone, intervals would miss
Terms: TypeAlias = tuple[float, Floats]
"""A value, and each event's influence on it, float64 `[n]`; influences have mean 0."""


@dataclass(frozen=True)
class Estimate:
    """A policy's value, its standard error, and the ends of its interval."""

    name: str
    value: float
    error: float
    low: float
    high: float


def ips(log: Log) -> Terms:
    """Inverse propensity scoring: unbiased, but few large weights can be all there is."""
    return _mean(log.weights * log.rewards)


def snips(log: Log) -> Terms:
    """Self-normalized: divided by the weights there are, so that a constant reward is found exactly."""
    return _ratio(log.weights, log.rewards)


def dm(log: Log) -> Terms:
    """The direct method: what the model expects. Its interval knows nothing of the model's own error."""
    return _mean(log.predicted_policy)


def dr(log: Log) -> Terms:
    """Doubly robust: right where either the propensities or the model are."""
    return _mean(log.predicted_policy + log.weights * (log.rewards - log.predicted_shown))


def sndr(log: Log) -> Terms:
    """Doubly robust, its correction self-normalized."""
    value, influence = dm(log)
    correction, its_influence = _ratio(log.weights, log.rewards - log.predicted_shown)
    return value + correction, influence + its_influence


def switch_dr(log: Log, threshold: float | None = None) -> Terms:
    """Doubly robust where the weight is at most `threshold`, by the model alone above it.

    Without a threshold, the one whose squared bias, at most, and variance are the least.
    """
    candidates = _quantiles(log) if threshold is None else [threshold]
    return _least_error(log, [np.where(log.weights <= limit, log.weights, 0.0) for limit in candidates])


def dr_os(log: Log, shrinkage: float | None = None) -> Terms:
    """Doubly robust with optimistically shrunk weights; an infinite `shrinkage` is DR, 0 the model alone.

    Without one, that whose squared bias, at most, and variance are the least.
    """
    candidates = [limit**2 for limit in _quantiles(log)] if shrinkage is None else [shrinkage]
    return _least_error(log, [_shrunk(log.weights, limit) for limit in candidates])


ESTIMATORS: dict[str, Callable[[Log], Terms]] = {
    "ips": ips,
    "snips": snips,
    "dm": dm,
    "dr": dr,
    "sndr": sndr,
    "switch_dr": switch_dr,
    "dr_os": dr_os,
}


def estimate(log: Log, names: Iterable[str] = ESTIMATORS, confidence: float = 0.95) -> dict[str, Estimate]:
    """Each estimator's value of the policy with its interval."""
    return {name: _with_interval(name, *ESTIMATORS[name](log), log, confidence) for name in names}


def relative_gain(log: Log, reference: Log, name: str = "dr", confidence: float = 0.95) -> Estimate | None:
    """By which share a policy's value is above that of another on the same events.

    The interval is that of the ratio: what both have in common cancels out. None where the other's
    value is not above 0.
    """
    (value, influence), (base, its_influence) = (ESTIMATORS[name](one) for one in (log, reference))
    if base <= 0:
        return None
    ratio = value / base
    return _with_interval(name, ratio - 1, (influence - ratio * its_influence) / base, log, confidence)


def standard_error(influence: Floats, log: Log) -> float:
    """Of a mean whose terms vary together within a unit; infinite where there is one unit only."""
    sums = np.bincount(log.units, influence)
    n_units = len(sums)
    if n_units < 2:
        return float("inf")
    return float(np.sqrt((sums**2).sum() * n_units / (n_units - 1)) / log.n)


def _with_interval(name: str, value: float, influence: Floats, log: Log, confidence: float) -> Estimate:
    error = standard_error(influence, log)
    sums = np.bincount(log.units, influence)
    spread = np.sqrt((sums**2).mean())
    skewness = float((sums**3).mean() / spread**3 / np.sqrt(len(sums))) if spread else 0.0
    reach = NormalDist().inv_cdf((1 + confidence) / 2)
    low, high = (value - error * _hall(quantile, skewness) for quantile in (reach, -reach))
    return Estimate(name, value, error, low, high)


def _hall(quantile: float, skewness: float) -> float:
    """The quantile of a studentized mean: T + sT²/3 + s²T³/27 + s/6 is normal, s its skewness (Hall 1992)."""
    if abs(skewness) < FLAT:
        return quantile
    return float(3 / skewness * (np.cbrt(1 + skewness * (quantile - skewness / 6)) - 1))


def _mean(terms: Floats) -> Terms:
    value = float(terms.mean())
    return value, terms - value


def _ratio(weights: Floats, values: Floats) -> Terms:
    """Σ w v / Σ w; 0 where no weight is above 0, as nothing is known then."""
    total = weights.mean()
    if total == 0:
        return 0.0, np.zeros(len(weights))
    value = float((weights * values).mean() / total)
    return value, weights * (values - value) / total


def _shrunk(weights: Floats, shrinkage: float) -> Floats:
    if np.isinf(shrinkage):
        return weights
    squares = weights**2 + shrinkage
    return np.divide(shrinkage * weights, squares, out=np.zeros_like(weights), where=squares > 0)


def _quantiles(log: Log) -> list[float]:
    """Weights to cut at: from the median of those above 0 to none at all."""
    positive = log.weights[log.weights > 0]
    if not len(positive):
        return [np.inf]
    return [*np.quantile(positive, [0.5, 0.8, 0.9, 0.95, 0.99, 0.999]), np.inf]


def _least_error(log: Log, weightings: list[Floats]) -> Terms:
    """DR with those weights for which the squared bound of its bias and its variance are the least in sum."""
    residuals = log.rewards - log.predicted_shown
    best, least = _mean(log.predicted_policy + weightings[0] * residuals), np.inf
    for weights in weightings if len(weightings) > 1 else ():
        terms = _mean(log.predicted_policy + weights * residuals)
        bias, its_influence = _mean((log.weights - weights) * residuals)
        bound = abs(bias) + SURE * standard_error(its_influence, log)
        squared_error = bound**2 + standard_error(terms[1], log) ** 2
        if squared_error < least:
            best, least = terms, squared_error
    return best
