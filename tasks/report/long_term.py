"""The long run as a night leaves it: its figures over the nights, what changed when, and three sentences about it."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from math import floor, log10

from tasks.panel.kept import WINDOWS, Kept, PanelSummary, SlopeFigures, kept_nights
from tasks.panel.measures import MEASURES, Measure
from tasks.store.files import Json
from tasks.store.paths import Night

LONGEST = 400  # days that are shown
MAIN = "28"  # the window that sentences are about
THEMES = {"items": "What is shown", "lists": "Lists", "people": "What people choose"}
CLAUSES = 3  # of a sentence at most


def long_term(night: Night) -> Json:
    """The panels up to a night, as JSON; nothing where the night has none."""
    nights = kept_nights(night.store, night.run_date, LONGEST)
    if not nights or nights[-1].run_date != night.run_date:
        return {}
    now = nights[-1].summary
    return {
        "nights": len(nights),
        "since": str(nights[0].run_date),
        "users": now["users"],
        "of_users": now["of_users"],
        "assumed": now["assumed"],
        "sentences": sentences(now, len(nights)),
        "changes": changes(nights),
        "measures": [_measure(one, nights) for one in MEASURES if _is_known(one, nights)],
    }


def changes(nights: Sequence[Kept]) -> list[list[str]]:
    """The days from which on something was different, and what."""
    found = []
    for before, after in pairwise(nights):
        what = list(_changes(before.summary, after.summary))
        if what:
            found.append([str(after.run_date), ", ".join(what)])
    return found


def _changes(before: PanelSummary, after: PanelSummary) -> list[str]:
    found = []
    if before["champion"] != after["champion"]:
        found.append(after["champion"])
    if before["explored"] != after["explored"]:
        share = after["explored"]
        found.append(f"exploration {share:.0%}" if share else "exploration off")
    if before["arms"] != after["arms"]:
        found.append(f"arms: {', '.join(after['arms'])}" if after["arms"] else "no arms")
    if before["assumed"] != after["assumed"]:
        found.append("exposures assumed" if after["assumed"] else "exposures logged")
    return found


def sentences(now: PanelSummary, nights: int) -> list[str]:
    """One about what is shown, one about lists, one about what people choose."""
    return [f"{title}: {_about(theme, now, nights)}." for theme, title in THEMES.items()]


def _about(theme: str, now: PanelSummary, nights: int) -> str:
    measures = [one for one in MEASURES if one.theme == theme and now["figures"].get(one.name) is not None]
    if not measures:
        return "nothing is known yet"
    window = next((w for w in (MAIN, "7") if any(w in now["slopes"].get(one.name, {}) for one in measures)), None)
    if window is None:
        level = "; ".join(f"{one.title} {shown(one, now['figures'][one.name])}" for one in measures[:CLAUSES])
        return f"after {nights} {'night' if nights == 1 else 'nights'} there is no trend to see yet ({level})"
    slopes = {one: now["slopes"][one.name][window] for one in measures if window in now["slopes"].get(one.name, {})}
    sure = [one for one, slope in slopes.items() if certain(slope)]
    if not sure:
        return f"over the last {window} days nothing changes that could not be chance"
    clauses = [
        f"{one.more if slopes[one]['value'] > 0 else one.less} ({by_day(one, slopes[one]['value'])}, now "
        f"{shown(one, now['figures'][one.name])})"
        for one in sure[:CLAUSES]
    ]
    return f"over the last {window} days {'; '.join(clauses)}"


def certain(slope: SlopeFigures | Json) -> bool:
    """Whether the interval of a slope is on one side of 0."""
    low, high = slope["low"], slope["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def shown(measure: Measure, value: float | None) -> str:
    """A figure as people read it."""
    if value is None:
        return "-"
    if measure.share:
        return f"{value:.1%}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def by_day(measure: Measure, slope: float) -> str:
    """A slope as people read it."""
    value = 100 * slope if measure.share else slope
    digits = max(0, 1 - floor(log10(abs(value)))) if value else 0  # two that count
    return f"{value:+.{min(digits, 6)}f}{' points' if measure.share else ''} a day"


def _is_known(measure: Measure, nights: Sequence[Kept]) -> bool:
    return any(one.summary["figures"].get(measure.name) is not None for one in nights)


def _measure(measure: Measure, nights: Sequence[Kept]) -> Json:
    """A figure over the nights, with its slopes as text."""
    now = nights[-1].summary
    slopes = now["slopes"].get(measure.name, {})
    return {
        "name": measure.name,
        "title": measure.title,
        "share": measure.share,
        "theme": measure.theme,
        "now": shown(measure, now["figures"].get(measure.name)),
        "values": [
            [str(one.run_date), value]
            for one in nights
            if (value := one.summary["figures"].get(measure.name)) is not None
        ],
        "slopes": {str(window): _slope(measure, slopes.get(str(window))) for window in WINDOWS},
    }


def _slope(measure: Measure, slope: SlopeFigures | None) -> Json | None:
    """A slope with how it is written, and what it means where it is no chance."""
    if slope is None:
        return None
    sure = certain(slope)
    said = (measure.more if slope["value"] > 0 else measure.less) if sure else ""
    ends = [slope["low"], slope["high"]]
    interval = [] if None in ends else [by_day(measure, one).split()[0] for one in ends if one is not None]
    text = by_day(measure, slope["value"])
    return {**slope, "certain": sure, "means": said, "text": text, "interval": " to ".join(interval)}


def fitted(values: Sequence[Sequence[object]], slope: Mapping[str, float], window: int) -> list[tuple[date, float]]:
    """The ends of the line that a slope is of, through the middle of the values of its window."""
    points = [(date.fromisoformat(str(day)), float(str(value))) for day, value in values]
    late = [(day, value) for day, value in points if (points[-1][0] - day).days < window]
    middle = sum(day.toordinal() for day, _ in late) / len(late)
    mean = sum(value for _, value in late) / len(late)
    return [(day, mean + slope["value"] * (day.toordinal() - middle)) for day in (late[0][0], late[-1][0])]
