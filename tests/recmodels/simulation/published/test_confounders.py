import numpy as np
import pytest

from recmodels.data.arrays import Ints
from recmodels.simulation.published import confounders
from recmodels.simulation.published.chaney import Confounded
from recmodels.simulation.published.confounders import Content, Factors, Ideal, Newest, Popular, Ranking
from recmodels.simulation.run import NightSeen, simulate

START, NIGHTS = 4, 7


def run(policy: type[Ranking], *, retrain_every: int | None = 1) -> tuple[Confounded, Ranking, list[Ints]]:
    behavior = Confounded.drawn(5, n_users=30, nights=NIGHTS)
    ranking, lists = policy(behavior), []

    def observe(seen: NightSeen) -> None:
        lists.append(seen.lists.items)

    simulate(
        behavior, ranking, NIGHTS, k=70, retrain_every=retrain_every, warm_up=(Newest(behavior), START), repeats=True,
        observe=observe,
    )  # fmt: skip
    return behavior, ranking, lists


def test_at_first_only_the_items_of_the_day_are_shown() -> None:
    _, _, lists = run(Ideal)
    for night in range(START):
        assert (np.sort(lists[night][:, :10], axis=1) == np.arange(10 * night, 10 * night + 10)).all()
        assert (lists[night][:, 10:] == -1).all()


@pytest.mark.parametrize(("retrain_every", "learned"), [(1, 60), (None, 40)])
def test_what_was_there_at_the_last_training_is_ranked_and_the_new_is_put_in_between(
    retrain_every: int | None, learned: int
) -> None:
    behavior, _, lists = run(Ideal, retrain_every=retrain_every)
    last = lists[-1]
    shown = np.sort(last[:, : learned + 10], axis=1)
    assert (shown == [*range(learned), *range(60, 70)]).all() and (last[:, learned + 10 :] == -1).all()
    for user, row in enumerate(last):
        worth = behavior.worth[user, row[(row >= 0) & (row < 60)]]
        assert (np.diff(worth) <= 0).all()
    places = (last >= 60).nonzero()[1]
    assert places.min() == 0 and places.max() == learned + 9  # anywhere


def test_content_finds_the_weights_that_explain_what_was_had_best() -> None:
    _, ranking, _ = run(Content, retrain_every=None)
    behavior = ranking.behavior
    had = np.zeros((30, 40))
    start = Confounded.drawn(5, n_users=30, nights=NIGHTS)
    simulate(start, Newest(start), START, k=70, repeats=True)
    had[start.consumed[:, :40]] = 1
    x, attributes = ranking.representation, behavior.attributes[:40]
    gradient = (x @ attributes.T - had) @ attributes
    assert (
        (x >= 0).all() and (gradient > -1e-6).all() and abs(gradient * x).max() < 1e-6
    )  # the optimum, by Karush-Kuhn-Tucker


def test_factors_minimize_the_loss_of_lenskit_for_the_users() -> None:
    _, ranking, _ = run(Factors, retrain_every=None)
    start = Confounded.drawn(5, n_users=30, nights=NIGHTS)
    simulate(start, Newest(start), START, k=70, repeats=True)
    touched = start.consumed.any(axis=0)
    users, scores = ranking.representation, ranking.scores[:, touched]
    items = np.linalg.lstsq(users, scores, rcond=None)[0].T
    had = start.consumed[:, touched]
    weight = np.where(had, 1 + confounders.CONFIDENCE, 1.0)
    gradient = (weight * (users @ items.T - had)) @ items + confounders.PENALTY * users
    assert abs(gradient).max() < 0.05 * abs((weight * had) @ items).max()


def test_popularity_counts_what_was_chosen() -> None:
    behavior, ranking, _ = run(Popular)
    counts = behavior.consumed[:, :60].sum(axis=0)
    assert abs(ranking.scores[0, :60] - counts).sum() <= 30  # but for the last day


def test_the_state_of_a_ranking_is_all_that_it_learned() -> None:
    behavior, ranking, _ = run(Content)
    other = Content(behavior)
    other.restore(ranking.state())
    assert np.array_equal(other.scores, ranking.scores) and np.array_equal(other.learned, ranking.learned)


def test_the_most_alike_is_another_user_by_the_cosine() -> None:
    representation = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [0.0, 3.0]])
    assert confounders.most_alike(representation, np.random.default_rng(0)).tolist() == [1, 0, 3, 2]
    alike = np.array([confounders.most_alike(np.ones((5, 1)), np.random.default_rng(i)) for i in range(200)])
    assert (alike != np.arange(5)).all() and all(len(set(column)) == 4 for column in alike.T)


def test_users_have_in_common_what_both_had_of_what_either_had() -> None:
    consumed = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0]], bool)
    assert confounders.in_common(consumed, np.array([1, 0, 2], np.int32)).tolist() == [1 / 3, 1 / 3, 0.0]
