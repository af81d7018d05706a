"""The scale of an axis: from where to where it goes, and which values are written at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

TICKS = 4  # values at an axis, roughly


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high` with a value at every `step`."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Sequence[float], *, from_nothing: bool = True) -> "Scale":
        """With round values, around all of some.

        Args:
            values: one at least.
            from_nothing: whether what is near nothing is seen from nothing.
        """
        low, high = min(values), max(values)
        if from_nothing and low > 0 and low < 0.75 * high:
            low = 0.0
        if low == high:
            low, high = (low - 0.1 * abs(low), high + 0.1 * abs(high)) if low else (0.0, 1.0)
        raw = (high - low) / (TICKS - 1)
        power = 10 ** floor(log10(raw))
        step = next(power * n for n in (1, 2, 2.5, 5, 10) if power * n >= raw * 0.999)
        return cls(floor(low / step + 1e-9) * step, -floor(-high / step + 1e-9) * step, step)

    @property
    def ticks(self) -> list[float]:
        """The values that are written."""
        return [self.low + n * self.step for n in range(round((self.high - self.low) / self.step) + 1)]

    def written(self, value: float, *, share: bool = False) -> str:
        """A value with the digits that tell it from its neighbors; a share in percent."""
        step = self.step * (100 if share else 1)
        digits = next((n for n in range(7) if abs(round(step, n) - step) < 1e-6 * step), 6)
        return f"{value + 0.0:.{digits}%}" if share else f"{value + 0.0:,.{digits}f}"

    def share(self, value: float) -> float:
        """Where a value is, from 0 at the low end to 1 at the high one."""
        return (value - self.low) / (self.high - self.low)
