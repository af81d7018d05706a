from dataclasses import replace

import numpy as np
import pytest

from recmodels.simulation import truths
from recmodels.simulation.behavior import Choices
from recmodels.simulation.known import Known, Log
from recmodels.simulation.truths import against_the_best, drawn
from tests.recmodels.simulation.fans import Fans

LISTS = np.array([[0, 1, -1], [2, 3, 4], [-1, -1, -1]], np.int32)


def known(behavior: Fans, out: "list[bool] | None" = None, had: Choices | None = None, repeats: bool = False) -> Known:
    log = Log(behavior.world, repeats=repeats)
    log.append(had or Choices.none())
    there = log.known(0, np.ones(behavior.world.n_users, np.bool_))
    return replace(there, out=np.array(out or [True] * behavior.world.n_items))


def test_regret_is_what_the_places_of_the_best_list_have_more() -> None:
    behavior = Fans.drawn(3, 6)
    behavior.table[:] = [[9, 1, 5, 7, 3, 99], [1, 2, 3, 4, 5, 99], [1, 1, 1, 1, 1, 99]]
    found = against_the_best(behavior, LISTS, known(behavior, out=[True] * 5 + [False]), np.array([0, 1], np.int32))
    first, second, third = weights = 1 / np.log2([2, 3, 4])
    assert found.regret[0] == pytest.approx((first * (9 - 9) + second * (7 - 1) + third * (5 - 0)) / sum(weights))
    assert found.regret[1] == pytest.approx((first * (5 - 3) + second * (4 - 4) + third * (3 - 5)) / sum(weights))
    assert np.isnan(found.regret[2])  # not drawn
    assert found.worth[:5].tolist() == [5, 1.5, 4, 5.5, 4] and np.isnan(found.worth[5])


def test_lists_longer_than_the_catalog_are_compared_as_far_as_it_goes() -> None:
    behavior = Fans.drawn(1, 3)
    behavior.table[:] = [[1, 2, 3]]
    lists = np.array([[2, 1, 0, -1, -1]], np.int32)
    found = against_the_best(behavior, lists, known(behavior, out=[True] * 3), np.array([0], np.int32))
    assert found.regret.tolist() == [0]


def test_the_best_list_holds_nothing_that_its_user_had_unless_lists_may() -> None:
    """The second user has had all but item 1: beyond it the best list is empty, too."""
    behavior = Fans.drawn(2, 3)
    behavior.table[:] = [[3, 2, 1], [1, 5, 3]]
    had = Choices(*(np.array(column, np.int32) for column in ([0, 1, 1], [0, 0, 2], [-1, -1, -1], [0, 0, 0])))
    lists, users = np.array([[1, 2], [1, -1]], np.int32), np.array([0, 1], np.int32)
    assert against_the_best(behavior, lists, known(behavior, had=had), users).regret.tolist() == [0, 0]
    weights = 1 / np.log2([2, 3])
    found = against_the_best(behavior, lists, known(behavior, had=had, repeats=True), users)
    assert found.regret == pytest.approx([1, weights[1] * 3 / sum(weights)])


def test_users_are_drawn_among_those_who_are_here_and_the_same_for_all_policies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(truths, "PAIRS", 40)  # 4 users of 10 items
    out, here = np.ones(10, np.bool_), np.ones(20, np.bool_)
    users = drawn(here, out, seed=1, night=5)
    assert len(users) == 4 and len(set(drawn(here, out, seed=1, night=6)) - set(users))
    without = here.copy()
    without[users[0]] = False
    again = drawn(without, out, seed=1, night=5)
    assert set(users[1:]) < set(again) and len(again) == 4
    assert len(drawn(~here, out, seed=1, night=5)) == 0
