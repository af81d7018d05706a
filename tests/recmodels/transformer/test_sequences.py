"""The training sequences, their targets and batches, and the part that validates."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.errors import DataRefused
from recmodels.testing import small_site
from recmodels.transformer.config import TrainingConfig
from recmodels.transformer.sequences import TrainingSequences, validation_rows


def one_user(days: list[float]) -> Dataset:
    n = len(days)
    return Dataset.from_arrays(np.zeros(n, int), np.arange(n), timestamp=(np.array(days) * DAY).astype(np.int64))


def sequences(config: TrainingConfig, data: Dataset, length: int) -> TrainingSequences:
    return TrainingSequences(config, data, validation_rows(data, config.validation_days), length)


def horizon(days: float, gap_days: float) -> TrainingConfig:
    return TrainingConfig(objective="horizon", horizon_days=days, gap_days=gap_days)


def test_the_target_is_the_next_item_or_one_of_the_next_days() -> None:
    data = one_user([0, 0, 1, 4, 20, 21])  # the last one validates
    of_next = sequences(TrainingConfig(), data, 12)
    assert of_next.draw_targets(np.random.default_rng(0)).tolist() == [1, 2, 3, 4, -1]
    coming = sequences(horizon(3, gap_days=0), data, 12)
    asked = [range(first, last) for first, last in zip(coming.first_target, coming.target_end, strict=True)]
    assert [list(rows) for rows in asked] == [[2], [2], [3], [], []]  # what has the same time does not come later
    later = sequences(horizon(20, gap_days=1), data, 12)
    asked = [range(first, last) for first, last in zip(later.first_target, later.target_end, strict=True)]
    assert [list(rows) for rows in asked] == [[3, 4], [3, 4], [3, 4], [4], []]
    drawn = {tuple(later.draw_targets(np.random.default_rng(seed))) for seed in range(40)}
    assert drawn == {(a, b, c, 4, -1) for a in (3, 4) for b in (3, 4) for c in (3, 4)}


def test_a_state_weighs_what_its_items_can_add_to_ndcg_and_all_users_weigh_the_same() -> None:
    later = sequences(horizon(20, gap_days=1), one_user([0, 0, 1, 4, 20, 21]), 12)
    two, one = 2 / (1 + 1 / np.log2(3)), 1.0  # n items over the ideal of n hits
    expected = np.array([two, two, two, one, 0]) / np.mean([two, two, two, one])
    np.testing.assert_allclose(later.weights, expected, rtol=1e-6)
    many = sequences(horizon(99, gap_days=0.5), one_user([0, *range(1, 40), 41]), 12)
    ideal = sum(1 / np.log2(place + 1) for place in range(1, 11))
    assert many.weights[0] / many.weights[-2] == pytest.approx(39 / ideal)  # against a state with one
    days = [0, 2, 3, *[0] * 6, 2, 3]  # a user with one item, then one with six, before what both have on day 2
    both = Dataset.from_arrays([0] * 3 + [1] * 8, np.arange(11), timestamp=np.array(days) * DAY)
    weights = sequences(horizon(9, gap_days=1), both, 12).weights
    assert weights[0] == pytest.approx(weights[2:8].sum())


def test_the_history_until_a_row_is_all_that_came_before_and_itself() -> None:
    users, items = [0, 0, 0, 0, 1, 1, 1], [5, 2, 4, 1, 3, 0, 6]
    data = Dataset.from_arrays(users, items, timestamp=np.arange(7))  # items 1 and 6 validate
    known = sequences(TrainingConfig(), data, 2)
    rows, seen = known.history_until(np.array([2, 0, 4]))
    assert list(zip(rows.tolist(), seen.tolist(), strict=True)) == [(0, 5), (0, 2), (0, 4), (1, 5), (2, 3), (2, 0)]


def test_the_history_until_a_row_is_limited_to_the_latest_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recmodels.transformer.sequences.MASKED_ITEMS", 2)
    rows, seen = sequences(TrainingConfig(), one_user([0, 1, 2, 3, 4]), 12).history_until(np.array([3, 0]))
    assert (rows.tolist(), seen.tolist()) == ([0, 0, 1], [2, 3, 0])


def test_validation_is_the_last_item_or_the_last_days_and_excluded_from_training() -> None:
    data = one_user([0, 1, 2, 8.5, 9])
    last = sequences(TrainingConfig(), data, 12)
    assert last.items.tolist() == [0, 1, 2, 3] and last.truth.indices.tolist() == [4]
    days = sequences(TrainingConfig(validation_days=2), data, 12)
    assert days.items.tolist() == [0, 1, 2] and sorted(days.truth.indices) == [3, 4]
    with pytest.raises(DataRefused, match="last 30 days, which only validate"):
        sequences(TrainingConfig(validation_days=30), data, 12)


def test_what_was_known_before_does_not_validate_unless_nothing_else_is_there() -> None:
    users, times = [0, 0, 0, 1, 1, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]
    data = Dataset.from_arrays(users, np.arange(8), timestamp=times)
    rows = {until: np.flatnonzero(validation_rows(data, None, until)).tolist() for until in (None, 2, 3, 5, 6)}
    assert rows == {None: [2, 5], 2: [2, 5], 3: [5], 5: [5], 6: [2, 5]}


def test_a_long_history_is_cut_from_its_end_and_every_item_is_read_once() -> None:
    cut = sequences(TrainingConfig(), one_user([float(day) for day in range(32)]), 12)
    parts = sorted(zip(cut.starts.tolist(), cut.ends.tolist(), strict=True))
    assert parts == [(0, 6), (6, 18), (18, 30)]  # row 31 validates, and after row 30 nothing comes


def test_a_batch_holds_sequences_of_similar_length_and_all_are_taken_once() -> None:
    cut = sequences(TrainingConfig(), small_site(n_users=400), 12)
    batches = cut.batches(np.random.default_rng(0), 64)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(len(cut.starts)))
    lengths = cut.ends - cut.starts
    computed = sum(lengths[batch].max() * len(batch) for batch in batches)
    assert lengths.sum() / computed > 0.95
