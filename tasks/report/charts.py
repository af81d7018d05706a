"""The charts of a report: matplotlib's SVG, made to take its text and colors from the page.

A chart is drawn in colors that stand for roles, which become CSS variables; so the page alone knows light and dark.
Text stays text. The width is that of a phone, and the page scales it up.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING, Any

from tasks.report.labels import AREA, label_offsets
from tasks.store.files import Json

if TYPE_CHECKING:  # matplotlib takes most of a second to load: only what draws with it does
    from matplotlib.axes import Axes

WIDTH = 4.8  # inches of 72 units
LABEL = 32  # characters of a name at most
# Stand-ins for the page's colors, by role; nothing else in a chart has a color.
TEXT, MUTED, LINE, ACCENT, BAD = "#010203", "#020304", "#030405", "#040506", "#050607"
SERIES = ["#0a0b0c", "#0b0c0d", "#0c0d0e", "#0d0e0f", "#0e0f10", "#0f1011"]
ROLES = {TEXT: "text", MUTED: "muted", LINE: "line", ACCENT: "accent", BAD: "bad"} | {
    color: f"series-{i}" for i, color in enumerate(SERIES)
}
STYLE: dict[Any, Any] = {
    "figure.dpi": 72, "svg.fonttype": "none", "text.parse_math": False, "svg.hashsalt": "nightrec", "font.size": 11,
    "text.color": TEXT, "axes.edgecolor": LINE, "axes.labelcolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
    "ytick.labelcolor": TEXT, "grid.color": LINE, "grid.linewidth": 0.6, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.titlecolor": MUTED,
    "axes.titley": 1, "legend.frameon": False, "legend.fontsize": 11,
}  # fmt: skip


class Drawing:
    """One SVG while it is drawn; `svg` has it afterwards."""

    svg = ""
    axes: "list[Axes]"


@contextmanager
def _drawing(height: float, panels: int = 1) -> Iterator[Drawing]:
    """Axes below one another, and what they look like in the end."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import RendererSVG
    from matplotlib.figure import Figure

    from tasks.report.frame import frame

    drawn = Drawing()
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), frameon=False)
        drawn.axes = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
        for axes in drawn.axes:
            axes.xaxis.set_visible(False)  # `frame` draws what stands at them
            axes.yaxis.set_visible(False)
            axes.patch.set_visible(False)
        yield drawn
        out = StringIO()
        # `savefig` would make a renderer of its own, and measure all texts again.
        renderer = RendererSVG(*figure.bbox.size, out, metadata={"Date": None, "Creator": None})
        frame(figure, renderer)
        figure.draw(renderer)
        renderer.finalize()
    drawn.svg = _for_a_page(out.getvalue())


def _for_a_page(svg: str) -> str:
    """An SVG without what a page does not need, in the page's font and colors, hidden from readers of its text.

    Whoever shows it says in words what it shows.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    for color, role in ROLES.items():
        svg = svg.replace(color, f"var(--{role})")
    return re.sub(r"\n\s*", "\n", svg)


def unique_ids(svg: str, name: str) -> str:
    """The same with ids that no other chart of the page has."""
    return re.sub(r'(id="|"#|url\(#)', rf"\1{name}-", svg)


def accuracy(rows: list[Json], label: str) -> str:
    """Each model's figure with its interval, best at the top."""
    with _drawing(0.75 + 0.27 * len(rows)) as drawn:
        (axes,) = drawn.axes
        for winner in (False, True):
            color = ACCENT if winner else SERIES[0]
            points = [(y, row["metrics"]["ndcg"]) for y, row in enumerate(reversed(rows)) if row["winner"] == winner]
            _intervals(axes, [(y, one["low"], one["high"]) for y, one in points if "low" in one], color, 2, "round")
            axes.plot([one["value"] for _, one in points], [y for y, _ in points], "o", color=color, markersize=7)
        _names(axes, [row["model"] for row in reversed(rows)])
        axes.set_xlabel(label)
    return drawn.svg


def trade_off(rows: list[Json], label: str) -> str:
    """Accuracy against the share of the catalogue that is shown."""
    with _drawing(3.3) as drawn:
        (axes,) = drawn.axes
        points = [(row["metrics"]["coverage"]["value"], row["metrics"]["ndcg"]["value"]) for row in rows]
        right = max((x for x, _ in points), default=1) or 1
        low, high = min((y for _, y in points), default=0), max((y for _, y in points), default=1)
        axes.set_xlim(0, 1.1 * right)
        axes.set_ylim(low - 0.14 * (high - low or 1), high + 0.14 * (high - low or 1))
        below, tall = axes.get_ylim()[0], axes.get_ylim()[1] - axes.get_ylim()[0]
        at = [(AREA[0] * x / (1.1 * right), AREA[1] * (y - below) / tall) for x, y in points]
        for row, (x, y), (dx, dy) in zip(rows, points, label_offsets(at, [row["model"] for row in rows]), strict=True):
            axes.plot(x, y, "o", color=_color_of(row), markersize=8)
            side = "center" if dx == 0 else "left" if dx > 0 else "right"
            line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6} if max(abs(dx), abs(dy)) > 12 else None
            axes.annotate(
                row["model"], (x, y), xytext=(dx, dy), textcoords="offset points", va="center", ha=side, color=TEXT,
                arrowprops=line,
            )  # fmt: skip
        axes.set_xlabel("coverage: share of the catalogue in the lists")
        axes.set_ylabel(label)
        axes.xaxis.set_major_formatter(_percent)
    return drawn.svg


def by_slice(slices: list[Json], shown: list[str], label: str) -> str:
    """The figure of a few models for each slice."""
    with _drawing(1.1 + 0.34 * len(slices)) as drawn:
        (axes,) = drawn.axes
        for n, model in enumerate(shown):
            offset = (n - (len(shown) - 1) / 2) * -0.2
            points = [(y, one["models"][model]) for y, one in enumerate(reversed(slices)) if model in one["models"]]
            known = [(y + offset, one["low"], one["high"]) for y, one in points if one["low"] is not None]
            _intervals(axes, known, SERIES[n], 1.6, "projecting")
            axes.plot(
                [figure["value"] for _, figure in points], [y + offset for y, _ in points],
                "osD^vP"[n], color=SERIES[n], markersize=5, label=model,
            )  # fmt: skip
        _names(axes, [f"{one['slice'][: LABEL - 8]} ({one['users']:,})" for one in reversed(slices)])
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
        axes.figure.legend(loc="outside upper left", ncols=3)
    return drawn.svg


def learning(curves: Mapping[str, list[Json]]) -> str:
    """Loss and validation by epoch."""
    with _drawing(3.6, 2) as drawn:
        for axes, key, title in zip(drawn.axes, ("ndcg", "loss"), ("validation NDCG", "training loss"), strict=True):
            for n, (model, epochs) in enumerate(curves.items()):
                color, x, y = SERIES[n % len(SERIES)], [one["epoch"] for one in epochs], [one[key] for one in epochs]
                axes.plot(x, y, "o-", color=color, markersize=3, linewidth=1.6, label=model)
                if key == "ndcg":
                    top = max(range(len(y)), key=lambda i: y[i])
                    axes.plot(x[top], y[top], "o", color=color, markersize=8, markerfacecolor="none")
            axes.set_title(title)
            _whole(axes)
        drawn.axes[1].set_xlabel("epoch")
        if len(curves) > 1:
            drawn.axes[0].legend()
    return drawn.svg


def waterfall(stages: list[Json]) -> str:
    """When each stage ran and for how long, with the memory it took."""
    with _drawing(0.7 + 0.26 * len(stages)) as drawn:
        (axes,) = drawn.axes
        end = max(one["begin"] + one["seconds"] for one in stages) or 1
        axes.barh(
            range(len(stages))[::-1], [max(one["seconds"], 0.004 * end) for one in stages],
            left=[one["begin"] for one in stages], height=0.62, color=list(map(_color_of_stage, stages)),
        )  # fmt: skip
        for y, one in enumerate(reversed(stages)):
            text = seconds(one["seconds"]) + (f" · {size(one['peak_bytes'])}" if one["own"] else "")
            text = "skipped" if one["event"] == "skipped" else text
            axes.annotate(
                text, (one["begin"] + one["seconds"], y), xytext=(5, 0), textcoords="offset points", va="center",
                color=MUTED,
            )  # fmt: skip
        _names(axes, [one["stage"] for one in reversed(stages)])
        axes.set_xlim(0, 1.4 * end)  # room for the text after the last bars
        axes.set_xlabel("seconds since the night began")
    return drawn.svg


def nights(history: list[Json], shown: list[str]) -> str:
    """The figures of a few models over the nights; those of the published one are filled, failed nights are marked."""
    with _drawing(3.4) as drawn:
        (axes,) = drawn.axes
        days = [_day_of(one) for one in history]
        for n, model in enumerate(shown):
            values = [one["metrics"].get("ndcg", {}).get(model) for one in history]
            known = [(day, value) for day, value in zip(days, values, strict=True) if value is not None]
            axes.plot(*zip(*known, strict=True), color=SERIES[n], linewidth=1.6, label=model)
            published = [
                (day, value)
                for day, value, one in zip(days, values, history, strict=True)
                if value is not None and one["champion"] == model
            ]
            if published:
                axes.plot(*zip(*published, strict=True), "o", color=SERIES[n], markersize=6)
        axes.set_ylim(bottom=0)
        bad = [day for day, one in zip(days, history, strict=True) if one["status"] in ("failed", "interrupted")]
        if bad:
            axes.plot(bad, [0] * len(bad), "X", color=BAD, markersize=9, clip_on=False, label="not published")
        axes.set_ylabel("NDCG")
        _calendar(axes, days)
        axes.figure.legend(loc="outside upper left", ncols=3)
    return drawn.svg


def arms(past: Mapping[str, list[Json]]) -> str:
    """How each arm's outcome differs from that of `main`, night after night, with its interval: a panel an arm."""
    shown = {arm: lines for arm, lines in past.items() if lines}
    days = sorted({_day_of(one) for lines in shown.values() for one in lines})
    with _drawing(0.5 + 1.6 * len(shown), panels=len(shown)) as drawn:
        for axes, (arm, lines) in zip(drawn.axes, shown.items(), strict=True):
            at = [_day_of(one) for one in lines]
            low, high = ([one[end] for one in lines] for end in ("low", "high"))
            axes.vlines(at, low, high, colors=SERIES[0], linewidths=1.6)
            axes.plot(at, [one["value"] for one in lines], "o", color=SERIES[0], markersize=4)
            axes.axhline(0, color=MUTED, linewidth=0.8)
            reach = 2 * max(abs(lines[-1]["low"]), abs(lines[-1]["high"]), 1e-9)  # the first intervals are far wider
            axes.set_ylim(-reach, reach)
            axes.set_title(arm)
            axes.yaxis.set_major_formatter(_percent)
            _calendar(axes, days)
    return drawn.svg


def volume(recent: list[Json]) -> str:
    """Good rows of the last nights, and how old the newest one was."""
    with _drawing(3.4, 2) as drawn:
        days = [_day_of(one) for one in recent]
        rows, ages = drawn.axes
        colors = [SERIES[0]] * (len(recent) - 1) + [ACCENT]
        rows.bar(days, [one["rows"] for one in recent], width=0.6, color=colors)
        rows.set_title("good rows")
        rows.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        known = [(day, 24 * one["newest_age_days"]) for day, one in zip(days, recent, strict=True) if one[
            "newest_age_days"] is not None]  # fmt: skip
        if known:
            ages.plot(*zip(*known, strict=True), "o-", color=SERIES[0], markersize=4, linewidth=1.6)
        ages.set_title("hours from the newest row to the cutoff")
        ages.set_ylim(bottom=0, top=max([1.0, *(1.1 * age for _, age in known)]))
        for axes in drawn.axes:
            _calendar(axes, days)
    return drawn.svg


def _color_of(row: Json) -> str:
    """The winner's is the accent."""
    return ACCENT if row["winner"] else SERIES[0]


def _color_of_stage(stage: Json) -> str:
    if stage["event"] in ("failed", "skipped"):
        return BAD if stage["event"] == "failed" else MUTED
    return ACCENT if stage["own"] else SERIES[0]


def _intervals(axes: "Axes", bounds: list[tuple[float, float, float]], color: str, width: float, ends: str) -> None:
    """Lines from a lower to an upper bound, each at its height, which comes first."""
    if bounds:
        at, low, high = zip(*bounds, strict=True)
        axes.hlines(at, low, high, colors=color, linewidths=width, capstyle=ends, zorder=2)


def _names(axes: "Axes", labels: list[str]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator

    axes.yaxis.set_major_locator(FixedLocator(range(len(labels))))
    axes.yaxis.set_major_formatter(
        FixedFormatter([label if len(label) <= LABEL else f"{label[: LABEL - 1]}…" for label in labels])
    )
    axes.set_ylim(-0.6, len(labels) - 0.4)


def _whole(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _day_of(one: Json) -> int:
    """A night's place on the axis of the nights."""
    return date.fromisoformat(one["run_date"]).toordinal()


def _calendar(axes: "Axes", days: list[int]) -> None:
    """A tick for some of the nights, with its date."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    step = -(-len(days) // 5) if days else 1
    shown = days[::-1][::step][::-1]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{date.fromordinal(day):%d %b}" for day in shown]))
    if days:  # they are shown even where no night has a figure
        axes.xaxis.set_view_interval(days[0], days[-1])
    axes.margins(x=0.04 if len(days) > 1 else 2)


def _percent(value: float, _: Any) -> str:
    return f"{value:.0%}"


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 60 else f"{value / 60:.1f} min"


def size(count: float | None) -> str:
    if count is None:
        return ""
    return f"{count / 2**20:,.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"
