"""Behavior models by name: nightrec's own, a site's class, and those that packages register."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recmodels import plugins
from recmodels.errors import ConfigError
from recmodels.simulation import behaviors
from recmodels.simulation.behaviors import check, class_of, create
from recmodels.simulation.market import Market

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SIZES: dict[str, Any] = {"users": 20, "items": 30, "nights": 3, "seed": 1}


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the example's own classes, which a package registers, too."""
    monkeypatch.setenv(plugins.FOLDER_VARIABLE, str(EXAMPLES))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    registered = {"collectors": "shop.people:Collectors"}
    monkeypatch.setattr(behaviors.plugins, "registered", lambda group: registered if group == behaviors.GROUP else {})


def test_nightrecs_own_has_the_parameters_that_are_given() -> None:
    market = create("nightrec", {"adoption": 0.9, "history_days": 3}, **SIZES)
    assert isinstance(market, Market) and market.settings.adoption == 0.9
    assert (market.world.n_users, market.world.n_items) == (20, 30)


@pytest.mark.parametrize("name", ["shop.people:Collectors", "collectors"])
def test_a_class_of_ones_own_is_made_with_its_parameters(name: str) -> None:
    made = create(name, {"visits": 0.25}, **SIZES)
    assert type(made).__name__ == "Collectors" and made.world.n_users == 20
    assert np.unique(made.visit_chance(0)).tolist() == [0.25]


@pytest.mark.parametrize(
    ("model", "parameters", "fitted", "told"),
    [
        ("nightrec", {"adopted": 1}, False, "there is no 'adopted'; did you mean adoption?"),
        ("nightrec", {"adoption": 2}, False, "behavior: adoption"),
        ("nightrex", {}, False, "Unknown behavior model: 'nightrex'; did you mean nightrec?"),
        ("shop.people:Nobody", {}, False, "has no Nobody"),
        ("shop.nowhere:Nobody", {}, False, "there is no module shop.nowhere"),
        ("shop.people:CATEGORIES", {}, False, "is no behavior model: derive the class from"),
        ("recmodels.simulation.behavior:Behavior", {}, False, "is not complete: write here, history"),
        ("collectors", {}, True, "collectors cannot be fitted to a site: give it a class method `fitted`"),
    ],
)
def test_mistakes_are_told_before_anything_is_begun(
    model: str, parameters: dict[str, Any], fitted: bool, told: str
) -> None:
    with pytest.raises(ConfigError) as mistake:
        check(model, parameters, fitted)
    assert told in str(mistake.value)


def test_a_parameter_that_a_class_does_not_have_is_a_mistake() -> None:
    check("collectors", {}, fitted=False)
    assert class_of("collectors").__name__ == "Collectors"
    with pytest.raises(ConfigError, match=r"collectors cannot be made: .*'colour'.*; see simulate.behavior"):
        create("collectors", {"colour": 1}, **SIZES)
