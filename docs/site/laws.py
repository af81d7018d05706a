"""How a figure follows from the sizes of a model and its data: by the logarithm of each, or towards a ceiling."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

EXPONENTS = np.linspace(0, 3, 61)
"""Of the saturating law, that are tried; at 0 it is the logarithm."""
CONFIDENCE = 0.95

Doubles = NDArray[np.float64]


class Fitted(BaseModel):
    """What was fitted, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Slope(Fitted):
    """What doubling a size adds to a figure."""

    value: float
    error: float
    """Its standard error, by how far the points are off the law."""
    users_error: float | None = None
    """Its standard error, by which users are measured, who are the same at all points."""


class Straight(Fitted):
    """A figure that each doubling of a size adds the same to."""

    middle: float
    """The figure where all sizes are 1."""
    slopes: list[Slope]
    residual: float
    """The standard deviation of the points about the law."""


class Range(Fitted):
    """A fitted number with its 95 % confidence region; None is without bound."""

    value: float | None
    low: float
    high: float | None


class Saturating(Fitted):
    """A figure that comes ever closer to a ceiling: ceiling - sum_j k_j size_j^-exponent_j."""

    exponents: list[Range]
    """0: the logarithm; the largest of `EXPONENTS` stands for all above it."""
    ceiling: Range | None
    """None where a straight law fits best, or growing does harm."""
    residual: float
    p: float
    """The probability that the straight law is this much worse by chance."""


def straight(sizes: Doubles, values: Doubles) -> Straight:
    """The least-squares fit of value = middle + sum_j slope_j log2(size_j).

    Args:
        sizes: of each point, in units of the middle ones: float64 [n, p], n > p + 1.
        values: the figure at each point, float64 [n]; or each user's, [n, n_users], whose mean it is.
    """
    inverse = np.linalg.pinv(np.column_stack((np.ones(len(sizes)), np.log2(sizes))))  # [1 + p, n]
    means = values if values.ndim == 1 else values.mean(axis=1)
    solution = inverse @ means
    off = means - solution[0] - np.log2(sizes) @ solution[1:]
    residual = float(np.sqrt(off @ off / (len(sizes) - len(solution))))
    errors = residual * np.sqrt((inverse**2).sum(axis=1))
    users: list[float | None] = [None] * len(solution)
    if values.ndim == 2:  # the fit is linear: that of the means is the mean of the users' own
        users = list(np.std(inverse @ values, axis=1, ddof=1) / np.sqrt(values.shape[1]))
    slopes = [Slope(value=a, error=b, users_error=c) for a, b, c in zip(solution, errors, users, strict=True)]
    return Straight(middle=solution[0], slopes=slopes[1:], residual=residual)


def saturating(sizes: Doubles, values: Doubles) -> Saturating:
    """The least-squares fit of value = ceiling - sum_j k_j size_j^-exponent_j, over a grid of exponents.

    A size enters as (1 - size^-e) / e (Box and Cox, 1964), which is its logarithm at e = 0: so the straight law is one
    of those that are compared. The confidence region has the exponents whose squared deviations an F test accepts.

    Args:
        sizes: of each point, two of them, in any unit: float64 [n, 2], n > 5, with three different ones of each.
        values: the figure at each point: float64 [n].
    """
    n, unit = len(values), np.exp(np.log(sizes).mean(axis=0))
    powers = _powers(sizes / unit)  # [2, exponents, n]
    shape = len(EXPONENTS), len(EXPONENTS), n
    parts = np.ones(shape), np.broadcast_to(powers[0][:, None], shape), np.broadcast_to(powers[1], shape)
    q, r = np.linalg.qr(np.stack(parts, axis=-1))  # of all pairs of exponents at once
    turned = np.einsum("abnp,n->abp", q, values)
    squares = ((values - np.einsum("abnp,abp->abn", q, turned)) ** 2).sum(axis=-1)
    best = np.unravel_index(squares.argmin(), squares.shape)
    free = n - 5
    least = squares[best] / free
    accepted = squares <= squares[best] * (1 + 2 / free * stats.f.ppf(CONFIDENCE, 2, free))
    ceilings = _ceilings(np.linalg.solve(r, turned[..., None])[..., 0])
    return Saturating(
        exponents=[_range(EXPONENTS[one], best[axis]) for axis, one in enumerate(np.nonzero(accepted))],
        ceiling=_ceiling(ceilings[accepted], ceilings[best]),
        residual=float(np.sqrt(least)),
        p=float(stats.f.sf((squares[0, 0] - squares[best]) / 2 / least, 2, free)) if least else 0.0,
    )


def _powers(sizes: Doubles) -> Doubles:
    """Both sizes [n, 2] by all exponents: [2, exponents, n]."""
    curved = EXPONENTS[1:, None]
    each = [np.vstack((np.log(size), (1 - size**-curved) / curved)) for size in sizes.T]
    return np.stack(each)


def _ceilings(solutions: Doubles) -> Doubles:
    """What the laws [exponents, exponents, 3] come to for endless sizes: infinite, or NaN, where growing does harm."""
    steps = 1 / np.maximum(EXPONENTS, 1e-12)
    steps[0] = np.inf
    start, gains = solutions[..., 0], solutions[..., 1:]
    with np.errstate(invalid="ignore"):  # losses without end
        found = start + gains[..., 0] * steps[:, None] + gains[..., 1] * steps
    return np.where((gains > 0).all(axis=-1), found, np.nan)


def _range(accepted: Doubles, best: np.intp) -> Range:
    high = float(accepted.max())
    return Range(value=float(EXPONENTS[best]), low=float(accepted.min()), high=None if high == EXPONENTS[-1] else high)


def _ceiling(accepted: Doubles, best: float) -> Range | None:
    if not np.isfinite(best):
        return None
    high = float(np.max(accepted))  # NaN if growing may do harm
    return Range(value=float(best), low=float(np.nanmin(accepted)), high=high if np.isfinite(high) else None)
