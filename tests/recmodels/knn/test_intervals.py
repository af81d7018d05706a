"""Intervals of a user's own, of an item, or of all items, and what is due by them."""

from dataclasses import replace

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.errors import NightrecError
from recmodels.knn.intervals import due_shares, resting_of, resting_pairs
from recmodels.knn.personal_frequency import PersonalFrequency
from recmodels.knn.tifu import TIFUKNN
from recmodels.options import FitOptions

LOG = [
    (0, 0, 0), (0, 0, 4), (0, 0, 12),  # every six days, last had 8 days ago: due
    (0, 1, 2), (0, 1, 15),  # item 1: after 13 and 15 days, so after 14; last had 5 days ago
    (1, 1, 0), (1, 1, 15), (1, 2, 18),  # nobody has item 2 twice: the median of 4, 8, 13 and 15 is 10.5; 2 days ago
    (1, 0, 18),  # item 0: after 4 and 8 days, so after 6; 2 days ago
]  # fmt: skip
USER, ITEM, TIME = (np.array(column) for column in zip(*sorted(LOG, key=lambda e: (e[0], e[2])), strict=True))
EVENTS = Events(USER.astype(np.int32), ITEM.astype(np.int32), TIME * DAY)


def test_shares_are_of_the_own_interval_or_of_the_item() -> None:
    shares = due_shares(EVENTS, 20 * DAY, (3, 3)).toarray()
    np.testing.assert_allclose(shares, [[1, 5 / 14, 0], [2 / 6, 5 / 14, 2 / 10.5], [0, 0, 0]], rtol=1e-6)
    once = Events(*(column[-1:] for column in EVENTS))
    assert due_shares(once, 20 * DAY, (3, 3)).toarray()[1].max() == 1


def test_what_is_not_due_rests() -> None:
    excluded = np.array([2], np.int32), np.array([0], np.int32)
    assert resting_pairs(EVENTS, 20 * DAY, excluded, (3, 3), 1).toarray().tolist() == [[0, 1, 0], [1, 1, 1], [1, 0, 0]]
    nobody = np.empty(0, np.int32), np.empty(0, np.int32)
    half = resting_pairs(EVENTS, 22 * DAY, nobody, (3, 3), 0.5)  # item 1: 7 of 14 days
    assert half.toarray().tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    rests = resting_pairs(EVENTS, 30 * DAY, nobody, (3, 3), 1).toarray()  # 15 days after item 1, 12 after items 0 and 2
    assert rests.sum() == 0
    once = Events(*(column[-1:] for column in EVENTS))  # nobody has anything twice
    assert resting_pairs(once, 99 * DAY, nobody, (3, 3), 1).toarray()[1].sum() == 1


def test_a_fold_knows_what_is_due_by_then() -> None:
    data = Dataset.from_arrays(
        [0, 0], [0, 1], timestamp=[4 * DAY, 2 * DAY], weight=[1, 0], n_users=2, n_items=3, end=9 * DAY
    )
    log = EventLog(EVENTS, 20 * DAY)
    assert resting_of(data, log, 1).toarray().tolist() == [[0, 1, 0], [0, 0, 0]]  # 5 days after, by an interval of 4
    hidden = replace(data, resting=resting_of(data, log, 1)).hidden
    users = np.array([1, 0])
    assert [hidden(users, repeats).toarray()[1].tolist() for repeats in (True, "due")] == [[0, 0, 0], [0, 1, 0]]
    assert hidden(users, False).nnz == 2
    with pytest.raises(NightrecError, match=r"features\.events"):
        data.hidden(users, "due")


@pytest.mark.parametrize("kind", [PersonalFrequency, TIFUKNN])
def test_own_scores_are_multiplied_by_the_power_of_the_shares(kind: type) -> None:
    last = {(u, i): t for u, i, t in LOG}
    pairs = np.array([(*pair, t) for pair, t in last.items()]).T
    data = Dataset.from_arrays(*pairs[:2], timestamp=pairs[2] * DAY, n_users=2, n_items=3, end=20 * DAY)
    options = FitOptions(events=EventLog(EVENTS, 20 * DAY))
    more = {"personal": 1.0} if kind is TIFUKNN else {}
    plain, due = (kind(due=power, **more).fit(data, options)._score(data, np.arange(2)) for power in (0.0, 2.0))
    had = np.isfinite(plain)
    shares = due_shares(EVENTS, 20 * DAY, (2, 3)).toarray()
    np.testing.assert_allclose(due[had], plain[had] * shares[had] ** 2, rtol=1e-5)
    np.testing.assert_array_equal(np.isfinite(due), had)
