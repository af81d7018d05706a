"""Columns as numbers: by type, with what is missing told apart."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.ensemble.columns import MISSING, numbers_of
from recmodels.errors import ConfigError

GONE = float(MISSING)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, None], [3, GONE]),
        ([0.5, float("nan")], [0.5, GONE]),
        ([1e300, -2.0], [GONE, -2]),
        ([Decimal("1.25"), None], [1.25, GONE]),
        ([True, False, None], [1, 0, GONE]),
        ([date(1970, 1, 3), None], [8, GONE]),
        ([datetime(1970, 1, 1, 12, tzinfo=UTC)], [9.5]),
        (["b", "a", "c", "b", None, "c"], [0, 2, 1, 0, GONE, 1]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), [0, 1, 0]),
        (pa.array([None, None], pa.string()), [GONE, GONE]),
    ],
)
def test_numbers_times_and_categories(values: Any, expected: list[float]) -> None:
    assert numbers_of(pa.table({"x": values}), ["x"], 10 * DAY, "columns").ravel().tolist() == expected


@pytest.mark.parametrize("values", [[["a", "b"]], [time(12)]])
def test_other_types_are_refused(values: Any) -> None:
    with pytest.raises(ConfigError, match=r"^columns: x is .*; leave it out\.$"):
        numbers_of(pa.table({"x": values}), ["x"], 0, "columns")
