"""What an arm could show, and when: planned by what the site's own users did in the last weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log
from pathlib import Path
from tempfile import TemporaryDirectory

from recmodels.errors import ConfigError
from recmodels.experiments.effects import detectable, deviation_left, users_needed
from tasks.arms.compare import ALPHA, outcome_of
from tasks.arms.results import PLANNED_DAYS
from tasks.arms.users import BEFORE, Log
from tasks.store.duckdb import connect
from tasks.store.feedback import SHOWN, learned_before
from tasks.store.manifests import finished
from tasks.store.parts import parts
from tasks.store.paths import Night

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
WEEKS = (1, 2, 4, 8, 12)
LONGEST = 365  # days that are planned
STUBBORN = -0.1  # an exponent of days above which waiting finds nothing


@dataclass(frozen=True)
class Past:
    """The users of the last days, as an arm of so many days would have had them.

    Attributes:
        days: how many.
        users: who had an outcome in them.
        mean: the mean outcome of a user and week.
        deviation: its standard deviation between users, after CUPED.
        variance_left: the share of the variance that CUPED leaves.
    """

    days: float
    users: int
    mean: float
    deviation: float
    variance_left: float


@dataclass(frozen=True)
class Plan:
    """What arms of a site could show. `outcome` is its name, `arms` how many are corrected for."""

    outcome: str
    past: Sequence[Past]
    power: float
    arms: int

    def smallest(self, past: Past, share: float) -> float:
        """The smallest difference that an arm of a share of the users shows in so many days, as a share of `main`."""
        information = past.days / PLANNED_DAYS
        error = detectable(
            past.users, share, past.deviation, power=self.power, alpha=ALPHA / self.arms, information=information
        )
        return error / past.mean

    def days(self, effect: float, share: float) -> float | None:
        """After how many days an arm shows such a difference; None where that takes more than a year, or for ever.

        Between the periods that were looked at, and after them, by a power law.
        """
        found = [(one.days, self.smallest(one, share)) for one in self.past]
        (one, size), *others = found
        if size <= effect:
            return one
        slope = -0.5  # where there is only one period: as of outcomes that are independent from day to day
        for day, smaller in others:
            slope = log(smaller / size) / log(day / one)
            if smaller <= effect:
                break
            one, size = day, smaller
        if slope > STUBBORN:
            return None
        needed = one * (effect / size) ** (1 / slope)
        return needed if needed <= LONGEST else None

    def users(self, effect: float, share: float, past: Past) -> int:
        """The users of a site, all arms together, with whom an arm shows such a difference in so many days."""
        information, alpha = past.days / PLANNED_DAYS, ALPHA / self.arms
        smallest = effect * past.mean
        return users_needed(share, past.deviation, smallest, power=self.power, alpha=alpha, information=information)


def plan_of(night: Night, *, arms: int = 1, power: float = 0.8, keep_days: int = 90, days: int | None = None) -> Plan:
    """What arms could show, by the users of a night's data.

    Args:
        night: the night; the weeks before its end are looked at.
        arms: how many arms are compared.
        power: the probability with which a difference is to be found.
        keep_days: how long exposures are kept.
        days: the length of the arm; some are looked at where it is not given.

    Raises:
        ConfigError: the night's data are gone, or too short for a plan.
    """
    prepared = finished(night.prepared)
    if prepared is None or not parts(night.valid, "interactions"):
        raise ConfigError(
            f"The data of the night {night.run_date} are not in the store any more: run a night, and plan by that one."
        )
    cutoff = datetime.fromisoformat(prepared["parameters"]["cutoff"])
    shown = list(learned_before(night.store, night.run_date + timedelta(days=1), SHOWN, keep_days + 1).values())
    with TemporaryDirectory(prefix="nightrec-") as folder, connect(Path(folder), "2GB") as db:
        looked = Log(db, night, cutoff, None, [], shown, {})
        there, logged = looked.days_in_log(), ceil(looked.days_logged())
        most = min(there, logged) if logged else there  # what was rewarded before that is not known
        whole = [7 * weeks for weeks in WEEKS if 7 * weeks + min(7 * weeks, BEFORE.days) <= there]
        lengths = [days] if days else [one for one in whole if one <= most] or [min(7, max(1, int(most)))]
        if days and days > most:
            what = "of which exposures are logged" if logged and logged < there else "that the interactions cover"
            raise ConfigError(f"--days {days} is more than the {most:.0f} days {what}: take fewer.")
        found = [looked.since(cutoff - timedelta(days=length)) for length in lengths]
    outcome = outcome_of(found[-1])
    past = []
    for one in found:
        having = outcome.users(one)
        values, before = outcome.values(one)[having], outcome.before(one)[having]
        if len(values) > 2 and values.any():
            deviation, left = deviation_left(values, before)
            past.append(Past(one.days, len(values), float(values.mean()), deviation, left))
    if not past:
        raise ConfigError(f"The last days before the night {night.run_date} have too few users for a plan.")
    return Plan(outcome.name, past, power, arms)
