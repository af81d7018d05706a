"""The page of a replay: what was found, in sentences, a table of the models, and their trajectories; it needs no other
file.
"""

from collections.abc import Sequence
from datetime import date
from math import ceil, log10

from markupsafe import Markup

from tasks.replay.found import Number, better, certain
from tasks.replay.gated import GATE
from tasks.replay.measures import BY_NAME, MEASURES, Measure, shown
from tasks.replay.sentences import PRIMARY, by_day, difference, ranked, written
from tasks.report.lines import Line, chart
from tasks.report.scale import TICKS
from tasks.report.templates import templates
from tasks.store.files import Json

THEMES = {
    "accuracy": "How right the lists were",
    "catalogue": "What of the catalogue they show",
    "users": "What they are to their users",
}
COLORS = 8  # of the style sheet; a model beyond them has that of an earlier one
SMOOTH = 7  # nights that a bold line is the mean of
MEANS = {1: "better", -1: "worse", 0: ""}


def html(result: Json) -> str:
    """The page of what a replay has found."""
    order = [model for model, _ in ranked(result["of_models"], PRIMARY) if model != GATE]
    reference = order[0] if order else result["models"][0]
    there = [one for one in MEASURES if any(_values(result, one.name, model) for model in result["models"])]
    return (
        templates("tasks.replay")
        .get_template("page.html.j2")
        .render(
            result,
            reference=reference,
            themes=THEMES,
            measures=there,
            colors={model: n % COLORS for n, model in enumerate(result["models"])},
            charts={one.name: _drawn(result, one) for one in there},
            levels={
                (model, one.name): _cell(result, one, model, reference) for one in there for model in result["models"]
            },
            slopes={(model, one.name): _slope(result, one, model) for one in there for model in result["models"]},
            smooth=min(SMOOTH, len(result["figures"]["run_date"])),
            left_out=[night for night in result["nights"] if night["reason"] or night.get("failed")],
        )
    )


def _values(result: Json, measure: str, model: str) -> list[tuple[date, float]]:
    """The nights that have a figure, with it."""
    days, values = result["figures"]["run_date"], result["figures"][measure][model]
    pairs = zip(days, values, strict=True)
    return [(date.fromisoformat(day), value) for day, value in pairs if value is not None]


def _drawn(result: Json, measure: Measure) -> Markup:
    """A figure of all models over the nights: each night faintly, and the mean of some nights."""
    faint, bold = [], []
    for n, model in enumerate(result["models"]):
        if points := _values(result, measure.name, model):
            faint.append(Line(model, points, f"m{n % COLORS} faint"))
            bold.append(Line(model, smoothed(points, SMOOTH), f"m{n % COLORS}"))
    lines = [*faint, *bold] if len(faint[0].points) > SMOOTH else bold
    values = [value for line in lines for _, value in line.points]
    spread = (max(values) - min(values)) * (100 if measure.share else 1)
    digits = min(6, max(0, ceil(-log10(spread / (TICKS - 1))))) if spread else 2

    def said(value: float) -> str:
        text = f"{value * (100 if measure.share else 1):.{digits + 1}f}".rstrip("0").rstrip(".")
        return f"{text}%" if measure.share else text

    return chart(measure.title, lines, [], said, named=False)


def smoothed(points: Sequence[tuple[date, float]], window: int) -> list[tuple[date, float]]:
    """The mean of the nights around each night, fewer at the ends."""
    half = window // 2
    found = []
    for n, (day, _) in enumerate(points):
        near = [value for _, value in points[max(0, n - half) : n + half + 1]]
        found.append((day, sum(near) / len(near)))
    return found


def _of(result: Json, measure: str, model: str) -> Json:
    found: Json = next(one for one in result["of_models"] if (one["model"], one["measure"]) == (model, measure))
    return found


def _cell(result: Json, measure: Measure, model: str, reference: str) -> Json:
    """A level, its interval, and how it differs from that of the model that was right most often."""
    level: Number | None = _of(result, measure.name, model)["level"]
    apart = None if model == reference else difference(result["pairs"], model, reference, measure.name)
    return {
        "text": shown(measure, None if level is None else level["value"]),
        "interval": written(measure, level),
        "sure": certain(apart) != 0,
        "means": MEANS[better(measure, apart)],
    }


def _slope(result: Json, measure: Measure, model: str) -> Json:
    slope: Number | None = _of(result, measure.name, model)["slope"]
    if slope is None:
        return {"text": "-", "interval": "", "sure": False}
    ends = [end for end in (slope["low"], slope["high"]) if end is not None]
    interval = " to ".join(by_day(BY_NAME[measure.name], end).split()[0] for end in ends)
    return {"text": by_day(measure, slope["value"]), "interval": interval, "sure": certain(slope) != 0}
