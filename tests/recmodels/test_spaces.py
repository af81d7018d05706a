"""A search starts from the defaults, and asks for parameters that there are."""

from dataclasses import asdict

import pytest

from recmodels.errors import ConfigError
from recmodels.registry import create, names
from recmodels.spaces import OneOf, Range, Real, Whole, including, space_of

TUNABLE = [name for name in names() if name not in ("apart", "content", "ensemble")]


@pytest.mark.parametrize("name", TUNABLE)
def test_a_space_names_real_parameters_and_holds_the_defaults(name: str) -> None:
    defaults = asdict(create(name))
    for parameter, place in space_of(name).items():
        assert parameter in defaults
        assert place.holds(defaults[parameter]), f"{parameter} = {defaults[parameter]}"


def ends(place: Range) -> tuple[object, ...]:
    return place.values if isinstance(place, OneOf) else (place.low, place.high)


@pytest.mark.parametrize("name", TUNABLE)
def test_the_ends_of_a_space_are_accepted(name: str) -> None:
    for end in (0, -1):
        create(
            name,
            {p: (at.values if isinstance(at, OneOf) else (at.low, at.high))[end] for p, at in space_of(name).items()},
        )


def test_what_a_space_holds() -> None:
    assert Whole(1, 3).holds(3) and not Whole(1, 3).holds(4) and not Whole(0, 3).holds(True)
    assert Real(0.5, 1.0).holds(0.5) and Real(0.5, 1.0).holds(1) and not Real(0.5, 1.0).holds(0.4)
    assert not Real(0.5, 1.0).holds(True) and not Real(0.5, 1.0).holds("auto")


def test_a_space_holds_what_is_configured() -> None:
    assert including(Real(0.02, 0.3, log=True), 0.1) == Real(0.02, 0.3, log=True)
    assert including(Real(0.02, 0.3, log=True), 0.5) == Real(0.02, 0.5, log=True)
    assert including(Real(0.02, 0.3, log=True), 0) == Real(0.0, 0.3)  # which has no logarithm
    assert including(Whole(16, 512, log=True), 1024) == Whole(16, 1024, log=True)
    assert including(OneOf((None, 1.0, 3.0)), 10.0) == OneOf((None, 1.0, 3.0, 10.0))
    assert including(Real(0.0, 1.0), "auto") == OneOf(("auto",))


def test_a_model_without_parameters_is_refused() -> None:
    with pytest.raises(ConfigError, match="content has no parameters to tune"):
        space_of("content")
