"""How the published lists did over the nights, a chart a figure, with the changes of the champion marked."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite

from markupsafe import Markup

from flows.ui.figures import count, number, share
from flows.ui.nights_read import NightSeen
from tasks.report.lines import Band, Line, chart
from tasks.train.settings import PRIMARY


@dataclass(frozen=True)
class Trend:
    """A chart with its heading, and what it shows in words."""

    name: str
    about: str
    drawing: Markup


Shown = Callable[[float], str]


def trends(nights: Sequence[NightSeen]) -> list[Trend]:
    """The charts of a period; a figure that no night has is left out."""
    changes = champion_changes(nights)
    ks = {one.k for one in nights if one.k}
    accuracy = f"NDCG@{ks.pop()}" if len(ks) == 1 else "NDCG"

    def of_lists(metric: str) -> Line:
        return Line("the night's model", _points(nights, lambda one: _value(one, metric)))

    baseline = Line("popularity", _points(nights, lambda one: _of_baseline(one, PRIMARY)), "quiet")
    kinds: list[tuple[str, str, list[Line], Band, Shown]] = [
        (
            f"Accuracy: {accuracy}",
            "The night's model with its interval, against popularity. Each night has its own holdout, so compare the "
            "two lines rather than nights.",
            [of_lists(PRIMARY), baseline],
            _band(nights),
            _four,
        ),
        ("Coverage", "The share of the catalogue that is in somebody's list.", [of_lists("coverage")], [], _percent),
        (
            "Gini",
            "How unequally the places in the lists are shared among the items: 0 equally, 1 all to one.",
            [of_lists("gini")],
            [],
            _two,
        ),
        ("Novelty", "How rarely what is shown is met elsewhere, in bits.", [of_lists("novelty")], [], _two),
        (
            "Churn",
            "The share of a user's list that the export before did not have.",
            [Line("churn", _points(nights, lambda one: one.churn))],
            [],
            _percent,
        ),
        (
            "Data",
            "Interactions that were read, in all.",
            [Line("interactions", _points(nights, lambda one: one.interactions))],
            [],
            _whole,
        ),
    ]
    found = []
    for name, about, every, band, shown in kinds:
        lines = [line for line in every if line.points]
        if lines:
            found.append(Trend(name, about, chart(name, lines, changes, shown, band)))
    return found


def champion_changes(nights: Sequence[NightSeen]) -> list[tuple[date, str]]:
    """The nights that published another model than the one before, and which."""
    found, before = [], ""
    for one in nights:
        if one.published and one.model:
            if before and one.model != before:
                found.append((one.run_date, one.model))
            before = one.model
    return found


def _points(nights: Iterable[NightSeen], of: Callable[[NightSeen], float | None]) -> list[tuple[date, float]]:
    found = [(one.run_date, of(one)) for one in nights]
    return [(day, value) for day, value in found if value is not None and isfinite(value)]


def _value(night: NightSeen, metric: str) -> float | None:
    figure = night.figures.get(metric)
    return None if figure is None else figure.value


def _of_baseline(night: NightSeen, metric: str) -> float | None:
    figure = night.baseline.get(metric)
    return None if figure is None else figure.value


def _band(nights: Iterable[NightSeen]) -> Band:
    found = [(one.run_date, one.figures[PRIMARY]) for one in nights if PRIMARY in one.figures]
    ends = [(day, one.low, one.high) for day, one in found if one.low is not None and one.high is not None]
    return [(day, low, high) for day, low, high in ends if isfinite(low) and isfinite(high)]


def _four(value: float) -> str:
    return number(value)


def _two(value: float) -> str:
    return number(value, 2)


def _percent(value: float) -> str:
    return share(value, 0 if value >= 0.1 or value == 0 else 1)


def _whole(value: float) -> str:
    return count(round(value))
