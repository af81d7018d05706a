"""The guards on slopes: how the figures of the long run changed up to last night, against what the gate allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tasks.compare.settings import SlopeGuard
from tasks.evaluate.summary import ModelSummary
from tasks.panel.kept import SlopeFigures, kept_nights
from tasks.panel.measures import BY_NAME
from tasks.store.paths import Store

RECENT = 7  # days after which the last panel says nothing of tonight


@dataclass(frozen=True)
class Steep:
    """A figure that changed more than it may.

    Attributes:
        name: the figure's.
        clause: how it changed, and what is allowed.
        alike: the figure of a candidate's comparison that shows the same; None where there is none.
        sign: 1 where more of that is more of what is too much, else -1.
    """

    name: str
    clause: str
    alike: str | None
    sign: int


def steep(store: Store, run_date: date, guards: Mapping[str, SlopeGuard]) -> list[Steep]:
    """The slopes that break their guards, as the last night before one has left them.

    A slope breaks a guard where all of its interval does; one without an interval, where it does itself.
    """
    nights = kept_nights(store, run_date - timedelta(days=1), RECENT) if guards else []
    if not nights:
        return []
    slopes = nights[-1].summary["slopes"]
    found = ((name, guard, slopes.get(name, {}).get(str(guard.days))) for name, guard in guards.items())
    return [broken for name, guard, slope in found if slope for broken in _broken(name, guard, slope)]


def _broken(name: str, guard: SlopeGuard, slope: SlopeFigures) -> Iterator[Steep]:
    low, high = (slope["value"] if end is None else end for end in (slope["low"], slope["high"]))
    for limit, key, way, over in (
        (guard.max, "max", 1, guard.max is not None and low > guard.max),
        (guard.min, "min", -1, guard.min is not None and high < guard.min),
    ):
        if over and limit is not None:
            what = "the most" if way > 0 else "the least"
            change = f"{name} changes by {slope['value']:+.2g} a day over {guard.days} days"
            clause = f"{change}, and {limit:+.2g} is {what} (gate.slopes.{name}.{key})"
            alike, sign = BY_NAME[name].alike or (None, 0)
            yield Steep(name, clause, alike, sign * way)


def steeper(found: Sequence[Steep], challenger: ModelSummary, incumbent: ModelSummary) -> Iterator[str]:
    """What a challenger would make worse: a clause for each figure in which it is more extreme than the champion."""
    for one in found:
        now, before = (model.figure("all", one.alike) if one.alike else None for model in (challenger, incumbent))
        if now is not None and before is not None and one.sign * (now - before) > 0:
            yield f"has {one.alike} {now:.3f}, the champion {before:.3f}, while {one.clause}"
