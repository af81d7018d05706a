"""The size of an effect over seeds, with its interval, and whether it is what was claimed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Sign = Literal["+", "-", "not +", "not -"]
"""What is claimed: above or below 0 for certain, or no more than that it is not certainly so; None: only shown."""

LEVEL = 0.95


@dataclass(frozen=True)
class Effect:
    """A mean with its interval, of `n` runs or groups of users.

    Attributes:
        what: it is of, in words.
        claimed: its sign as published, None where nothing is claimed and it is only shown.
        differs: whether it is known to be otherwise here; `docs/findings.md` says why.
    """

    what: str
    mean: float
    low: float
    high: float
    n: int
    claimed: Sign | None = None
    differs: bool = False

    @classmethod
    def over(cls, what: str, values: ArrayLike, claimed: Sign | None = None, *, differs: bool = False) -> Self:
        """Of a value a run: Student's t interval of the mean."""
        given = np.asarray(values, np.float64)
        mean, n = float(given.mean()), len(given)
        half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * given.std(ddof=1) / np.sqrt(n)) if n > 1 else np.inf
        return cls(what, mean, mean - half, mean + half, n, claimed, differs)

    @classmethod
    def between(cls, what: str, one: ArrayLike, other: ArrayLike, claimed: Sign | None = None) -> Self:
        """Of the difference of the means of two groups of users: Welch's t interval."""
        found = stats.ttest_ind(one, other, equal_var=False)
        interval = found.confidence_interval(LEVEL)
        mean = float(np.mean(one) - np.mean(other))
        return cls(what, mean, float(interval.low), float(interval.high), np.size(one) + np.size(other), claimed)

    @property
    def reproduced(self) -> bool | None:
        """Whether it is as claimed; None where nothing is."""
        match self.claimed:
            case "+":
                return self.low > 0
            case "-":
                return self.high < 0
            case "not +":
                return self.low <= 0
            case "not -":
                return self.high >= 0
        return None

    @property
    def surprising(self) -> bool:
        """Whether it is not as claimed, or once more as claimed where it is known not to be."""
        return self.reproduced is self.differs if self.claimed else False

    def row(self) -> str:
        """A row of a table in Markdown."""
        verdict = {None: "", True: "yes", False: "**no**"}[self.reproduced]
        numbers = f"{_text(self.mean)} ({_text(self.low)} to {_text(self.high)})"
        return f"| {self.what} | {self.claimed or ''} | {numbers} | {self.n} | {verdict} |"


def over(runs: Sequence[Mapping[str, Any]], *names: str) -> "list[NDArray[np.float64]]":
    """The values of one or more names, in the runs that have all of them: costly ones are in fewer."""
    having = [one for one in runs if all(name in one for name in names)]
    return [np.array([one[name] for one in having], np.float64) for name in names]


HEADER = "| effect | claimed | mean (95 % interval) | n | reproduced |\n|---|---|---|---|---|"


def slope(values: ArrayLike, at: Sequence[float] | None = None) -> float:
    """How much a figure changes a step, by least squares."""
    y = np.asarray(values, np.float64)
    return float(np.polyfit(np.arange(len(y)) if at is None else np.asarray(at, np.float64), y, 1)[0])


def _text(value: float) -> str:
    if not np.isfinite(value):
        return "unknown"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.5f}"
