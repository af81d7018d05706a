"""Propensity weights and sampling probabilities, against their definitions."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.sampling import normal_rows, propensity_weights, sampling_probabilities


def head_and_tail() -> Dataset:
    """300 users and 80 items, of which the first is ten times as popular as the last."""
    users, items = np.nonzero(np.random.default_rng(0).random((300, 80)) < np.linspace(0.5, 0.05, 80))
    return Dataset.from_arrays(users, items, n_users=300, n_items=80)


def three_items(weight: list[float] | None = None) -> Dataset:
    """Item 0 has four users, item 1 has one, item 2 has none."""
    return Dataset.from_arrays([0, 1, 2, 3, 3], [0, 0, 0, 0, 1], weight=weight, n_items=3)


def test_an_interaction_counts_by_its_items_popularity_to_minus_the_exponent() -> None:
    counts = np.array([0.5, 0.5, 0.5, 0.5, 1])
    np.testing.assert_allclose(propensity_weights(three_items(), 0.5, weighted=True), counts / 0.6, rtol=1e-6)
    np.testing.assert_array_equal(propensity_weights(three_items(), 0, weighted=True), np.ones(5, np.float32))


def test_weights_count_where_they_are_asked_for() -> None:
    data = three_items(weight=[1, 2, 3, 4, 5])
    np.testing.assert_allclose(propensity_weights(data, 0, weighted=True), np.array([1, 2, 3, 4, 5]) / 3, rtol=1e-6)
    np.testing.assert_array_equal(propensity_weights(data, 0, weighted=False), np.ones(5, np.float32))


@pytest.mark.parametrize(("exponent", "expected"), [(0, [1 / 2, 1 / 2, 0]), (1, [4 / 5, 1 / 5, 0])])
def test_negatives_are_drawn_by_popularity_to_the_exponent(exponent: float, expected: list[float]) -> None:
    np.testing.assert_allclose(sampling_probabilities(three_items(), exponent), expected)


def test_what_is_done_in_parts_is_as_if_it_were_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    data = Dataset.from_arrays(*np.nonzero(random.random((30, 9)) < 0.4), weight=None)
    whole = propensity_weights(data, 0.5, weighted=True), normal_rows(np.random.default_rng(1), 0.3, 50, 7)
    monkeypatch.setattr("recmodels.sampling.ROWS_AT_A_TIME", 11)
    monkeypatch.setattr("recmodels.data.dataset.ROWS_AT_A_TIME", 11)
    again = Dataset.from_arrays(data.user_index, data.item_index)
    np.testing.assert_allclose(propensity_weights(again, 0.5, weighted=True), whole[0], rtol=1e-6)
    np.testing.assert_array_equal(normal_rows(np.random.default_rng(1), 0.3, 50, 7), whole[1])
    np.testing.assert_array_equal(whole[1], np.random.default_rng(1).normal(0, 0.3, (50, 7)).astype(np.float32))
    np.testing.assert_array_equal(again.item_counts, np.bincount(data.item_index))
    np.testing.assert_array_equal(again.known_items, np.unique(data.item_index))
