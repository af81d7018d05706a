"""What is to be foretold of users: retention28 and the like."""

import re
from typing import Literal, NamedTuple, Self

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.errors import ConfigError
from recmodels.messages import short

DEFAULT = "retention28"
LONGEST = 365  # days

Unit = Literal["number", "share"]


class Outcome(NamedTuple):
    """What users do in so many days after those of the early signals.

    `kind`: `retention` (whether they are active at all), `visits` (on how many days they are) or `interactions`.
    """

    kind: str
    days: int

    @classmethod
    def of(cls, text: str) -> Self:
        """From its name, such as retention28.

        Raises:
            ConfigError: it is none.
        """
        found = re.fullmatch(r"(retention|visits|interactions)(\d{1,3})", text)
        if found is None or not 1 <= int(found[2]) <= LONGEST:
            raise ConfigError(
                f"--outcome {short(text)} is unknown: write retention, visits or interactions and a number of days up "
                f"to {LONGEST}, such as {DEFAULT}."
            )
        return cls(found[1], int(found[2]))

    @property
    def name(self) -> str:
        return f"{self.kind}{self.days}"

    @property
    def unit(self) -> Unit:
        return "share" if self.kind == "retention" else "number"

    def when(self, window: int) -> str:
        """The days of it, after a window of early signals."""
        return f"in days {window + 1} to {window + self.days}"

    def label(self, window: int) -> str:
        """It in words, after a window of early signals."""
        what = {"retention": "of users active", "visits": "days of activity", "interactions": "interactions"}[self.kind]
        return f"{what} {self.when(window)}"

    def measured(self, events: Doubles) -> Doubles:
        """It by the events of each user on each of its days, [n, days]."""
        if self.kind == "interactions":
            return np.asarray(events.sum(axis=1), np.float64)
        visits = np.asarray((events > 0).sum(axis=1), np.float64)
        return visits if self.kind == "visits" else (visits > 0).astype(float)
