import numpy as np

from recmodels.simulation.behavior import World
from recmodels.simulation.discovery import FORGOTTEN, WAIT, Discovery


def ints(*values: int) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    return np.array(values, np.int32)


def world(*born: int) -> World:
    return World(arrives=ints(0, 0), born=ints(*born), category=ints(*born) * 0, group=ints(0, 0))


def shown(*items: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int32]]":
    return np.array([items, items], np.int32)


WORTH = np.array([1.0, 2, 3, 4, 5])


def test_items_die_after_seven_nights_in_no_list() -> None:
    """Item 0 is always shown, item 1 on the first night only, item 2 never, item 3 came out one night before the end,
    and item 4 is not out yet."""
    discovery = Discovery(world(-9, -9, -9, 7, 99))
    found = [discovery.add(shown(0, 1) if night == 0 else shown(0), WORTH, night) for night in range(FORGOTTEN + 2)]
    assert np.isnan(found[FORGOTTEN - 2]["dead_items"])  # too early to tell
    assert found[FORGOTTEN - 1] | {"new_item_nights": 0} == {
        "alive_items": 2, "dead_items": 1 / 3, "new_item_nights": 0
    }  # fmt: skip
    assert found[FORGOTTEN]["alive_items"] == 1
    assert found[FORGOTTEN + 1]["dead_items"] == 2 / 3  # item 3 has not been out for seven nights


def test_good_new_items_are_waited_for_until_lists_show_them_like_the_average_item() -> None:
    """Items 3 and 4 come out on nights 1 and 2; 4 is the best of all and is found after three nights, 3 is not among
    the best quarter then. Item 0 was there before."""
    discovery = Discovery(world(-9, -9, -9, 1, 2))
    worth = np.array([1.0, 2, 9, 3, 10])
    found = [discovery.add(shown(0, 4) if night >= 5 else shown(0, 1), worth, night) for night in range(2 * WAIT + 3)]
    waited = [one["new_item_nights"] for one in found]
    assert np.isnan(waited[: 2 + WAIT]).all()  # it has not been out for so long
    assert waited[2 + WAIT : 2 + 2 * WAIT] == [3] * WAIT
    assert np.isnan(waited[2 + 2 * WAIT :]).all()  # no new one came after it


def test_what_is_never_found_has_been_waited_for_as_long_as_any() -> None:
    discovery = Discovery(world(-9, -9, -9, -9, 2))
    found = [discovery.add(shown(0, 1), WORTH, night) for night in range(WAIT + 3)]
    assert found[WAIT + 2]["new_item_nights"] == WAIT


def test_it_goes_on_from_its_state() -> None:
    one, other = Discovery(world(-9, -9, -9, 1, 2)), Discovery(world(-9, -9, -9, 1, 2))
    for night in range(WAIT + 3):
        if night == 8:
            other.restore(one.state())
        figures = [each.add(shown(night % 3, 3), WORTH, night) for each in ((one, other) if night >= 8 else (one,))]
    assert figures[0] == figures[1]
