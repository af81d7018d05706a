"""Rows that break a rule are among the suspects that the extremes of each few rows lead to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from expectations import extremes
from expectations.rules import row_rule

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _three_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremes, "TOGETHER", 3)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([2**62, 2**62 + 1, -5, None, None, None, 7, None], pa.int64()),
        ([1.5, float("inf"), -2.0, None, None, None, float("-inf"), None], pa.float64()),
        ([T0, T0 + timedelta(microseconds=1), T0 - timedelta(days=9), None, None, None, T0, None],
         pa.timestamp("us", "UTC")),
        ([True, True, False, None, None, None, True, None], pa.bool_()),
    ],
)  # fmt: skip
def test_the_extremes_are_the_least_and_the_largest_values_and_whether_one_is_missing(
    values: list[Any], kind: pa.DataType
) -> None:
    rows = pa.table({"x": pa.array(values, kind), "there": pa.array(range(8))})
    low, high, last = min(values[:3]), max(values[:3]), values[6]
    found = extremes.extremes(rows)
    assert found["x"].to_pylist() == [low, None, last, high, None, last, low, None, None]
    assert found["there"].to_pylist() == [0, 3, 6, 2, 5, 7, 0, 3, 6]
    assert found.schema == rows.schema


def test_columns_without_missing_values_have_two_extremes() -> None:
    assert extremes.extremes(pa.table({"x": [3, 1, 2, 9]}))["x"].to_pylist() == [1, 9, 3, 9]


def test_suspects_are_all_rows_of_which_an_extreme_breaks_a_rule() -> None:
    broken = [np.array([0, 5]), np.array([3]), np.array([], np.int64)]  # of eight rows: starts 0, 3 and 6
    assert extremes.suspects(broken, 8).tolist() == [0, 1, 2, 6, 7]


def test_a_set_is_told_by_extremes_if_it_is_one_of_truths() -> None:
    rules = [row_rule("ExpectColumnValuesToBeInSet", "x", "", bounds={"value_set": [1, 3]})]
    assert not extremes.tell(rules, pa.table({"x": [1, 2, 3]}))
    assert extremes.tell(rules, pa.table({"x": [True, False, None]}))
