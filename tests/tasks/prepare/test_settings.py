"""Settings of the preparation are checked."""

import pytest
from pydantic import ValidationError

from tasks.prepare.settings import PrepareSettings


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_an_event_weighs_something_or_nothing(weight: float) -> None:
    assert PrepareSettings(event_weights={"skip": 0, "buy": 5.5}).event_weights == {"skip": 0, "buy": 5.5}
    with pytest.raises(ValidationError, match=f"the weight of view is {float(weight)}; give 0 or more"):
        PrepareSettings(event_weights={"view": weight})


def test_the_least_rating_of_a_like_is_a_number() -> None:
    with pytest.raises(ValidationError, match="finite number"):
        PrepareSettings(min_rating=float("nan"))
