"""The past weeks of a site, by which it is learned what foretells what."""

from __future__ import annotations

from collections.abc import Sequence

from recmodels.data.arrays import Bools
from recmodels.experiments.surrogates import Cohort, by_lot
from tasks.longterm.daily import Daily
from tasks.longterm.question import Question
from tasks.longterm.signals import cohort

MOST_ROWS = 300_000  # of users and weeks of the history, by lot


class Weeks:
    """Users from the days on that weeks begin on, each asked for once."""

    def __init__(self, daily: Daily, question: Question) -> None:
        self.daily, self.question = daily, question
        self._found: dict[int, Cohort] = {}

    def of(self, begin: int, among: Bools | None = None) -> Cohort:
        """The users from one day on; `among` [n] are those that are meant, of all."""
        if begin not in self._found:
            asked = self.question
            self._found[begin] = cohort(self.daily, begin, asked.window, asked.outcome, asked.signals)
        found = self._found[begin]
        return found if among is None else found.take(among[self.daily.rows(found.users)])

    def joined(self, begins: Sequence[int]) -> Cohort:
        """Several weeks as one history, with as many users as there is room for."""
        found = Cohort.joined([self.of(begin) for begin in begins])
        if len(found) <= MOST_ROWS:
            return found
        return found.take(by_lot(found.users, 1) % 1_000 < 1_000 * MOST_ROWS / len(found))
