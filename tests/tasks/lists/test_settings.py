"""Rules of the lists as a site sets them."""

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.lists.settings import ListSettings, Segments


@pytest.mark.parametrize(
    "rules",
    [
        {"pinned": ["i1"], "excluded": ["i1"]},
        {"category_caps": {"x": -1}},
        {"segments": {"column": "plan", "k": {"premium": 1001}}},
    ],
)
def test_rules_that_cannot_be_are_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ListSettings(k=3, **rules)


def test_measured_lists_are_as_long_as_the_measurement_for_everybody() -> None:
    rules = ListSettings(k=3, segments=Segments(column="plan", k={"premium": 20}), active_days=7, pinned=[1])
    measured = rules.measured(10)
    assert (measured.k, measured.segments, measured.active_days, measured.pinned) == (10, None, None, [1])
    assert rules.longest == 20
    assert not ListSettings(k=3, pool=7, new_days=1).rerank
