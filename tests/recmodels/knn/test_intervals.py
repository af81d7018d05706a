"""Intervals of a user's own, of an item, or of all items, and what is due by them."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.knn.intervals import due_shares
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
