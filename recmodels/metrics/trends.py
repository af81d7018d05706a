"""Trends over nights, with intervals over users: each is compared with themselves on other nights."""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools, Ints
from recmodels.metrics.beyond_accuracy import Figures

FEWEST = 10  # users below which there is no interval


@dataclass(frozen=True)
class Estimate:
    """A number with its interval over resampled users."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval is on one side of 0."""
        return self.low > 0 or self.high < 0


class Level(Estimate):
    """The mean of a figure over users and nights."""


class Slope(Estimate):
    """How much a figure changes a day, by least squares."""


def levels(
    users: Ints, figures: Figures, *, confidence: float = 0.95, draws: int = 1_000, seed: int = 0
) -> list[Level]:
    """The means of several figures, from a row a user and night, every row counting once.

    The interval is that of a bootstrap over users: with each drawn sample of users go all their rows. It is NaN for
    fewer than ten users.

    Args:
        users: whose the rows are, from 0, `[n_rows]`.
        figures: NaN where there is none, `[n_rows, n_figures]`.
        confidence: of the intervals.
        draws: samples of users, the same for all figures.
        seed: of the draws.
    """
    n_users = int(users.max(initial=-1)) + 1
    there = ~np.isnan(figures)
    total, count = _by_user(users, np.where(there, figures, 0.0), n_users), _by_user(users, there, n_users)
    return [Level(*one) for one in _ratios(total, count, confidence, draws, seed)]


def slope(
    figures: Figures, nights: Figures | None = None, *, confidence: float = 0.95, draws: int = 1_000, seed: int = 0
) -> Slope:
    """The trend over nights of a figure of users.

    Args:
        figures: the figure of each user on each night, NaN where there is none, `[n_users, n_nights]`.
        nights: when they were, in days, `[n_nights]`; one after the other by default.
        confidence: of the interval.
        draws: samples of users.
        seed: of the draws.
    """
    n_users, n_nights = figures.shape
    days = np.arange(n_nights, dtype=np.float64) if nights is None else np.asarray(nights, np.float64)
    users = np.repeat(np.arange(n_users, dtype=np.int32), n_nights)
    (found,) = slopes(
        users, np.tile(days, n_users), figures.reshape(-1, 1), confidence=confidence, draws=draws, seed=seed
    )
    return found


def slopes(
    users: Ints, days: Figures, figures: Figures, *, confidence: float = 0.95, draws: int = 1_000, seed: int = 0
) -> list[Slope]:
    """The trends of several figures, from a row a user and night.

    Users are compared with themselves: of each only the differences from their own mean count, so that who comes and
    who leaves is no trend. Where all are there on all nights, it is the trend of the mean. The interval is that of a
    paired bootstrap: with each drawn sample of users goes all they did. It says how the trend of these very nights
    depends on who the users are, and is NaN for fewer than ten.

    Args:
        users: whose the rows are, from 0, `[n_rows]`.
        days: when, `[n_rows]`.
        figures: NaN where there is none, `[n_rows, n_figures]`.
        confidence: of the intervals.
        draws: samples of users, the same for all figures.
        seed: of the draws.
    """
    n_users = int(users.max(initial=-1)) + 1
    parts = [_within(users, days, column, n_users) for column in figures.T]
    covariance, variance = (np.stack(one, axis=1) if parts else np.zeros((n_users, 0)) for one in _unzip(parts))
    return [Slope(*one) for one in _ratios(covariance, variance, confidence, draws, seed)]


def _ratios(
    above: Figures, below: Figures, confidence: float, draws: int, seed: int
) -> list[tuple[float, float, float]]:
    """For each column the ratio of the sums over users [n_users, n], and its interval over resampled users."""
    n_users = len(above)
    random = np.random.default_rng(seed)
    rows = np.arange(draws)[:, None] * n_users
    drawn = (random.integers(0, max(n_users, 1), (draws, n_users)) + rows).ravel()
    weights = np.bincount(drawn, minlength=draws * n_users).reshape(draws, n_users).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = above.sum(axis=0) / below.sum(axis=0)
        sampled = (weights @ above) / (weights @ below)  # [draws, n]
    enough = (below > 0).sum(axis=0) >= FEWEST
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = []
    for n in range(above.shape[1]):
        low, high = np.nanquantile(sampled[:, n], ends) if enough[n] else (np.nan, np.nan)
        found.append((float(value[n]), float(low), float(high)))
    return found


def _by_user(users: Ints, columns: Figures | Bools, n_users: int) -> Figures:
    """The sums of each user's rows: [n_users, n_columns]."""
    sums = np.zeros((n_users, columns.shape[1]))
    for n, column in enumerate(columns.T):
        sums[:, n] = np.bincount(users, column, n_users)
    return sums


def _within(users: Ints, days: Figures, figure: Figures, n_users: int) -> tuple[Figures, Figures]:
    """For each user the sums of products, of days with the figure and with themselves, around the user's means."""
    there = ~np.isnan(figure)
    user, x, y = users[there], days[there], figure[there]
    x = x - (x.mean() if len(x) else 0.0)  # less is lost in the sums
    nights = np.maximum(np.bincount(user, minlength=n_users), 1)
    sums = [np.bincount(user, one, n_users) for one in (x, y, x * y, x * x)]
    return sums[2] - sums[0] * sums[1] / nights, np.maximum(sums[3] - sums[0] * sums[0] / nights, 0.0)


def _unzip(parts: list[tuple[Figures, Figures]]) -> tuple[list[Figures], list[Figures]]:
    return [one for one, _ in parts], [one for _, one in parts]
