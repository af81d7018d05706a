"""How long users stay away, where many have not come back yet (Kaplan & Meier 1958)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-9  # of a share that is a product of many


@dataclass(frozen=True)
class Survival:
    """The share of users that have not come back by each time.

    Attributes:
        times: the times at which somebody came back, ascending, float64 `[n_times]`.
        away: the share still away after each, float64 `[n_times]`.
        error: its standard error (Greenwood), float64 `[n_times]`.
    """

    times: NDArray[np.float64]
    away: NDArray[np.float64]
    error: NDArray[np.float64]

    def at(self, time: float) -> float:
        """The share still away after `time`."""
        before = int(np.searchsorted(self.times, time, side="right"))
        return float(self.away[before - 1]) if before else 1.0

    @property
    def median(self) -> float | None:
        """The time by which half of them were back; None where it is not reached."""
        reached = np.flatnonzero(self.away <= 0.5 + ROUNDING)
        return float(self.times[reached[0]]) if len(reached) else None


def return_times(waited: NDArray[np.float64], came_back: NDArray[np.bool_]) -> Survival:
    """The survival curve of users who were watched for a time.

    Args:
        waited: the time until a user came back or was last watched, `[n_users]`.
        came_back: whether they did, `[n_users]`; the others may yet come (censored).
    """
    times, place = np.unique(waited, return_inverse=True)
    events = np.bincount(place, came_back, minlength=len(times))
    watched = np.bincount(place, minlength=len(times))
    at_risk = watched[::-1].cumsum()[::-1]
    away = np.cumprod(1 - events / at_risk)
    left = at_risk - events
    hazard = np.divide(events, at_risk * left, out=np.zeros(len(times)), where=left > 0)
    error = away * np.sqrt(np.cumsum(hazard))
    happened = events > 0
    return Survival(times[happened], away[happened], error[happened])
