"""The months of a calendar, with a night on each day that had one."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flows.ui.nights_read import NightSeen

WEEKDAYS = list(calendar.day_abbr)


@dataclass(frozen=True)
class Day:
    """A day of a month: `missing` where a night should have been, between the first and the last."""

    date: date
    night: NightSeen | None
    missing: bool


@dataclass(frozen=True)
class Month:
    """A month: its weeks between the first night and the last, from Monday; days of other months are None."""

    name: str
    weeks: list[list[Day | None]]


def months(nights: Sequence[NightSeen]) -> list[Month]:
    """The months that nights are in, the newest first."""
    if not nights:
        return []
    by_day = {one.run_date: one for one in nights}
    first, last = nights[0].run_date, nights[-1].run_date
    spans = {(one.year, one.month) for one in by_day}

    def day(one: date) -> Day:
        return Day(one, by_day.get(one), one not in by_day and first < one < last)

    found = []
    for year, month in sorted(spans, reverse=True):
        weeks = calendar.Calendar().monthdatescalendar(year, month)
        weeks = [week for week in weeks if week[0] <= last and week[-1] >= first]
        name = f"{calendar.month_name[month]} {year}"
        found.append(Month(name, [[day(one) if one.month == month else None for one in week] for week in weeks]))
    return found
