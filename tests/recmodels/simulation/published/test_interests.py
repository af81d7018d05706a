import numpy as np

from recmodels.simulation.published.interests import Reinforced


def test_interest_rises_with_a_click_and_falls_without_one() -> None:
    behavior = Reinforced.drawn(0, n_users=2000, n_items=3)
    before = behavior.interest.copy()
    lists = np.tile(np.array([[2, 0]], np.int32), (2000, 1))
    day = behavior.react(lists, 0, np.random.default_rng(1))
    moved = behavior.interest - before
    np.testing.assert_allclose(moved[day.seen_user, day.seen_item], np.where(day.clicked, 0.05, -0.05))
    assert (moved[:, 1] == 0).all()
    expected = (1 / (1 + np.exp(-before[:, [2, 0]]))).mean()
    assert abs(day.clicked.mean() - expected) < 4 * np.sqrt(0.25 / 4000)
    np.testing.assert_allclose(behavior.degeneracy(), np.hypot(0.05, 0.05))


def test_new_items_appear_night_by_night() -> None:
    world = Reinforced.drawn(0, n_items=5, new_items=2, nights=3).world
    assert [int(world.out(night).sum()) for night in range(4)] == [5, 7, 9, 11]
