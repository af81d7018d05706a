"""A replicate has the weights of a bootstrap, and proposes an item as often as it may be the best."""

import numpy as np
import pytest
from scipy import stats

from recmodels.data.dataset import Dataset
from recmodels.exploration.bootstrap import left_out, replicate_of, seed_of
from recmodels.popularity import Popularity


def test_weights_have_mean_and_variance_1_whoever_the_user_is() -> None:
    users, rows = 20_000, 3
    user = np.repeat(np.arange(users), rows)
    data = Dataset.from_arrays(user, np.tile([0, 1, 2], users), weight=np.tile([0, 1, 2], users))
    half = replicate_of(data, 7)
    weights = np.asarray(half.matrix.sum(axis=1)) / 3  # of all a user's rows: an interaction of weight 0 has none
    assert set(weights) == {0, 2}
    assert weights.mean() == pytest.approx(1, abs=4 / users**0.5) and weights.var() == pytest.approx(1, abs=0.01)
    assert np.flatnonzero(weights == 0).tolist() == left_out(users, 7).tolist()
    assert len(half) == 2 * (users - len(left_out(users, 7))) and set(half.weight) == {2, 4}
    other = np.isin(np.arange(users), left_out(users, 8))
    assert np.corrcoef(other, weights == 0)[0, 1] == pytest.approx(0, abs=4 / users**0.5)


def test_ratings_are_those_of_the_same_users() -> None:
    data = Dataset.from_arrays([0, 1, 2, 3, 4, 5], [0] * 6, rating=[1, 2, 3, 4, 5, 6])
    half = replicate_of(data, 1)
    assert half.rated is not None and half.rating is not None
    stay = [user for user in range(6) if user not in left_out(6, 1)]
    assert 0 < len(stay) < 6
    assert half.rated[0].tolist() == stay and half.rating.tolist() == [user + 1 for user in stay]


def test_each_night_and_number_has_other_users() -> None:
    seeds = {seed_of(seed, day, number) for seed in (0, 1) for day in ("2026-03-31", "2026-04-01") for number in (1, 2)}
    assert len(seeds) == 8 and seed_of(0, "2026-03-31", 1) in seeds
    assert max(seeds) < 2**48  # JSON keeps it


@pytest.mark.slow
def test_an_item_is_proposed_as_often_as_it_may_be_the_best() -> None:
    """Item 1 has 8 buyers and item 0, which would win a draw, 5: the champion shows item 1 alone."""
    data = Dataset.from_arrays(range(14), [1] * 8 + [0] * 5 + [2])
    assert Popularity().fit(data).recommend(data, [13], 1).items.tolist() == [[1]]
    expected = sum(stats.binom.pmf(n, 5, 0.5) * stats.binom.cdf(n, 8, 0.5) for n in range(6))
    n = 800
    asked = np.full(n, -1)
    for number in range(n):
        half = replicate_of(data, seed_of(0, "2026-03-31", number))
        if len(half):
            asked[number] = Popularity().fit(half).recommend(data, [13], 1).items[0, 0]
    found = np.count_nonzero(asked == 0)
    assert stats.binomtest(found, n, expected).pvalue > 0.01 and 0.1 < expected < 0.3
