"""Hyper-parameters as a model's dataclass declares them: type, legal range, search range, default and documentation.

The annotation of a field is the only place where these stand:

    factors: Annotated[int, Ge(1), Search(16, 512, log=True)] = 128
    "Length of the vectors."

From it come the check of every value that is given (`check`), the space that is searched (`recmodels.spaces`) and the
tables of the documentation (`parameters_of`).
"""

import ast
import inspect
import logging
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from recmodels.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

log = logging.getLogger(__name__)

Value: TypeAlias = str | float | int | bool | None

Renamed: TypeAlias = str | Callable[[Any], Mapping[str, Any]]
"""The name that a parameter has now, or the parameters that its values are now."""

Seed: TypeAlias = Annotated[int, Ge(0)]


@dataclass(frozen=True)
class Search:
    """Where the tuner searches a parameter: numbers from `low` to `high`, or one of `values`.

    `Search()` stands for all the values that the annotation names: those of a Literal, or True and False.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter of a model.

    Attributes:
        type: `int`, `float`, `bool`, `str`, the legal values, or the annotation as it is written; `| None` if optional.
        low, high: The ends of its legal range, None where there is none.
        above_low, below_high: Whether the range excludes its end.
        choices: The legal values, if they are named.
        doc: The documentation below the field, in one line.
    """

    name: str
    type: str
    default: Any
    low: float | None
    high: float | None
    above_low: bool
    below_high: bool
    choices: tuple[Value, ...]
    optional: bool
    search: Search | None
    doc: str = ""

    @property
    def legal(self) -> str:
        """What may be given, as the end of "give ..."."""
        return self._of_a_kind() + (", or none" if self.optional else "")

    @property
    def named_only(self) -> bool:
        """Whether nothing but one of the `choices` may be given."""
        return bool(self.choices) and " | " not in self.type.removesuffix(" | None")

    def _of_a_kind(self) -> str:
        if self.named_only:
            return f"one of {', '.join(map(str, self.choices))}"
        kind = self.type.removesuffix(" | None")
        if self.choices:
            kind = kind.rpartition(" | ")[0]
        if kind == "bool":
            return "true or false"
        words = {"int": "a whole number", "float": "a number", "str": "a text"}.get(kind, kind)
        limits = []
        if self.low is not None:
            limits.append(f"{'above' if self.above_low else 'of at least'} {self.low:g}")
        if self.high is not None:
            limits.append(f"{'below' if self.below_high else 'at most'} {self.high:g}")
        number = " ".join([words, " and ".join(limits)]).strip()
        return ", or ".join([number, *map(str, self.choices)])


def parameters_of(kind: type) -> list[Parameter]:
    """The hyper-parameters of a recommender's class, in the order of its fields."""
    documented = _documentation(kind)
    return [
        Parameter(**vars(parameter) | {"doc": documented.get(name, "")}) for name, parameter in _declared(kind).items()
    ]


def defaults_of(kind: type) -> dict[str, Any]:
    """The defaults of the hyper-parameters, by name."""
    return {name: parameter.default for name, parameter in _declared(kind).items()}


def check(kind: type, values: Mapping[str, Any], name: str) -> None:
    """Raise ConfigError unless every value is of its parameter's type and within its range.

    Args:
        kind: The dataclass that declares the parameters.
        values: What is given, by parameter.
        name: How the sentence calls the model.
    """
    from pydantic import ValidationError

    for parameter, value in values.items():
        try:
            _adapter(kind, parameter).validate_python(value.item() if isinstance(value, np.generic) else value)
        except ValidationError:
            raise ConfigError(f"{name}: {_sentence(_declared(kind)[parameter], value)}") from None


def check_model(model: Any) -> None:
    """`check` for what a model has been constructed with, where that is not the default."""
    kind: type = type(model)
    given = {name: (getattr(model, name), default) for name, default in defaults_of(kind).items()}
    check(kind, {name: value for name, (value, default) in given.items() if value is not default}, kind.__name__)


def current(kind: type, values: Mapping[str, Any], name: str, *, note: bool = True) -> dict[str, Any]:
    """Parameters by the names that they have now, without those that have become options of `fit`.

    Args:
        kind: The class of the recommender; its `renamed` and `moved` say what has changed.
        values: What is given, by old and new names.
        name: How a note calls the model.
        note: Whether to log what has changed; not for files that nobody edits.

    Raises:
        ConfigError: a parameter is given by its old and its new name.
    """
    renamed: Mapping[str, Renamed] = getattr(kind, "renamed", {})
    moved: Mapping[str, str] = getattr(kind, "moved", {})
    found = {parameter: value for parameter, value in values.items() if parameter not in {*renamed, *moved}}
    for old in values.keys() & renamed.keys():
        new = renamed[old]
        for parameter, value in ({new: values[old]} if isinstance(new, str) else new(values[old])).items():
            if parameter in values and parameter != old:
                raise ConfigError(f"{name}: {old} is called {parameter} now, and both are given; leave {old} out.")
            found[parameter] = value
            if note and (parameter, value) != (old, values[old]):
                then, now = (old, parameter) if parameter != old else (f"{old} = {values[old]!r}", repr(value))
                _note(f"{name}: {then} is called {now} now; write {parameter} = {value!r} instead.")
    for old, advice in moved.items():
        if note and values.get(old) is not None:
            _note(f"{name}: {old} is no hyper-parameter any more, but an option of each training; {advice}.")
    return found


@cache  # once is enough
def _note(message: str) -> None:
    log.warning("%s", message)


def _sentence(parameter: Parameter, value: Any) -> str:
    shown, named = f"{parameter.name} is {value!r}", parameter.choices if parameter.named_only else ()
    if isinstance(value, str) and (near := get_close_matches(value, map(str, named), n=1, cutoff=0.5)):
        return f"{shown}; did you mean {near[0]!r}? There are: {', '.join(map(str, parameter.choices))}."
    return f"{shown}; give {parameter.legal}."


@cache
def _adapter(kind: type, parameter: str) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
    return TypeAdapter(_hints(kind)[parameter], config=config)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


@cache
def _declared(kind: type) -> dict[str, Parameter]:
    """All that an annotation says; reading the documentation takes longer."""
    return {field.name: _parameter(field, _hints(kind)[field.name]) for field in fields(kind) if field.init}


def _parameter(field: "Field[Any]", annotation: Any) -> Parameter:
    plain: list[Any] = []
    metadata: list[Any] = []
    for kind, extras in _parts(annotation):
        plain.append(kind)
        metadata += extras
    choices = tuple(value for kind in plain if get_origin(kind) is Literal for value in get_args(kind))
    optional = type(None) in plain
    low = next((one for one in metadata if isinstance(one, Ge | Gt)), None)
    high = next((one for one in metadata if isinstance(one, Le | Lt)), None)
    named = [_written(kind) for kind in plain if kind is not type(None) and get_origin(kind) is not Literal]
    if choices:
        named.append(", ".join(map(repr, choices)))
    return Parameter(
        name=field.name,
        type=" | ".join(named + ["None"] * optional),
        default=field.default_factory() if field.default_factory is not MISSING else field.default,
        low=_limit(low),
        high=_limit(high),
        above_low=isinstance(low, Gt),
        below_high=isinstance(high, Lt),
        choices=choices,
        optional=optional,
        search=next((one for one in metadata if isinstance(one, Search)), None),
    )


def _parts(annotation: Any) -> Iterator[tuple[Any, list[Any]]]:
    """The types that a union is of, each with what its annotation adds."""
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        for kind, more in _parts(inner):
            yield kind, [*more, *extras]
    elif get_origin(annotation) in (Union, types.UnionType):
        for kind in get_args(annotation):
            yield from _parts(kind)
    else:
        yield annotation, []


def _limit(bound: Ge | Gt | Le | Lt | None) -> float | None:
    if bound is None:
        return None
    return float(getattr(bound, type(bound).__name__.lower()))


def _written(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _documentation(kind: type) -> dict[str, str]:
    """The strings below the fields, those of a subclass before those of its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        found |= _documentation_in(base)
    return found


@cache
def _documentation_in(kind: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):  # written in a notebook, or built in
        return {}
    body = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)).body
    return {
        field.target.id: " ".join(inspect.cleandoc(text.value.value).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
