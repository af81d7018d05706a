"""How steeply a figure of a night grows with its interactions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from docs.site.curves import Curves, Model, Night, Stage

FIXED = 0.5
"""The share of a figure that a part of fixed size may be at the sizes that an exponent is fitted to."""


@dataclass(frozen=True)
class Line:
    """A figure at several sizes; where it was not measured, there is no size.

    Attributes:
        sizes: interactions.
        values: the figure there.
        bounded: whether it was cut short by its minutes.
        marks: what a picture writes at the points, if anything.
    """

    name: str
    sizes: Sequence[float]
    values: Sequence[float]
    bounded: Sequence[bool]
    marks: Sequence[str] = ()

    def at(self, size: float) -> tuple[float, bool] | None:
        """The figure at a size, and whether it was cut short; None where it was not measured."""
        found = zip(self.sizes, self.values, self.bounded, strict=True)
        return next(((value, bounded) for one, value, bounded in found if one == size), None)

    def exponent(self, least: float = 0.0) -> float | None:
        """e of interactions^e, by least squares of the logarithms; None where it does not grow enough to tell, or is
        less than `least` everywhere.

        Fitted are the sizes where a fixed part is at most half of the figure. The fixed part is that of the line
        with the least relative deviations, neither part of which is negative.
        """
        whole = [not bounded for bounded in self.bounded]
        sizes, values = np.asarray(self.sizes)[whole], np.asarray(self.values)[whole]
        if len(sizes) < 2 or values.max() < least:
            return None
        (fixed, _), _ = nnls(np.stack([1 / values, sizes / values], axis=1), np.ones(len(sizes)))
        used = fixed <= FIXED * values
        if used.sum() < 2:
            return None
        slope: float = np.polyfit(np.log(sizes[used]), np.log(values[used]), 1)[0]
        return slope


def stage_lines(curves: Curves, figure: Callable[[Stage], float | None]) -> list[Line]:
    """A figure of each stage but the trainings, which are those of the models; of `evaluate`, that of a model."""
    names = dict.fromkeys(_stage(stage) for night in curves.nights for stage in night.stages)
    return [_line(curves, name, lambda night, name=name: _of_stage(night, name, figure)) for name in names if name]


def _stage(stage: Stage) -> str:
    name, _, model = stage.name.partition(" ")
    return {"train": "", "evaluate": "evaluate a model", "refit": f"refit {model}"}.get(name, stage.name)


def _of_stage(night: Night, name: str, figure: Callable[[Stage], float | None]) -> tuple[float, bool] | None:
    found = [value for stage in night.stages if _stage(stage) == name and (value := figure(stage)) is not None]
    return (sum(found) / len(found), False) if found else None


def model_lines(curves: Curves, figure: Callable[[Model], float], *, of_time: bool = False) -> list[Line]:
    """A figure of each model; one `of_time` is cut short where the training was."""

    def of(night: Night, name: str) -> tuple[float, bool] | None:
        found = (model for model in night.models if model.name == name)
        return next(((figure(model), of_time and model.bounded) for model in found), None)

    names = dict.fromkeys(model.name for night in curves.nights for model in night.models)
    return [_line(curves, name, lambda night, name=name: of(night, name)) for name in names]


def _line(curves: Curves, name: str, value: Callable[[Night], tuple[float, bool] | None]) -> Line:
    found = [(night.interactions, *one) for night in curves.nights if (one := value(night)) is not None]
    return Line(name, *zip(*found, strict=True))
