"""Which events a fold of a split may know."""

import numpy as np

from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events, events_of
from recmodels.data.folds import last_days, last_items
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY

EVENTS = [(0, 0, 1), (0, 1, 2), (0, 0, 8), (1, 1, 3), (1, 2, 4), (1, 2, 5), (2, 2, 9)]
USER, ITEM, TIME = (np.array(column) for column in zip(*EVENTS, strict=True))
LOG = EventLog(Events(USER.astype(np.int32), ITEM.astype(np.int32), TIME * DAY), 10 * DAY)
DATA = Dataset.from_arrays(
    [0, 0, 1, 1, 2], [1, 0, 1, 2, 2], timestamp=np.array([2, 8, 3, 5, 9]) * DAY, end=10 * DAY, n_items=3
)


def known(data: Dataset, log: EventLog | None = LOG) -> list[tuple[int, int, int]]:
    events = events_of(data, log)
    return list(zip(events.user.tolist(), events.item.tolist(), (events.timestamp // DAY).tolist(), strict=True))


def test_the_split_knows_all_and_without_a_log_each_pair_is_an_event() -> None:
    assert known(DATA) == EVENTS
    assert known(DATA, None) == [(0, 1, 2), (0, 0, 8), (1, 1, 3), (1, 2, 5), (2, 2, 9)]


def test_a_fold_by_time_knows_what_came_before_also_of_pairs_that_go_on() -> None:
    assert known(last_days(DATA, 4, 9).train) == EVENTS[:2] + EVENTS[3:6]


def test_a_fold_of_pairs_knows_no_event_of_those_held_out() -> None:
    train = last_items(DATA, 0.5, 9).train
    assert list(zip(train.user_index, train.item_index, strict=True)) == [(0, 1), (1, 1), (2, 2)]
    assert known(train) == [(0, 1, 2), (1, 1, 3), (2, 2, 9)]


def test_users_who_are_left_out_have_no_events() -> None:
    assert known(DATA.without(np.array([1], np.int32))) == EVENTS[:3] + EVENTS[6:]
