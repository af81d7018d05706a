import numpy as np

from recmodels.simulation.published.accepting import Accepting, drift


def test_places_are_accepted_with_a_probability_that_falls_with_the_rank() -> None:
    n, k = 4000, 5
    empty = np.empty(0, np.int32)
    behavior = Accepting.of(empty, empty, np.ones((k, 1)), np.zeros(n, np.int32))
    lists = np.tile(np.arange(k, dtype=np.int32), (n, 1))
    day = behavior.react(lists, 0, np.random.default_rng(1))
    share = np.bincount(day.choices.rank, minlength=k + 1)[1:] / n
    expected = np.exp(-0.1 * np.arange(1, k + 1))
    assert (abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n)).all()
    again = behavior.react(lists, 1, np.random.default_rng(2))
    had = set(zip(day.choices.user, day.choices.item, strict=True))
    assert not had & set(zip(again.choices.user, again.choices.item, strict=True))


def test_the_minority_has_other_genres() -> None:
    behavior = Accepting.generated(0)
    own = behavior.profiles()[:, 6:].sum(axis=1)
    assert (behavior.world.group == 1).sum() == 25
    assert own[behavior.world.group == 1].mean() > 0.5
    assert own[behavior.world.group == 0].mean() < 0.2


def test_drift_is_the_divergence_of_the_early_profile_from_the_later_one() -> None:
    before = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    now = np.array([[0.25, 0.25, 0.5], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(drift(before, now), [np.log(2), 0.0])
