from dataclasses import fields

import pytest

from recmodels.errors import ConfigError
from recmodels.parameters import parameters_of
from recmodels.simulation.market_settings import MarketSettings, units


def test_every_setting_is_described_and_says_its_unit_and_where_it_comes_from() -> None:
    declared = parameters_of(MarketSettings)
    assert [one.name for one in declared] == [field.name for field in fields(MarketSettings)]
    assert all(one.doc for one in declared)
    assert {one.name for one in declared} - units().keys() == {"feedback"}
    assert all(about.unit and about.source for about in units().values())
    assert units()["attention"].source.startswith("Chaney et al. 2018") and MarketSettings().attention == 0.8


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"adoption": 1.5}, "behavior: adoption is 1.5; give a number of at least 0 and at most 1."),
        ({"dimensions": 8.0}, "behavior: dimensions is 8.0; give a whole number of at least 2."),
        ({"noise": 0.0}, "behavior: noise is 0.0; give a number above 0."),
        ({"boredom": -1.0}, "behavior: boredom is -1.0; give a number of at least 0, or none."),
        (
            {"by_popularity": 0.5, "by_taste": 0.7},
            "behavior: by_popularity 0.5 and by_taste 0.7 are shares of the same items, and more than 1 together; "
            "lower one of them.",
        ),
    ],
)
def test_what_is_not_legal_is_refused_in_one_sentence(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        MarketSettings(**values)  # type: ignore[arg-type]
    assert str(refused.value) == sentence


def test_the_control_has_no_feedback_and_nothing_new() -> None:
    control = MarketSettings(adoption=0.3).without_feedback()
    assert (control.feedback, control.new_users, control.new_items, control.adoption) == (False, 0.0, 0.0, 0.3)
