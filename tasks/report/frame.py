"""What stands around the plots of a chart: the lines of its grid, ticks, the names of its axes, and the room for them.

Matplotlib's own ticks and layout would take most of the time of a small chart: a tick is five artists, and each is
measured again and again. Here it is one text that is measured once, and all lines of a grid are one artist.
"""

from typing import TYPE_CHECKING, Any

from matplotlib import rcParams
from matplotlib.collections import LineCollection
from matplotlib.text import Annotation
from matplotlib.ticker import FixedFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure

# In units, of which an inch has 72:
LINE, ASCENT = 11.0, 8.4  # a line of text, and its part above the baseline
PAD = 3.0  # around a panel with all that is written at it, and around a legend
TITLE_PAD = 6.0  # from axes to their title
TICK_PAD = 3.5  # from axes to the labels of their ticks
NAME_PAD = 4.0  # from those labels to the name of the axis
POWER_PAD = 3.0  # from those labels to what they leave out, as a power of ten
LEAST = 72.0  # the axes themselves are this wide, however long the texts in them are


def frame(figure: "Figure", renderer: "RendererBase") -> None:
    """Place the panels of a chart below one another, equally large, and write what stands at their axes."""
    width, height = figure.bbox.size
    top = height - sum(legend.get_window_extent(renderer).height + 2 * PAD for legend in figure.legends)
    panels = [_Panel(axes, renderer) for axes in figure.axes]

    def place() -> None:
        left = max(panel.left for panel in panels)
        right = min(max(panel.right for panel in panels), width - left - LEAST)
        tall = (top - sum(panel.above + panel.below for panel in panels)) / len(panels)
        edge = top
        for panel in panels:
            edge -= panel.above + tall
            panel.axes.set_position((left / width, edge / height, (width - left - right) / width, tall / height))
            edge -= panel.below

    # The height says which labels stand on the left; these, how wide the axes are; and that, which labels stand below.
    place()
    for panel in panels:
        panel.write_on_the_left()
    place()
    for panel in panels:
        panel.write_below()
    place()
    for panel in panels:
        panel.draw_grid()


class _Panel:
    """Axes, and the units that are kept free on their sides."""

    def __init__(self, axes: "Axes", renderer: "RendererBase") -> None:
        self.axes, self.renderer = axes, renderer
        self.left = self.right = PAD
        self.x_ticks: list[tuple[float, str]] = []
        self.y_ticks: list[tuple[float, str]] = []
        self.above = PAD + (TITLE_PAD + ASCENT if axes.get_title("left") else 0)
        self.below = PAD + TICK_PAD + LINE + (NAME_PAD + LINE if axes.get_xlabel() else 0)

    def write_on_the_left(self) -> None:
        """The labels of the y axis and its name."""
        axes, color = self.axes, rcParams["ytick.labelcolor"]
        self.y_ticks = _ticks(axes.yaxis)
        at, va, ha = axes.get_yaxis_text1_transform(TICK_PAD)
        labels = [axes.text(0, y, label, transform=at, va=va, ha=ha, color=color) for y, label in self.y_ticks]
        boxes = [label.get_window_extent(self.renderer) for label in labels]
        wide = TICK_PAD + max((box.width for box in boxes), default=0)
        self.left += wide
        self.above = max([self.above, *(PAD + box.y1 - axes.bbox.y1 for box in boxes)])
        if axes.get_ylabel():
            name = {"color": rcParams["axes.labelcolor"], "ha": "right", "va": "center", "rotation": 90}
            _beside(axes, axes.get_ylabel(), (0, 0.5), (-wide - NAME_PAD, 0), **name)
            self.left += NAME_PAD + LINE
        if power := axes.yaxis.get_major_formatter().get_offset():
            _beside(axes, power, (0, 1), (0, POWER_PAD), color=color)
            axes.set_title(axes.get_title("left"), pad=TITLE_PAD + POWER_PAD + ASCENT)
            self.above += POWER_PAD + ASCENT

    def write_below(self) -> None:
        """The labels of the x axis and its name."""
        axes, color = self.axes, rcParams["xtick.color"]
        notes = [text for text in axes.texts if isinstance(text, Annotation) and text.xycoords == "data"]
        self.x_ticks = _ticks(axes.xaxis)
        at, va, ha = axes.get_xaxis_text1_transform(TICK_PAD)
        labels = [axes.text(x, 0, label, transform=at, va=va, ha=ha, color=color) for x, label in self.x_ticks]
        for text in (*notes, *labels):
            beyond = text.get_window_extent(self.renderer).x1 - axes.bbox.x1
            if beyond > 0:  # narrower axes take a text along, the more so the farther right it stands
                x = text.xy[0] if isinstance(text, Annotation) else text.get_position()[0]
                share = (axes.transData.transform((x, 0))[0] - axes.bbox.x0) / axes.bbox.width
                self.right = max(self.right, PAD + beyond / max(share, 0.1))
        deep = TICK_PAD + LINE
        if axes.get_xlabel():
            name = {"color": rcParams["axes.labelcolor"], "ha": "center", "va": "top"}
            _beside(axes, axes.get_xlabel(), (0.5, 0), (0, -deep - NAME_PAD), **name)
        if power := axes.xaxis.get_major_formatter().get_offset():
            _beside(axes, power, (1, 0), (0, -deep - POWER_PAD), color=color, ha="right", va="top")
            self.below = max(self.below, PAD + deep + POWER_PAD + LINE)

    def draw_grid(self) -> None:
        """A line for each tick, but none for the names of things."""
        axes = self.axes
        named = isinstance(axes.yaxis.get_major_formatter(), FixedFormatter)
        upright = [[(x, 0), (x, 1)] for x, _ in self.x_ticks]
        level = [[(0, y), (1, y)] for y, _ in self.y_ticks if not named]
        for lines, place in ((upright, axes.get_xaxis_transform()), (level, axes.get_yaxis_transform())):
            grid = LineCollection(
                lines, transform=place, colors=rcParams["grid.color"], linewidths=rcParams["grid.linewidth"],
                capstyle="projecting", zorder=0.5,
            )  # fmt: skip
            axes.add_collection(grid, autolim=False)


def _beside(axes: "Axes", text: str, at: tuple[float, float], offset: tuple[float, float], **style: Any) -> None:
    """Write at a corner or the middle of a side of the axes, some units away."""
    axes.annotate(text, at, xycoords="axes fraction", xytext=offset, textcoords="offset points", **style)


def _ticks(axis: "Axis") -> list[tuple[float, str]]:
    """The places of the ticks that are in view, and their labels."""
    places = axis.get_majorticklocs().tolist()
    labels = axis.get_major_formatter().format_ticks(places)
    low, high = sorted(axis.get_view_interval())
    slack = 1e-10 * (high - low)
    return [(at, label) for at, label in zip(places, labels, strict=True) if low - slack <= at <= high + slack]
