"""What stands around a chart's plots is where matplotlib's constrained layout would put it."""

from collections.abc import Callable
from io import StringIO

import pytest
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from tasks.report.charts import STYLE, WIDTH
from tasks.report.frame import PAD, frame


def _named(axes: Axes) -> None:
    axes.plot([0.2, 0.5], [0, 1], "o")
    axes.yaxis.set_major_locator(FixedLocator([0, 1]))
    axes.yaxis.set_major_formatter(FixedFormatter(["popularity", "a model of a long name"]))
    axes.set_xlabel("NDCG@10")


def _titled(axes: Axes) -> None:
    axes.plot([1, 12], [4_000, 1_250_000])
    axes.set_title("training loss")
    axes.set_ylabel("loss")


def _tiny(axes: Axes) -> None:
    axes.plot([2e-9, 9e-9], [2e-7, 3e-7])


@pytest.mark.parametrize("plots", [[_named], [_titled, _titled], [_tiny], [_tiny, _named]])
def test_panels_and_ticks_are_as_matplotlib_lays_them_out(plots: list[Callable[[Axes], None]]) -> None:
    def panels(figure: Figure) -> list[Axes]:
        made = list(figure.subplots(len(plots), 1, squeeze=False)[:, 0])
        for axes, plot in zip(made, plots, strict=True):
            plot(axes)
        return made

    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.4))
        ours = panels(figure)
        frame(figure, RendererSVG(*figure.bbox.size, StringIO()))
    with rc_context(STYLE | {"axes.titley": None, "xtick.major.size": 0, "ytick.major.size": 0}):
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        FigureCanvasSVG(figure)
        theirs = panels(figure)
        figure.draw_without_rendering()
    for one, other in zip(ours, theirs, strict=True):
        assert one.bbox.extents == pytest.approx(other.bbox.extents, abs=1)
        written = {text.get_text() for text in one.texts}
        for axis in (other.xaxis, other.yaxis):
            low, high = axis.get_view_interval()
            labels = [tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            assert len(labels) > 1
            assert written.issuperset([*labels, *filter(None, [axis.get_offset_text().get_text()])])


def test_a_text_that_reaches_beyond_the_axes_gets_room() -> None:
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2))
        axes = figure.subplots()
        axes.set_xlim(0, 1)
        note = axes.annotate("25.8 s · 264 MiB", (0.9, 0.5), xytext=(5, 0), textcoords="offset points")
        renderer = RendererSVG(*figure.bbox.size, StringIO())
        frame(figure, renderer)
        assert note.get_window_extent(renderer).x1 == pytest.approx(figure.bbox.x1 - PAD, abs=0.1)
