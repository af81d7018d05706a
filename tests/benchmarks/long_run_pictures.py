"""The pictures of the article on small and large models, as SVG that reads on light and dark pages alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recmodels.simulation.comparison import LATER, TONIGHT, Comparison, Standing
from recmodels.simulation.figures import BY_NAME

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, RULE = "#6b7488", "#9aa3b560"
COLORS = ("#3f6fb5", "#d9480f", "#2b8a3e", "#9c36b5", "#b08900", "#0b7285", "#c2255c", "#6b7488")
PANELS = (LATER, "individual_diversity", "alive_items", "popularity_lift")
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nightrec",
    "font.family": "sans-serif",
    "font.size": 10,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
}


def frontier(found: Comparison, path: Path, kinds: Mapping[str, str], beside: Mapping[str, tuple[int, int]]) -> None:
    """Tonight's accuracy against utility in the long run, with intervals, of policies of some kinds.

    Each kind has a color; names stand above and right of their points, or where `beside` says, in points.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(7.6, 5.2), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=True)
        names = list(dict.fromkeys(kinds.values()))
        for one in (standing for standing in found.standings if standing.policy in kinds):
            color = COLORS[names.index(kinds[one.policy])]
            x, y = _at(found, one)
            _bars(axes, one, x, y, color)
            axes.plot(x, y, "o", color=color, markersize=6)
            dx, dy = beside.get(one.policy, (6, 5))
            side = "left" if dx > 0 else "right"
            axes.annotate(one.policy, (x, y), (dx, dy), textcoords="offset points", color=color, fontsize=9, ha=side)
        axes.set_xlabel(f"tonight: NDCG of the first {found.first} nights")
        axes.set_ylabel(f"utility of all users on the last {found.last} of {found.nights} nights")
        _written(figure, path)


def trajectories(found: Comparison, shown: Sequence[str], path: Path) -> None:
    """How policies go over the nights, with bands."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(7.6, 6.4), layout="constrained")
        panels = figure.subplots(2, 2).ravel()
        by_name = {one.policy: one for one in found.standings}
        for axes, name in zip(panels, PANELS, strict=True):
            axes.set_title(BY_NAME[name].title, fontsize=10, loc="left")
            axes.grid(visible=True, axis="y")
            for color, policy in zip(COLORS, shown, strict=False):
                line = next((one for one in by_name[policy].trajectories if one.figure == name), None)
                if line is None:
                    continue
                points = [
                    row for row in zip(line.nights, line.values, line.low, line.high, strict=True) if row[1] is not None
                ]
                axes.plot([row[0] for row in points], [row[1] for row in points], color=color, label=policy)
                if band := [row for row in points if row[2] is not None]:
                    nights, _, low, high = zip(*band, strict=True)
                    axes.fill_between(nights, low, high, color=color, alpha=0.15, linewidth=0)
        panels[2].set_xlabel("night")
        panels[3].set_xlabel("night")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        _written(figure, path)


def _at(found: Comparison, one: Standing) -> tuple[float, float]:
    return next((point.tonight, point.later) for point in found.frontiers[LATER] if point.policy == one.policy)


def _bars(axes: "Axes", one: Standing, x: float, y: float, color: str) -> None:
    """The intervals of the differences from the reference, around the policy."""
    for name, (dx, dy) in {TONIGHT: (1, 0), LATER: (0, 1)}.items():
        effects = one.tonight if name == TONIGHT else one.later
        if (effect := effects.get(name)) and effect.difference.low is not None and effect.difference.high is not None:
            off = [end - effect.difference.value for end in (effect.difference.low, effect.difference.high)]
            axes.plot([x + dx * end for end in off], [y + dy * end for end in off], color=color, alpha=0.5)


def _written(figure: Any, path: Path) -> None:
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
