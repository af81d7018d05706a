"""What is to be foretold, by what, and how much of the log that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recmodels.messages import counted
from tasks.longterm.daily import Daily
from tasks.longterm.outcome import Outcome
from tasks.longterm.signals import BEFORE, Signal

WEEK = 7
MOST_WEEKS = 12  # of the history


@dataclass(frozen=True)
class Question:
    """What is to be foretold, by what."""

    outcome: Outcome
    window: int
    signals: Sequence[Signal]

    @property
    def takes(self) -> int:
        """Days from the beginning until the outcome is known."""
        return self.window + self.outcome.days

    def starts(self, daily: Daily, until: int = 0) -> list[int]:
        """The days that weeks of the history begin on, the last first: all that they take is over by `until`."""
        earliest = -daily.days + BEFORE
        if any(one.shown for one in self.signals):
            earliest = max(earliest, daily.logged)
        return list(range(until - self.takes, earliest - 1, -WEEK))[:MOST_WEEKS]

    def reaches(self, daily: Daily, begin: int) -> bool:
        """Whether all is there of an arm that began on a day."""
        logged = not any(one.shown for one in self.signals) or begin >= daily.logged
        return logged and begin - BEFORE >= -daily.days

    def with_room(self, daily: Daily, begins: Sequence[int]) -> tuple[Question, list[str]]:
        """Without the signals of what was shown, where their log is too short for what can be done without; and a note.

        Args:
            daily: what users did.
            begins: the days that arms began on.
        """
        less = replace(self, signals=[one for one in self.signals if not one.shown])
        if all(self._answers(daily, begin) or not less._answers(daily, begin) for begin in [0, *begins]):
            return self, []
        left_out = ", ".join(one.name for one in self.signals if one.shown)
        note = (
            f"What was shown is logged of the last {counted(-daily.logged, 'day')} only, so {left_out} are left out: "
            "a larger feedback.keep_days keeps more, and --surrogates takes what it names."
        )
        return less, [note]

    def _answers(self, daily: Daily, begin: int) -> bool:
        """Whether there is all for an arm that began on a day, and a history before it once its outcome is known."""
        if not self.reaches(daily, begin):
            return False
        return bool(self.starts(daily, until=begin if begin + self.takes <= 0 else 0))
