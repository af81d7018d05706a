"""Lines over simulated nights with their bands, and points between two figures, as SVGs that take colors from the page.

Each line and each point has a letter, a color and a pattern of its own, which the legend of the page explains, so that
nothing depends on color. Whoever shows a drawing has a table with the same figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tasks.report.labels import label_offsets
from tasks.report.scale import Scale

WIDTH, HEIGHT = 380, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 30, 10, 26
APART = 13  # units between two letters at the ends of lines
NIGHTS = 5  # numbers of nights below, roughly


@dataclass(frozen=True)
class Curve:
    """A line over nights.

    Attributes:
        letter: at its end.
        role: a class of the style sheet.
        name: for those who do not see it.
        points: night, value, and the ends of its band, where they are known.
    """

    letter: str
    role: str
    name: str
    points: Sequence[tuple[int, float, float | None, float | None]]


@dataclass(frozen=True)
class Spot:
    """A point between two figures.

    Attributes:
        role: a class of the style sheet.
        name: beside it.
        x, y: where.
        first: whether it is on the frontier.
    """

    role: str
    name: str
    x: float
    y: float
    first: bool


def curves(title: str, lines: Sequence[Curve], share: bool = False) -> Markup:
    """Lines over nights; one at least, with a point at least. `share`: values are written in percent."""
    points = [point for line in lines for point in line.points]
    values = [value for _, *rest in points for value in rest if value is not None]
    scale = Scale.around(values, from_nothing=False)
    last = max(night for night, *_ in points)

    def x(night: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * night / max(1, last), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - scale.share(value)), 1)

    said = " ".join(_said(line, share) for line in lines)
    parts = [Markup("<title>{}</title><desc>{}</desc>").format(title, said), *_rules(scale, y, share)]
    nights = Scale.around([0, last]).step
    parts += [
        Markup('<text class="below" x="{}" y="{}">{}</text>').format(x(n * nights), HEIGHT - 8, f"{n * nights:g}")
        for n in range(int(last // nights) + 1)
    ]
    for line in lines:
        band = [(night, low, high) for night, _, low, high in line.points if low is not None and high is not None]
        if len(band) > 1:
            edge = [(x(night), y(high)) for night, _, high in band]
            edge += [(x(night), y(low)) for night, low, _ in reversed(band)]
            parts.append(Markup('<polygon class="band {}" points="{}"/>').format(line.role, _points(edge)))
    for line in lines:
        at = [(x(night), y(value)) for night, value, *_ in line.points]
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(line.role, _points(at)))
    ends = _apart([y(line.points[-1][1]) for line in lines])
    parts += [
        Markup('<text class="letter {}" x="{}" y="{}">{}</text>').format(
            line.role, x(line.points[-1][0]) + 5, end + 4, line.letter
        )
        for line, end in zip(lines, ends, strict=True)
    ]
    return _drawing(parts)


def spots(title: str, points: Sequence[Spot], below: str, share_x: bool = False, share_y: bool = False) -> Markup:
    """Points between two figures, both of which are better when they are more; those on the frontier are joined.

    Args:
        title: of the drawing, for those who do not see it.
        points: one at least.
        below: what the x axis is.
        share_x, share_y: whether values are written in percent.
    """
    xs, ys = (Scale.around([getattr(one, axis) for one in points], from_nothing=False) for axis in ("x", "y"))
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM - 14

    def at(one: Spot) -> tuple[float, float]:
        return round(LEFT + wide * xs.share(one.x), 1), round(TOP + tall * (1 - ys.share(one.y)), 1)

    said = " ".join(f"{one.name}: {_figure(one.x, share_x)} and {_figure(one.y, share_y)}." for one in points)
    parts = [Markup("<title>{}</title><desc>{}</desc>").format(title, said)]
    parts += _rules(ys, lambda value: round(TOP + tall * (1 - ys.share(value)), 1), share_y)
    parts += [
        Markup('<text class="below" x="{}" y="{}">{}</text>').format(
            round(LEFT + wide * xs.share(value), 1), TOP + tall + 16, xs.written(value, share=share_x)
        )
        for value in xs.ticks
    ]
    parts.append(Markup('<text class="below" x="{}" y="{}">{}</text>').format(LEFT + wide / 2, HEIGHT - 4, below))
    frontier = sorted((at(one) for one in points if one.first), key=lambda place: place[0])
    if len(frontier) > 1:
        parts.append(Markup('<polyline class="frontier" points="{}"/>').format(_points(frontier)))
    places = [at(one) for one in points]
    plain = [(px - LEFT, TOP + tall - py) for px, py in places]
    for one, (px, py), (dx, dy) in zip(points, places, label_offsets(plain, [p.name for p in points]), strict=True):
        anchor = "middle" if dx == 0 else "start" if dx > 0 else "end"
        parts.append(
            Markup('<circle class="spot {}{}" cx="{}" cy="{}" r="{}"/>').format(
                one.role, " on" if one.first else "", px, py, 5.5 if one.first else 4.5
            )
        )
        parts.append(
            Markup('<text class="name" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                round(px + dx, 1), round(py - dy + 4, 1), anchor, one.name
            )
        )
    return _drawing(parts)


def sample(role: str, letter: str) -> Markup:
    """A piece of a line with its letter, for a legend."""
    return Markup(
        '<svg class="chart sample" viewBox="0 0 44 14" aria-hidden="true"><path class="line {}" d="M1 7H28"/>'
        '<text class="letter {}" x="32" y="11">{}</text></svg>'
    ).format(role, role, letter)


def _drawing(parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart" role="img" viewBox="0 0 {} {}">{}</svg>').format(
        WIDTH, HEIGHT, Markup("").join(parts)
    )


def _rules(scale: Scale, y: Callable[[float], float], share: bool) -> list[Markup]:
    return [
        Markup('<path class="rule" d="M{} {}H{}"/><text class="left" x="{}" y="{}">{}</text>').format(
            LEFT, y(value), WIDTH - RIGHT, LEFT - 6, y(value) + 4, scale.written(value, share=share)
        )
        for value in scale.ticks
    ]


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights of letters, moved so that none covers another, and all within the drawing."""
    order = sorted(range(len(heights)), key=lambda n: heights[n])
    found = list(heights)
    for before, n in pairwise(order):
        found[n] = max(found[n], found[before] + APART)
    lowest = float(HEIGHT - BOTTOM)
    for n in reversed(order):
        found[n] = min(found[n], lowest)
        lowest = found[n] - APART
    return [round(height, 1) for height in found]


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def _said(line: Curve, share: bool) -> str:
    """What a line shows, for those who do not see it."""
    (first, before, *_), (last, now, *_) = line.points[0], line.points[-1]
    return f"{line.name}: {_figure(before, share)} at night {first}, {_figure(now, share)} at night {last}."


def _figure(value: float, share: bool) -> str:
    return f"{value:.1%}" if share else f"{value:.3g}"
