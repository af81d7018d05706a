import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import DataRefused
from recmodels.simulation.estimates import estimated_items, estimated_users, log_of, rate_of_new
from recmodels.simulation.market_settings import MarketSettings

SETTINGS = MarketSettings(dimensions=4, categories=2, minority=0.25)


def dataset(*rows: tuple[int, int, float], n_users: int = 4, n_items: int = 6) -> Dataset:
    """From (user, item, day)."""
    user, item, day = zip(*rows, strict=True)
    times = (np.array(day) * MICROSECONDS_PER_DAY).astype(np.int64)
    return Dataset.from_arrays(user, item, timestamp=times, n_users=n_users, n_items=n_items)


TWO_TASTES = dataset(
    (0, 0, 0.5), (0, 1, 0.6), (0, 2, 4.5),
    (1, 0, 1.5), (1, 1, 2.5), (1, 2, 3.5),
    (2, 3, 0.5), (2, 4, 9.5), (2, 5, 9.6),
    (3, 3, 9.1), (3, 4, 9.2), (3, 0, 9.3),
)  # fmt: skip


def test_the_log_is_in_order_of_time_and_its_last_day_is_the_one_before_the_first_night() -> None:
    log = log_of(TWO_TASTES)
    assert log.night.tolist() == [-10, -10, -10, -9, -8, -7, -6, -1, -1, -1, -1, -1]
    assert log.user[:4].tolist() == [0, 2, 0, 1] and (log.rank == 0).all()


@pytest.mark.parametrize("days", [(1.0, 1.9), (0.0, 0.0)])
def test_a_log_of_one_day_is_refused(days: tuple[float, float]) -> None:
    with pytest.raises(DataRefused, match="The site's 2 interactions are of one day, or have no times"):
        log_of(dataset((0, 0, days[0]), (1, 1, days[1])))


def test_items_that_the_same_users_choose_are_alike_and_of_one_category() -> None:
    log = log_of(TWO_TASTES)
    items = estimated_items(TWO_TASTES, log, SETTINGS, None, None, seed=1)  # whose first middles are not alike
    alike = items.factors @ items.factors.T
    assert np.allclose(np.diag(alike), 1, atol=1e-5)
    assert alike[1, 2] > alike[1, 4] and alike[4, 5] > alike[2, 5]
    assert items.category[[0, 1, 2]].std() == 0 and items.category[[4, 5]].std() == 0
    assert items.category[1] != items.category[4]
    assert items.born.tolist() == [-10, -10, -7, -10, -1, -1]
    assert np.allclose(items.fame, np.array([3, 2, 2, 2, 2, 1]) / 12)
    appeal = np.log((np.array([3, 2, 2, 2, 2, 1]) + 1) / (7 + np.array([10, 10, 7, 10, 1, 1])))
    assert np.allclose(items.quality, (appeal - appeal.mean()) / appeal.std(), atol=1e-6)


def test_a_sites_own_categories_and_texts_are_kept() -> None:
    log = log_of(TWO_TASTES)
    category = np.array([7, 7, 3, 3, 3, 9], np.int32)
    items = estimated_items(TWO_TASTES, log, SETTINGS, list("abcdef"), category, seed=0)
    assert items.category.tolist() == [1, 1, 0, 0, 0, 2] and items.texts == list("abcdef")
    of_one = estimated_items(TWO_TASTES, log, SETTINGS, None, np.zeros(6, np.int32), seed=0)
    assert len(np.unique(of_one.category)) == 2  # one for all is none: they are made of what is chosen together
    many = estimated_items(TWO_TASTES, log, SETTINGS, None, np.arange(6, dtype=np.int32) * 10, seed=0)
    assert many.category.tolist() == [0, 1, 2, 3, 4, 5]


def test_users_come_as_often_as_they_did_and_who_was_hardly_seen_as_often_as_all() -> None:
    log = log_of(TWO_TASTES)
    items = estimated_items(TWO_TASTES, log, SETTINGS, None, None, seed=0)
    users, visits, choices = estimated_users(TWO_TASTES, log, SETTINGS, items, seed=0)
    assert users.arrives.tolist() == [-10, -9, -10, -1]
    # Days with a visit: 2, 3, 2, 1; without the first ones 1, 2, 1, 0 of 9, 8, 9, 0: 4 of 26.
    rate = -np.log1p(-np.array([2, 3, 2, 1]) / (np.array([9, 8, 9, 0]) + 26 / 4))
    assert visits == pytest.approx(rate.mean()) and np.allclose(users.activity, rate / rate.mean())
    assert choices == pytest.approx(12 / 8)
    taste = users.taste @ items.factors.T
    assert taste[0, 1] > taste[0, 4] and taste[2, 4] > taste[2, 1]
    # Mean popularity of what each chose: users 0 and 1 have items of 3, 2, 2 choices, 2 has 2, 2, 1, and 3 has 2, 2, 3.
    assert users.group.tolist() == [0, 0, 1, 0]


def test_those_who_choose_very_much_come_more_often_instead() -> None:
    rows = [(0, item, day + 0.01 * item) for day, item in ((item // 20, item) for item in range(60))]
    data = dataset(*rows, (1, 0, 9.0), n_users=2, n_items=60)
    log = log_of(data)
    items = estimated_items(data, log, SETTINGS, None, None, seed=0)
    _, visits, choices = estimated_users(data, log, SETTINGS, items, seed=0)
    assert choices == 10.0  # 61 on 4 days of a visit
    # Without the first ones: 2 visits in 9 days.
    rate = -np.log1p(-np.array([2 + 1, 0 + 1]) / (np.array([9, 0]) + 9 / 2)) * (61 / 4) / 10
    assert visits == pytest.approx(rate.mean())


def test_the_rate_of_new_ones_is_that_of_the_last_quarter() -> None:
    first = np.array([-40] * 20 + [-10, -9, -5, -1], np.int32)
    assert rate_of_new(first, 1.0) == pytest.approx(4 / 10 / 20)
    assert rate_of_new(first, 0.005) == 0.005
