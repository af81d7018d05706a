import numpy as np

from recmodels.simulation.behavior import Choices, World


def ints(*values: int) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    return np.array(values, np.int32)


def test_items_are_out_from_the_night_on_which_they_appear() -> None:
    world = World(arrives=ints(0, 2), born=ints(-3, 0, 1), category=ints(0, 1, 0), group=ints(0, 0))
    assert (world.n_users, world.n_items) == (2, 3)
    assert [world.out(night).tolist() for night in (-1, 0, 1)] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_choices_are_joined_in_their_order() -> None:
    one = Choices(ints(0, 1), ints(5, 6), ints(-1, -1), ints(0, 0))
    two = Choices(ints(1), ints(7), ints(0), ints(3))
    whole = Choices.joined([one, Choices.none(), two])
    assert len(whole) == 3
    assert whole.item.tolist() == [5, 6, 7] and whole.rank.tolist() == [0, 0, 3]
    assert len(Choices.joined([])) == 0 and Choices.none().user.dtype == np.int32
