"""The time of a training: its minutes, less what validations and the lists after it are going to take."""

import logging
import time
from collections.abc import Callable

import numpy as np

from recmodels.data.arrays import Ints
from recmodels.errors import NightrecError
from recmodels.options import FitOptions

log = logging.getLogger(__name__)

PROBED = 256  # users whose lists are made to see how long lists take


class Budget:
    """How long a training may go on; `plan` has to be called first."""

    def __init__(self, options: FitOptions) -> None:
        self.options = options
        self.validation = 0.0  # seconds of a validation
        self.lists = 0.0  # seconds of the lists after the training for which their own time is too short

    def plan(self, make_lists: Callable[[Ints], object], validation_users: Ints) -> None:
        """Look how long lists take, by those of a few users: before the training they take as long as after it.

        Raises:
            NightrecError: the lists alone take all the time that there is.
        """
        minutes, listed = self.options.minutes, self.options.listed
        some = validation_users[:PROBED]
        if minutes is None or len(some) == 0:
            return
        make_lists(some[:1])  # what is loaded and compiled
        began = time.monotonic()
        make_lists(some)
        each = (time.monotonic() - began) / len(some)
        self.validation = each * len(validation_users)
        if self.options.list_minutes is not None:
            self.lists = max(0.0, each * listed - 60 * self.options.list_minutes)
        if self.lists > 60 * minutes:
            there = minutes + (self.options.list_minutes or 0)
            raise NightrecError(
                f"Lists of {listed:,} users would take {np.ceil(each * listed / 60):.0f} minutes, and there are "
                f"{there:.3g} for training and lists: give it a longer timeout_minutes, a smaller dim or fewer layers."
            )
        if self.lists:
            log.info("The training ends %.0f s earlier, for the lists of %d users.", self.lists, listed)

    def is_spent(self, seconds: float, *, validates: bool) -> bool:
        """Whether no time is left after so many seconds but that of a validation, if there is to be one."""
        if self.options.minutes is None:
            return False
        return seconds + self.lists + validates * self.validation > 60 * self.options.minutes
