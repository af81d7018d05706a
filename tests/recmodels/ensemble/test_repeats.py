"""Folds of single events, in which what came back was there before."""

from dataclasses import replace

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.ensemble.model import Ensemble
from recmodels.ensemble.repeats import latest_of_events, usual_weights
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.testing import small_site

LOG = [(0, 0, 1), (0, 1, 40), (0, 0, 98), (1, 1, 3), (1, 1, 50), (1, 2, 99), (2, 2, 99), (3, 0, 10)]
USER, ITEM, TIME = (np.array(column) for column in zip(*LOG, strict=True))
EVENTS = EventLog(Events(USER.astype(np.int32), ITEM.astype(np.int32), TIME * DAY), 100 * DAY)
PAIRS = [row[:2] for row in LOG]
LAST = {(user, item): (time, PAIRS.count((user, item))) for user, item, time in LOG}  # the weight is the sum
DATA = Dataset.from_arrays(
    *np.array(list(LAST)).T,
    timestamp=np.array([time for time, _ in LAST.values()]) * DAY,
    weight=[weight for _, weight in LAST.values()],
    rating=np.arange(len(LAST)),
    n_users=4,
    n_items=3,
    end=100 * DAY,
)


def rows(train: Dataset) -> list[tuple[int, ...]]:
    return list(zip(train.user_index, train.item_index, train.timestamp // DAY, train.weight, strict=True))


def test_what_came_back_is_known_as_of_before_and_is_to_be_foretold() -> None:
    fold = latest_of_events(DATA, EVENTS, 7, 500, 500, 0)
    train = fold.train
    # with all it did, (0, 0) weighs 2, which would tell that it came back
    assert rows(train) == [(0, 0, 1, 1), (0, 1, 40, 1), (1, 1, 50, 2), (3, 0, 10, 1)]
    assert train.rating is not None and train.rating.tolist()[1:] == [1, 2, 5] and np.isnan(train.rating[0])
    assert train.end == 93 * DAY
    assert fold.users.tolist() == [0, 1]  # user 2 has no history
    assert [column.tolist() for column in fold.truth.nonzero()] == [[0, 1], [0, 2]]
    assert len(latest_of_events(DATA, EVENTS, 7, 500, 1, 0).users) == 1


def test_the_weight_of_what_came_back_is_that_of_as_many_events() -> None:
    counts, others = np.array([1, 2, 5]), np.array([1, 1, 2, 3])
    assert usual_weights(counts, others, np.array([1, 1, 2, 3], np.float32)).tolist() == [1, 2, 5]  # sums
    assert usual_weights(counts, others, np.full(4, 5, np.float32)).tolist() == [5, 5, 5]  # the largest, or the last
    # through (1, 5), (1, 3), (2, 2), (3, 2): the mean is (1.75, 3), the slope -3 / 2.75
    line = usual_weights(counts, others, np.array([5, 3, 2, 2], np.float32))
    np.testing.assert_allclose(line, [3 + 0.75 * 3 / 2.75, 3 - 0.25 * 3 / 2.75, 2], rtol=1e-6)  # none below the lowest
    assert usual_weights(counts, others[:1], np.array([4], np.float32)).tolist() == [4, 4, 4]
    assert usual_weights(counts, others[:0], np.empty(0, np.float32)).tolist() == [1, 1, 1]


def test_pairs_without_an_event_that_counts_are_known_too() -> None:
    """With `features.event_kinds` the log may have purchases alone, and the data also what was only looked at."""
    bought = ITEM != 1
    log = EventLog(Events(*(column[bought] for column in EVENTS.every)), EVENTS.end)
    domains = Domains(("books", "films"), np.array([0, 1, 1], np.int32))
    fold = latest_of_events(replace(DATA, domains=domains), log, 7, 500, 500, 0)
    assert rows(fold.train) == [(0, 0, 1, 1), (0, 1, 40, 1), (1, 1, 50, 2), (3, 0, 10, 1)]
    assert [column.tolist() for column in fold.truth.nonzero()] == [[0, 1], [0, 2]]
    assert fold.train.domains is domains


def test_of_a_window_that_knows_pairs_by_their_first_time_the_log_says_the_last() -> None:
    first = {pair: min(time for *other, time in LOG if tuple(other) == pair) for pair in PAIRS}
    pairs = list(zip(DATA.user_index.tolist(), DATA.item_index.tolist(), strict=True))
    times = np.array([first[pair] for pair in pairs]) * DAY
    window = Dataset.from_arrays(
        DATA.user_index, DATA.item_index, timestamp=times, weight=DATA.weight, n_items=3, end=DATA.end
    )
    fold, whole = (latest_of_events(data, EVENTS, 7, 500, 500, 0) for data in (window, DATA))
    assert rows(fold.train) == rows(whole.train)


def test_what_was_done_at_the_same_time_stays_in_the_order_of_the_data() -> None:
    user, item, time = np.array([0, 0, 0], np.int32), np.array([2, 0, 1], np.int32), np.array([5, 5, 99]) * DAY
    data = Dataset.from_arrays(user, item, timestamp=time, end=100 * DAY)
    fold = latest_of_events(data, EventLog(Events(user, item, time), 100 * DAY), 7, 500, 500, 0)
    assert fold.train.item_index.tolist() == [2, 0]


def test_the_fewest_days_that_measure_enough_users_are_held_out() -> None:
    assert latest_of_events(DATA, EVENTS, None, 2, 500, 0).train.end == 93 * DAY
    assert latest_of_events(DATA, EVENTS, None, 3, 500, 0).train.end == 93 * DAY  # 56 days have no user more


def test_without_events_repeats_cannot_be_weighed() -> None:
    with pytest.raises(ConfigError, match=r"repeats = true needs single events: set features\.events = true"):
        Ensemble(members=["item_knn", "popularity"], repeats=True).fit(small_site(), FitOptions())
