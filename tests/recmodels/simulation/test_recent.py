import numpy as np
import pytest

from recmodels.simulation.behavior import Choices, World
from recmodels.simulation.recent import Recent


def ints(*values: int) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    return np.array(values, np.int32)


WORLD = World(arrives=ints(0, 0, 0), born=ints(-9, -9, -9, 5), category=ints(0, 1, 1, 0), group=ints(0, 0, 0))
HISTORY = Choices(ints(0, 0, 1), ints(0, 1, 1), ints(-4, -1, -1), ints(0, 0, 0))


def test_what_is_older_than_the_window_is_let_go() -> None:
    recent = Recent(WORLD, 2, HISTORY)
    assert recent.item.tolist() == [1, 1]  # of the nights -2 and -1
    recent.add(Choices(ints(1), ints(2), ints(0), ints(1)), 0)
    assert recent.item.tolist() == [1, 1, 2]  # of -1 and 0
    recent.add(Choices.none(), 1)
    assert recent.item.tolist() == [2]  # of 0 and 1


def test_categories_popularity_and_means_are_those_of_the_window() -> None:
    recent = Recent(WORLD, 9, HISTORY)
    assert recent.categories().tolist() == [[1, 1], [0, 1], [0, 0]]
    # Three choices among the three items that are out: the average item was chosen once.
    assert recent.popularity(0).tolist() == [1, 2, 0, 0]
    means = recent.mean_of(np.array([10.0, 20, 30, 40]))
    assert means[:2].tolist() == [15, 20] and np.isnan(means[2])


def test_nothing_chosen_has_no_popularity() -> None:
    assert np.isnan(Recent(WORLD, 9, Choices.none()).popularity(0)).all()


def test_it_goes_on_from_its_state() -> None:
    one, other = Recent(WORLD, 2, HISTORY), Recent(WORLD, 2, Choices.none())
    other.restore(one.state())
    for recent in (one, other):
        recent.add(Choices(ints(2), ints(2), ints(0), ints(1)), 0)
    assert one.categories() == pytest.approx(other.categories())
