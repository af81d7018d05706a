"""Policies and behavior models that err are told so."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recmodels.errors import NightrecError
from recmodels.simulation.policies import Lists, Random
from recmodels.simulation.run import simulate
from tests.recmodels.simulation.tiny import Tiny


class Erring(Random):
    """Random lists, in which a place of a user is given to an item; or of another shape or type."""

    def __init__(self, user: int, item: int, place: int = 0, kind: Any = np.int32, width: int = 10) -> None:
        super().__init__("mine")
        self.user, self.item, self.place, self.kind, self.width = user, item, place, kind, width

    def lists(self, night, known, k, rng) -> Lists:
        items = super().lists(night, known, k, rng).items
        items[self.user, self.place] = self.item if self.item != -9 else items[self.user, 5]
        return Lists(items[:, : self.width].astype(self.kind))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Erring(0, 55), r"Night 0: the policy mine made lists with an item that may not be shown; only .*known\.out"),
        (Erring(0, 60), "an item that may not be shown"),
        (Erring(0, -2), "an item that may not be shown"),
        (Erring(7, 3), "for a user who is not there"),
        (Erring(0, -9), "with an item twice"),
        (Erring(0, 3, kind=np.int64), r"made lists int64 \(40, 10\); they are to be int32"),
        (Erring(0, 3, width=9), r"made lists int32 \(40, 9\); they are to be int32 \(40, 10\)"),
    ],
)
def test_lists_that_cannot_be_shown_are_refused(policy, message):
    with pytest.raises(NightrecError, match=message):
        simulate(Tiny(), policy, 1)


class Odd(Tiny):
    """A day of which something is replaced."""

    def __init__(self, **wrong: Any) -> None:
        super().__init__()
        self.wrong = wrong

    def react(self, lists, night, rng):
        day = super().react(lists, night, rng)
        of_choices = {name: value for name, value in self.wrong.items() if hasattr(day.choices, name)}
        others = {name: value for name, value in self.wrong.items() if name not in of_choices}
        n = len(day.choices)
        given = {name: np.full(n, value, np.int32) for name, value in of_choices.items()}
        return replace(day, choices=replace(day.choices, **given), **others)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"user": 40}, "Night 0: the behavior model Odd gave a choice of a user or item that does not exist"),
        ({"item": -1}, "that does not exist"),
        ({"item": 55}, "an item that is not out yet"),
        ({"night": 1}, "choices of another night"),
        ({"worth": np.zeros(2)}, "`worth` among them, are not of one length"),
        ({"clicked": np.zeros(2, bool)}, "places that were seen whose columns"),
    ],
)
def test_a_day_that_cannot_have_been_is_refused(wrong, message):
    with pytest.raises(NightrecError, match=message):
        simulate(Odd(**wrong), Random(), 1)
