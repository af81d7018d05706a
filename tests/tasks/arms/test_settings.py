"""Settings of arms that cannot be are said at once."""

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.arms.settings import ArmsSettings


def arms(**groups: dict[str, Any]) -> ArmsSettings:
    return ArmsSettings.model_validate({"groups": groups})


def test_shares_are_in_the_order_of_the_settings() -> None:
    found = arms(holdback={"share": 0.05, "policy": "popularity"}, b={"share": 0.1, "policy": "challenger"})
    assert list(found.shares.items()) == [("holdback", 0.05), ("b", 0.1)]
    assert ArmsSettings().shares == {}


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ({"main": {"share": 0.1, "policy": "popularity"}}, "main is the arm of all other users"),
        ({"A B": {"share": 0.1, "policy": "popularity"}}, "'A B' is no name of an arm"),
        ({"a": {"share": 0.6, "policy": "popularity"}, "b": {"share": 0.4, "policy": "challenger"}}, "add up to 1;"),
        ({"a": {"share": 1, "policy": "popularity"}}, "less than 1"),
        ({"a": {"share": 0, "policy": "popularity"}}, "greater than 0"),
        ({"a": {"share": 0.1, "policy": "popularity", "model": "als"}}, "model goes with challenger and interleave"),
        ({"a": {"share": 0.1, "policy": "best"}}, "Input should be 'popularity'"),
        ({f"a{n}": {"share": 0.01, "policy": "popularity"} for n in range(17)}, "at most 16"),
    ],
)
def test_what_cannot_be_is_refused(groups: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        arms(**groups)
