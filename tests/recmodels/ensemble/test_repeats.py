"""Folds of single events, in which what came back was there before."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.ensemble.model import Ensemble
from recmodels.ensemble.repeats import latest_of_events
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.testing import small_site

LOG = [(0, 0, 1), (0, 1, 40), (0, 0, 98), (1, 1, 3), (1, 1, 50), (1, 2, 99), (2, 2, 99), (3, 0, 10)]
USER, ITEM, TIME = (np.array(column) for column in zip(*LOG, strict=True))
EVENTS = EventLog(Events(USER.astype(np.int32), ITEM.astype(np.int32), TIME * DAY), 100 * DAY)
LAST = {(user, item): (time, 10 * user + item + 1) for user, item, time in LOG}
DATA = Dataset.from_arrays(
    *np.array(list(LAST)).T,
    timestamp=np.array([time for time, _ in LAST.values()]) * DAY,
    weight=[weight for _, weight in LAST.values()],
    n_users=4,
    n_items=3,
    end=100 * DAY,
)


def test_what_came_back_is_known_as_of_before_and_is_to_be_foretold() -> None:
    fold = latest_of_events(DATA, EVENTS, 7, 500, 500, 0)
    train = fold.train
    rows = zip(train.user_index, train.item_index, train.timestamp // DAY, train.weight, strict=True)
    assert list(rows) == [(0, 0, 1, 1), (0, 1, 40, 2), (1, 1, 50, 12), (3, 0, 10, 31)]
    assert train.end == 93 * DAY
    assert fold.users.tolist() == [0, 1]  # user 2 has no history
    assert [column.tolist() for column in fold.truth.nonzero()] == [[0, 1], [0, 2]]
    assert len(latest_of_events(DATA, EVENTS, 7, 500, 1, 0).users) == 1


def test_the_fewest_days_that_measure_enough_users_are_held_out() -> None:
    assert latest_of_events(DATA, EVENTS, None, 2, 500, 0).train.end == 93 * DAY
    assert latest_of_events(DATA, EVENTS, None, 3, 500, 0).train.end == 93 * DAY  # 56 days have no user more


def test_without_events_repeats_cannot_be_weighed() -> None:
    with pytest.raises(ConfigError, match=r"repeats = true needs single events: set features\.events = true"):
        Ensemble(members=["item_knn", "popularity"], repeats=True).fit(small_site(), FitOptions())
