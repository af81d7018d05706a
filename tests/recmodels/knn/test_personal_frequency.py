"""Personal frequency: what a user has had, however often and whenever."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.knn.personal_frequency import PersonalFrequency
from recmodels.options import FitOptions
from recmodels.testing import RecommenderContract


class TestPersonalFrequency(RecommenderContract):
    only_repeats = True

    def make(self) -> PersonalFrequency:
        return PersonalFrequency()


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_events_count_by_their_age_and_what_was_had_is_its_own_reason() -> None:
    data = Dataset.from_arrays([0, 0, 1], [2, 0, 1], timestamp=np.array([90, 60, 100]) * DAY, n_items=4, end=100 * DAY)
    log = EventLog(Events(ints(0, 0, 0, 1), ints(0, 0, 2, 1), np.array([40, 60, 90, 99]) * DAY), 100 * DAY)
    model = PersonalFrequency(half_life_days=20).fit(data, FitOptions(events=log))
    top = model.recommend(data, [0, 1], 3, repeats=True)
    assert top.items.tolist() == [[2, 0, -1], [1, -1, -1]]
    np.testing.assert_allclose(top.scores[0, :2], [2**-0.5, 2**-2 + 2**-3])
    assert model.explain(data, [0, 1], top).tolist() == top.items.tolist()
    assert (model.recommend(data, [0, 1], 3).items == -1).all()  # nothing that is new to them
    pairs = PersonalFrequency(half_life_days=20).fit(data).recommend(data, [0], 3, repeats=True)
    np.testing.assert_allclose(pairs.scores[0, :2], [2**-0.5, 2**-2])
    with pytest.raises(ValueError, match="have 3 users, the model was fitted on 2"):
        model.recommend(Dataset.from_arrays([2], [1], n_items=4), [2], 1)


def test_who_was_away_for_hundreds_of_half_lives_still_has_a_list() -> None:
    data = Dataset.from_arrays([0, 0, 1], [2, 0, 1], timestamp=np.array([0, 5, 2000]) * DAY, end=2001 * DAY)
    for due in (0.0, 3.0):
        model = PersonalFrequency(half_life_days=3, due=due).fit(data)
        assert sorted(model.recommend(data, [0], 2, repeats=True).items[0].tolist()) == [0, 2]
