"""Curves on logarithmic axes as SVG, which read on light and dark pages alike."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from docs.site.growth import Line

WIDTH, HEIGHT, LABELS, LEFT, TOP, BOTTOM = 300, 300, 128, 46, 30, 40  # of a panel's axes, and around them, in pixels
BETWEEN = 12.5  # labels of lines, at least
LIGHT = ("#2563a8", "#c2410c", "#0f8a6d", "#8b4fc0", "#a8741a", "#b8376b", "#4c6477", "#0b7285", "#5c940d", "#1a2230")
DARK = ("#6aaef5", "#fb923c", "#45cfa9", "#c39af0", "#e5b45c", "#f583ae", "#a3b6c7", "#66d9e8", "#a9e34b", "#e6eaf1")

STYLE = """
text { font: 11px system-ui, sans-serif; fill: #1f2430 }
.title { font-weight: bold; font-size: 13px }
.tick { fill: #586274 } .left { text-anchor: end } .below { text-anchor: middle }
.grid { stroke: #dde2ea } .line { fill: none; stroke-width: 1.8 } .lead { stroke-width: .8; stroke-opacity: .5 }
"""


@dataclass(frozen=True)
class Panel:
    """Axes with lines.

    Attributes:
        title: what is measured.
        lines: named at their right end.
        ticks: the values that may be written at the vertical axis, ascending.
        written: how they are written.
        extent: the least and the largest value of that axis; None: those of the ticks that the lines need.
    """

    title: str
    lines: Sequence[Line]
    ticks: Sequence[float]
    written: Callable[[float], str]
    extent: tuple[float, float] | None = None


def drawing(panels: Sequence[Panel], ticks: Sequence[float], written: Callable[[float], str], below: str) -> str:
    """Panels beside each other; `ticks` are the sizes of the horizontal axis, `below` what they are."""
    wide = LEFT + WIDTH + LABELS
    size = f'viewBox="0 0 {wide * len(panels)} {TOP + HEIGHT + BOTTOM}"'
    style = STYLE + _colors(LIGHT)
    style += "@media (prefers-color-scheme: dark) {\ntext { fill: #e6e8ee } .tick { fill: #9aa6b8 } "
    style += f".grid {{ stroke: #2c3746 }}\n{_colors(DARK)}}}\n"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{style}</style>"]
    for n, panel in enumerate(panels):
        parts += [f'<g transform="translate({n * wide + LEFT} {TOP})">', *_panel(panel, ticks, written, below), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _colors(colors: Sequence[str]) -> str:
    return "".join(
        f".c{n} .line, .c{n} .lead {{ stroke: {color} }} .c{n} text, .c{n} .dot {{ fill: {color} }} "
        f".c{n} .open {{ fill: none; stroke: {color} }}\n"
        for n, color in enumerate(colors)
    )


def _panel(panel: Panel, ticks: Sequence[float], written: Callable[[float], str], below: str) -> list[str]:
    lines = [line for line in panel.lines if len(line.sizes)]
    values = [value for line in lines for value in line.values]
    low, high = panel.extent or (
        max((tick for tick in panel.ticks if tick <= min(values)), default=min(values)),
        min((tick for tick in panel.ticks if tick >= max(values)), default=max(values)),
    )
    x, y = _axis(ticks[0], ticks[-1], 8, WIDTH - 8), _axis(low, high, HEIGHT, 0)
    parts = [f'<text class="title" x="{-LEFT + 4}" y="-14">{escape(panel.title)}</text>']
    for tick in (tick for tick in panel.ticks if low <= tick <= high):
        parts.append(f'<path class="grid" d="M0 {y(tick):.1f}H{WIDTH}"/>')
        parts.append(f'<text class="tick left" x="-6" y="{y(tick) + 4:.1f}">{panel.written(tick)}</text>')
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{x(tick):.1f} 0V{HEIGHT}"/>')
        parts.append(f'<text class="tick below" x="{x(tick):.1f}" y="{HEIGHT + 16}">{written(tick)}</text>')
    parts.append(f'<text class="tick below" x="{WIDTH / 2:.0f}" y="{HEIGHT + 32}">{escape(below)}</text>')
    places = _apart([y(line.values[-1]) for line in lines])
    colors = [n for n, line in enumerate(panel.lines) if len(line.sizes)]  # as in panels that have them all
    for n, line, place in zip(colors, lines, places, strict=True):
        parts += [f'<g class="c{n % len(LIGHT)}">', *_drawn(line, x, y, place), "</g>"]
    return parts


def _drawn(line: Line, x: Callable[[float], float], y: Callable[[float], float], place: float) -> list[str]:
    """A line with its points and its name; points that were cut short are open."""
    points = [(x(size), y(value)) for size, value in zip(line.sizes, line.values, strict=True)]
    parts = [f'<path class="line" d="M{"L".join(f"{left:.1f} {top:.1f}" for left, top in points)}"/>']
    for (left, top), bounded in zip(points, line.bounded, strict=True):
        parts.append(f'<circle class="{"open" if bounded else "dot"}" cx="{left:.1f}" cy="{top:.1f}" r="3"/>')
    for (left, top), mark in zip(points, line.marks, strict=False):
        parts.append(f'<text class="below" x="{left:.1f}" y="{top - 7:.1f}">{escape(mark)}</text>')
    left, top = points[-1]
    parts.append(f'<path class="lead" d="M{left + 4:.1f} {top:.1f}L{WIDTH + 6} {place:.1f}"/>')
    parts.append(f'<text x="{WIDTH + 9}" y="{place + 4:.1f}">{escape(line.name)}</text>')
    return parts


def _axis(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Where a value is on a logarithmic axis."""
    span = math.log(high / low) or 1.0
    return lambda value: start + (end - start) * math.log(value / low) / span


def _apart(places: Sequence[float]) -> list[float]:
    """The places of labels, moved as far as they must be not to overlap, in their order and within the panel."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    found = list(places)
    for before, n in zip([None, *order], order, strict=False):
        found[n] = max(found[n], 4.0 if before is None else found[before] + BETWEEN)
    for after, n in zip([None, *reversed(order)], reversed(order), strict=False):
        found[n] = min(found[n], HEIGHT if after is None else found[after] - BETWEEN)
    return found
