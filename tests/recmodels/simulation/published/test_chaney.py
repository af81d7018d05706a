import numpy as np

from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.published.chaney import Confounded
from recmodels.simulation.published.present import world_of

LISTS = np.array([[2, 0, 1, NOTHING]], np.int32)


def small(known: list[float]) -> Confounded:
    n = len(known)
    world = world_of(np.zeros(1, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32))
    rows = np.array([known])
    return Confounded(world, np.ones((1, 1)), np.ones((n, 1)), rows + 0.01, rows)


def chosen(behavior: Confounded, night: int = 0) -> list[tuple[int, int]]:
    day = behavior.react(LISTS, night, np.random.default_rng(0))
    return list(zip(day.choices.item.tolist(), day.choices.rank.tolist(), strict=True))


def test_a_user_takes_what_is_known_to_be_best_for_its_place_and_never_twice() -> None:
    behavior = small([0.5, 0.7, 0.3])  # times 2^-.8 = .574, 3^-.8 = .415 and 1: .287, .291 and .3
    assert [chosen(behavior, night) for night in range(4)] == [[(2, 1)], [(1, 3)], [(0, 2)], []]


def test_a_choice_is_worth_its_true_utility() -> None:
    day = small([0.5, 0.7, 0.3]).react(LISTS, 0, np.random.default_rng(0))
    np.testing.assert_allclose(day.worth, [0.31])


def test_users_and_items_are_drawn_as_in_the_replication() -> None:
    behavior = Confounded.drawn(3, nights=60)
    assert behavior.worth.shape == (100, 600) and behavior.world.out(0).sum() == 10
    mean = behavior.preferences @ behavior.attributes.T
    assert abs(behavior.worth - np.maximum(mean, 1e-9)).max() < 1e-3  # hardly spread
    np.testing.assert_allclose(behavior.known, 0.98 * behavior.worth, atol=1e-3)
    largest = behavior.attributes.max(axis=1).mean()
    assert largest > 0.9 > behavior.preferences.max(axis=1).mean() > 0.1  # items have one theme, users several
