"""A picture of estimates with their intervals beside the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, ROW, TOP = 720, 150, 26, 58  # of the drawing, in pixels: all, names, a row, above the first one
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2430; dominant-baseline: central }
.title { font-weight: 600; font-size: 15px } .small { font-size: 11px; fill: #5b6472 } .name { text-anchor: end }
.axis { stroke: #c9cfdb } .interval { stroke: #5b6b95; stroke-width: 3; stroke-linecap: round }
.estimate { fill: #5b6b95 } .doubt { opacity: .45 } .truth { fill: #d9480f }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e8ee } .small { fill: #a3abbd } .axis { stroke: #3a4156 }
  .interval { stroke: #93a3cf } .estimate { fill: #93a3cf } .truth { fill: #ffa94d }
}
"""


@dataclass(frozen=True)
class Believed:
    """An estimate with its interval, whether to trust it, and what is true."""

    name: str
    value: float
    low: float
    high: float
    truth: float
    doubted: bool = False


def picture(panels: Sequence[tuple[str, str, Sequence[Believed]]]) -> str:
    """An SVG of panels, each with a title, the format of its numbers, and its rows."""
    body, top = [], 0
    for title, form, rows in panels:
        body.append(f'<g transform="translate(0 {top})">{_panel(title, form, rows)}</g>')
        top += TOP + ROW * len(rows) + 34
    box = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img"><style>{STYLE}</style>{"".join(body)}</svg>\n'


def _panel(title: str, form: str, rows: Sequence[Believed]) -> str:
    ends = [end for row in rows for end in (row.low, row.high, row.truth)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    step = _round_step((high - low) / 5)

    def x(value: float) -> float:
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - 30), 1)

    bottom = TOP + ROW * len(rows)
    parts = [
        f'<text class="title" x="12" y="18">{escape(title)}</text>',
        '<text class="small" x="12" y="38">dot and line: what the log says, with its 95 % interval · '
        '<tspan class="truth">diamond</tspan>: what is true</text>',
    ]
    for number in range(int(-(-low // step)), int(high // step) + 1):
        tick = number * step
        at = x(tick)
        parts.append(f'<line class="axis" x1="{at}" x2="{at}" y1="{TOP - 6}" y2="{bottom}"/>')
        parts.append(f'<text class="small" x="{at}" y="{bottom + 12}" text-anchor="middle">{tick:{form}}</text>')
    for place, row in enumerate(rows):
        y, at = TOP + ROW * place + ROW / 2, x(row.truth)
        parts.append(
            f'<text class="name" x="{LEFT - 12}" y="{y}">{escape(row.name)}</text>'
            f"<g{' class=' + chr(34) + 'doubt' + chr(34) if row.doubted else ''}>"
            f'<line class="interval" x1="{x(row.low)}" x2="{x(row.high)}" y1="{y}" y2="{y}"/>'
            f'<circle class="estimate" cx="{x(row.value)}" cy="{y}" r="5"/></g>'
            f'<path class="truth" d="M{at - 5} {y}L{at} {y - 6}L{at + 5} {y}L{at} {y + 6}z"/>'
        )
    return "".join(parts)


def _round_step(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0**-8
    while power * 10 <= step:
        power *= 10
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)
