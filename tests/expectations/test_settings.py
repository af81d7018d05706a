"""Settings of the validation are checked."""

import pytest
from pydantic import ValidationError

from expectations.settings import ValidationSettings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rating_min": 5, "rating_max": 1}, "rating_min 5 is above rating_max 1"),
        ({"rating_min": float("nan")}, "finite number"),
        ({"rating_max": float("nan")}, "finite number"),
        ({"max_quarantined_share": 1.5}, "less than or equal to 1"),
        ({"max_staleness_days": 0}, "greater than 0"),
        ({"min_users": 0}, "greater than or equal to 1"),
        ({"maximum_staleness": 1}, "Extra inputs are not permitted"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ValidationSettings(**settings)
