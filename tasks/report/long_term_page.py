"""The page about the long run: a small chart for each figure, with its slopes; an HTML file that needs nothing else."""

from collections.abc import Callable
from datetime import date
from math import ceil, log10

from markupsafe import Markup

from tasks.report.lines import Line, chart
from tasks.report.long_term import MAIN, fitted
from tasks.report.scale import TICKS
from tasks.report.templates import templates
from tasks.store.files import Json


def long_term_html(run_date: str, found: Json) -> str:
    """The page that shows the long run as a night leaves it."""
    changes = [(date.fromisoformat(day), what) for day, what in found["changes"]]
    drawn = {one["name"]: _drawn(one, changes) for one in found["measures"]}
    return templates("tasks.report").get_template("long_term.html.j2").render(**found, run_date=run_date, charts=drawn)


def _drawn(measure: Json, changes: list[tuple[date, str]]) -> Markup:
    """A figure over the nights, with the line of its slope."""
    lines = [Line("tonight's figure", [(date.fromisoformat(day), value) for day, value in measure["values"]])]
    if slope := measure["slopes"][MAIN]:
        role = "steep" if slope["certain"] else "quiet"
        lines.append(Line(f"trend of {MAIN} days", fitted(measure["values"], slope, int(MAIN)), role))
    return chart(measure["title"], lines, changes, _written(measure))


def _written(measure: Json) -> Callable[[float], str]:
    """How the values of an axis are written: with as many digits as tell them apart."""
    values = [value for _, value in measure["values"]]
    spread = (max(values) - min(values)) * (100 if measure["share"] else 1)
    digits = min(6, max(0, ceil(-log10(spread / (TICKS - 1))))) if spread else 0
    if measure["share"]:
        return lambda value: f"{value:.{digits}%}"
    return lambda value: f"{value:.{digits if abs(value) >= 10 else max(digits, 2)}f}"
