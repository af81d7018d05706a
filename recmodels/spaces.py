"""Where each recommender's hyper-parameters are searched, as the annotations of its fields declare it (`Search`).

What has no `Search` keeps its default, or what the site has configured. A space holds the default, and `including` what
is configured instead, so that a search starts from it and never ends below it.
"""

from dataclasses import dataclass
from typing import TypeAlias

from recmodels.errors import ConfigError
from recmodels.parameters import Parameter, Search, Value, parameters_of
from recmodels.registry import kind_of, names


@dataclass(frozen=True)
class Whole:
    """Whole numbers from low to high; on a logarithmic scale where only the order of magnitude counts."""

    low: int
    high: int
    log: bool = False

    def holds(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high


@dataclass(frozen=True)
class Real:
    """Numbers from low to high."""

    low: float
    high: float
    log: bool = False

    def holds(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[Value, ...]

    def holds(self, value: object) -> bool:
        return value in self.values


Range: TypeAlias = Whole | Real | OneOf
Space: TypeAlias = dict[str, Range]


def space_of(name: str) -> Space:
    """Where the parameters of a recommender are searched. Raises ConfigError where there is nothing to search."""
    space = _space(name)
    if not space:
        there = ", ".join(name for name in names() if _space(name))
        raise ConfigError(f"{name} has no parameters to tune; there are spaces for: {there}.")
    return space


def including(place: Range, value: Value) -> Range:
    """The range, wider where it has to be, so that it holds what somebody has configured."""
    if place.holds(value):
        return place
    if isinstance(place, OneOf):
        return OneOf((*place.values, value))
    if isinstance(value, str | bool | None):  # no number: there is no way from it to the others
        return OneOf((value,))
    low, high = min(place.low, value), max(place.high, value)
    if isinstance(place, Whole):
        return Whole(int(low), int(high), place.log and low > 0)
    return Real(float(low), float(high), place.log and low > 0)


def _space(name: str) -> Space:
    parameters = parameters_of(kind_of(name))
    return {parameter.name: _range(parameter, parameter.search) for parameter in parameters if parameter.search}


def _range(parameter: Parameter, search: Search) -> Range:
    if search.low is None or search.high is None:
        return OneOf(search.values or parameter.choices or (True, False))
    if parameter.type.removesuffix(" | None") == "int":
        return Whole(int(search.low), int(search.high), search.log)
    return Real(float(search.low), float(search.high), search.log)
