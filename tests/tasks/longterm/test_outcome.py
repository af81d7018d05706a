"""Outcomes are named by what they are and for how many days."""

import numpy as np
import pytest

from recmodels.errors import ConfigError
from tasks.longterm.outcome import Outcome


def test_outcomes_are_measured_by_what_happened_on_their_days() -> None:
    events = np.array([[0, 0, 0], [2, 0, 3], [0, 1, 0]], float)
    found = {name: Outcome.of(name).measured(events).tolist() for name in ("retention3", "visits3", "interactions3")}
    assert found == {"retention3": [0, 1, 1], "visits3": [0, 2, 1], "interactions3": [0, 5, 1]}


def test_they_say_of_which_days_they_are() -> None:
    retention = Outcome.of("retention28")
    assert (retention.name, retention.unit, retention.label(7)) == (
        "retention28",
        "share",
        "of users active in days 8 to 35",
    )
    assert Outcome.of("visits14").unit == "number"


@pytest.mark.parametrize("name", ["retention", "clicks28", "retention0", "visits366", "28", "retention28x", ""])
def test_others_are_unknown(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--outcome .*is unknown: write retention, visits or interactions"):
        Outcome.of(name)
