"""Lines over nights as an SVG that takes its colors from the page. Whoever shows it has a table with the same figures.

The drawing has a fixed size in units near those of pixels, so that the texts of all charts are equally large.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from markupsafe import Markup

from tasks.report.scale import Scale

WIDTH, HEIGHT = 380, 204
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 40, 24
DAYS = 4  # labels below at most
LETTER = 6.2  # units that a letter takes at most

Band = Sequence[tuple[date, float, float]]


@dataclass(frozen=True)
class Line:
    """A line: its name, its points, and its role, which is a class of the style sheet."""

    name: str
    points: Sequence[tuple[date, float]]
    role: str = "first"


def chart(
    title: str,
    lines: Sequence[Line],
    changes: Sequence[tuple[date, str]],
    shown: Callable[[float], str],
    band: Band = (),
    named: bool = True,
) -> Markup:
    """A chart.

    Args:
        title: of the drawing, for those who do not see it.
        lines: one at least, with a point at least.
        changes: days that are marked, and with what.
        shown: how values are written.
        band: between two values of a day, behind the lines.
        named: whether lines are named in it, and have a dot for each value; else the page names them.
    """
    plane = _Plane.around(lines, band)
    parts = [Markup("<title>{}</title><desc>{}</desc>").format(title, _said(lines, shown))]
    parts += _axes(plane, shown)
    parts += _marks(plane, changes)
    if len(band) > 1:
        upper = [f"{plane.x(day):.1f},{plane.y(high):.1f}" for day, _, high in band]
        lower = [f"{plane.x(day):.1f},{plane.y(low):.1f}" for day, low, _ in reversed(band)]
        parts.append(Markup('<polygon class="band" points="{}"/>').format(" ".join([*upper, *lower])))
    for line in lines:
        at = " ".join(f"{plane.x(day):.1f},{plane.y(value):.1f}" for day, value in line.points)
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(line.role, at))
        parts += _dots(plane, line, shown) if named else []
    parts += _legend(lines) if named else []
    return Markup('<svg class="chart" role="img" viewBox="0 0 {} {}">{}</svg>').format(
        WIDTH, HEIGHT, Markup("").join(parts)
    )


def _dots(plane: "_Plane", line: Line, shown: Callable[[float], str]) -> list[Markup]:
    """A dot for each value, which says what it is."""
    few = len(line.points) <= 60
    return [
        Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}: {} {}</title></circle>').format(
            line.role, plane.x(day), plane.y(value), 3 if few else 1.5, day, line.name, shown(value)
        )
        for day, value in line.points
    ]


@dataclass(frozen=True)
class _Plane:
    """Where days and values are drawn."""

    first: int
    last: int
    scale: Scale

    @classmethod
    def around(cls, lines: Sequence[Line], band: Band) -> "_Plane":
        days = [day.toordinal() for line in lines for day, _ in line.points]
        values = [value for line in lines for _, value in line.points] + [one for _, *ends in band for one in ends]
        return cls(min(days), max(days), Scale.around(values))

    def x(self, day: date) -> float:
        wide = WIDTH - LEFT - RIGHT
        if self.last == self.first:
            return LEFT + wide / 2
        return LEFT + wide * (day.toordinal() - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - self.scale.share(value))


def _axes(plane: _Plane, shown: Callable[[float], str]) -> list[Markup]:
    found = []
    for value in plane.scale.ticks:
        y = plane.y(value)
        found.append(
            Markup('<path class="rule" d="M{} {:.1f}H{}"/><text class="left" x="{}" y="{:.1f}">{}</text>').format(
                LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, shown(value)
            )
        )
    span = plane.last - plane.first
    every = max(1, -(-span // (DAYS - 1))) if span else 1
    for ordinal in range(plane.last, plane.first - 1, -every):
        day = date.fromordinal(ordinal)
        x = min(plane.x(day), WIDTH - RIGHT - 16)
        found.append(
            Markup('<text class="below" x="{:.1f}" y="{}">{}</text>').format(x, HEIGHT - 6, f"{day.day} {day:%b}")
        )
    return found


def _marks(plane: _Plane, changes: Sequence[tuple[date, str]]) -> list[Markup]:
    """A line for each change; its name stands beside it where there is room until the next one."""
    there = [(day, name) for day, name in changes if plane.first <= day.toordinal() <= plane.last]
    ends = [*(plane.x(day) for day, _ in there), float(WIDTH)]
    found = []
    for (day, name), (x, next_x) in zip(there, pairwise(ends), strict=True):
        found.append(
            Markup('<path class="change" d="M{:.1f} {}V{}"><title>{}: {} from here on</title></path>').format(
                x, TOP - 4, HEIGHT - BOTTOM, day, name
            )
        )
        if LETTER * len(name) + 6 < next_x - x:
            found.append(Markup('<text class="note" x="{:.1f}" y="{}">{}</text>').format(x - 2, TOP - 6, name))
    return found


def _legend(lines: Sequence[Line]) -> list[Markup]:
    if len(lines) < 2:
        return []
    found, x = [], float(LEFT)
    for line in lines:
        found.append(
            Markup('<path class="line {}" d="M{:.1f} 10h16"/><text x="{:.1f}" y="14">{}</text>').format(
                line.role, x, x + 21, line.name
            )
        )
        x += 21 + LETTER * len(line.name) + 14
    return found


def _said(lines: Sequence[Line], shown: Callable[[float], str]) -> str:
    """What a chart shows, for those who do not see it."""
    found = []
    for line in lines:
        (first, before), (last, now) = line.points[0], line.points[-1]
        values = [value for _, value in line.points]
        found.append(
            f"{line.name}: {shown(before)} on {first}, {shown(now)} on {last}, between {shown(min(values))} and "
            f"{shown(max(values))}."
        )
    return " ".join(found)
