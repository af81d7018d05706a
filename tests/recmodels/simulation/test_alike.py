import numpy as np
import pytest

from recmodels.simulation.alike import Alike
from recmodels.simulation.behavior import World

WORLD = World(*(np.array(values, np.int32) for values in ([0, -3, 2, 0, 0], [0] * 9, [0] * 9, [0] * 5)))


def test_each_early_user_is_compared_with_one_other_and_with_the_first_night() -> None:
    alike = Alike(WORLD, seed=3)
    apart = np.arange(10, dtype=np.int32).reshape(5, 2)
    overlap, more = alike.add(apart)
    assert np.isnan(overlap[2]) and np.isnan(more[2])  # comes later
    early = [0, 1, 3, 4]
    assert overlap[early].tolist() == more[early].tolist() == [0] * 4

    half = np.array([[0, 1], [0, 2], [5, 6], [0, 3], [0, 4]], np.int32)  # any two share one of three
    for _ in range(2):
        overlap, more = alike.add(half)
        assert overlap[early] == pytest.approx([1 / 3] * 4) and more[early] == pytest.approx([1 / 3] * 4)

    same = np.zeros((5, 1), np.int32)
    overlap, _ = alike.add(same)
    assert overlap[early].tolist() == [1] * 4


def test_pairs_follow_from_the_seed_and_the_first_night_from_the_state() -> None:
    lists = np.array([[0, 1], [1, 2], [0, 1], [2, 3], [1, 3]], np.int32)
    one, other = Alike(WORLD, seed=3), Alike(WORLD, seed=3)
    one.add(lists)
    other.restore(one.state())
    assert np.array_equal(one.add(lists[::-1].copy()), other.add(lists[::-1].copy()), equal_nan=True)


def test_alone_there_is_nobody_to_be_like() -> None:
    alone = World(*(np.array(values, np.int32) for values in ([0, 4], [0], [0], [0, 0])))
    assert np.isnan(Alike(alone, seed=0).add(np.zeros((2, 1), np.int32))).all()
