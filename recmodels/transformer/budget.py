"""The time of a training: its minutes, less what validations and the lists after it are going to take.

Both are measured on the machine as it is, before the training and again while it goes on: other programs come and go.
"""

import logging
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from recmodels.data.arrays import Ints
from recmodels.errors import NightrecError
from recmodels.options import FitOptions

log = logging.getLogger(__name__)

PROBED = 512  # users whose lists are made, twice, to see how long lists take
MARGIN, DEVIATIONS = 1.25, 2  # what is reckoned with: so much more than the mean, and so many standard deviations
STEPS = 32  # whose seconds say how long the next one takes


class Timings:
    """Seconds of what is done again and again; the longer ago, the less they say."""

    def __init__(self, most: int) -> None:
        self.seconds: deque[float] = deque(maxlen=most)

    @property
    def mean(self) -> float:
        """0 before there are any."""
        return float(np.mean(self.seconds)) if self.seconds else 0.0

    @property
    def reckoned(self) -> float:
        """What the next one will hardly exceed: the more they differ, the more above the mean."""
        return MARGIN * self.mean + DEVIATIONS * float(np.std(self.seconds)) if self.seconds else 0.0


class Budget:
    """How long a training may go on; `plan` has to be called first."""

    def __init__(self, options: FitOptions) -> None:
        self.options = options
        self.steps = Timings(STEPS)
        self.each = Timings(4)  # of a user's list
        self.validation_users = 0
        self.minutes = options.minutes
        """When the part of the training ends that is going on: None: there is no limit."""

    def plan(self, make_lists: Callable[[Ints], object], validation_users: Ints) -> None:
        """Look how long lists take, by those of a few users: before the training they take as long as after it.

        Raises:
            NightrecError: the lists alone take all the time that there is.
        """
        minutes, listed, list_minutes = self.options.minutes, self.options.listed, self.options.list_minutes
        some = validation_users[:PROBED]
        if minutes is None or len(some) == 0:
            return
        make_lists(some)  # what is loaded and compiled
        self.validation_users = len(validation_users)
        for _ in range(2):
            began = time.monotonic()
            make_lists(some)
            self.each.seconds.append((time.monotonic() - began) / len(some))
        if list_minutes is not None and self.each.mean * listed > 60 * (minutes + list_minutes):
            raise NightrecError(
                f"Lists of {listed:,} users would take {np.ceil(self.each.mean * listed / 60):.0f} minutes, and there "
                f"are {minutes + list_minutes:.3g} for training and lists: give it a longer timeout_minutes, a smaller "
                "dim or fewer layers."
            )
        if self.lists:
            log.info("The training ends %.0f s earlier, for the lists of %d users.", self.lists, listed)

    def validated(self, seconds: float) -> None:
        """A validation has taken so long."""
        self.each.seconds.append(seconds / max(1, self.validation_users))

    @property
    def lists(self) -> float:
        """Seconds of the lists after the training for which their own time is too short."""
        if self.options.list_minutes is None:
            return 0.0
        return max(0.0, self.each.reckoned * self.options.listed - 60 * self.options.list_minutes)

    @property
    def validation(self) -> float:
        """Seconds that a validation will hardly exceed."""
        return self.each.reckoned * self.validation_users

    def is_spent(self, seconds: float, *, validates: bool) -> bool:
        """Whether no time is left after so many seconds but that of a validation, if there is to be one."""
        if self.minutes is None:
            return False
        return seconds + self.steps.reckoned + self.lists + validates * self.validation > 60 * self.minutes

    def has_time_to_validate(self, seconds: float) -> bool:
        """Whether after so many seconds a validation of the usual length still ends in time."""
        if self.minutes is None:
            return True
        return seconds + self.lists + self.each.mean * self.validation_users <= 60 * self.minutes
