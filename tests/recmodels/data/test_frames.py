"""Datasets from frames: any ids, repeated pairs, times of all kinds, and what is refused."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.data.dataset import Dataset
from recmodels.errors import DataRefused

LOG = pd.DataFrame(
    {
        "customer": ["c2", "c1", "c2", "c2"],
        "sku": [7, 7, 5, 7],
        "ts": ["2026-03-01", "2026-03-02T12:00:00Z", "2026-03-03", "2026-03-04"],
        "stars": [4.0, 2.0, np.nan, np.nan],
        "worth": [3.0, 1.0, 1.0, 2.0],
    }
)
DAY = 86_400_000_000


def dataset(**more: Any) -> Dataset:
    return Dataset.from_pandas(LOG, user="customer", item="sku", time="ts", **more)


def test_a_repeated_pair_has_its_last_time_and_rating_and_its_largest_weight() -> None:
    data = dataset(rating="stars", weight="worth")
    assert data.ids is not None and data.rating is not None
    assert data.ids.users.tolist() == ["c1", "c2"] and data.ids.items.tolist() == [5, 7]
    rows = list(zip(data.user_index, data.item_index, data.weight, strict=True))
    assert rows == [(0, 1, 1.0), (1, 0, 1.0), (1, 1, 3.0)]  # by user and time; (c2, 7) counts at its last time
    assert np.array_equal(data.rating, np.array([2.0, np.nan, 4.0], np.float32), equal_nan=True)
    since = data.timestamp - int(datetime.fromisoformat("2026-03-02T00:00+00:00").timestamp() * 1e6)
    assert since.tolist() == [DAY // 2, DAY, 2 * DAY]


@pytest.mark.parametrize(("unit", "one"), [("s", 1_000_000), ("ms", 1_000), ("us", 1)])
def test_numbers_are_times_in_their_unit(unit: Any, one: int) -> None:
    frame = pd.DataFrame({"user_id": ["a", "a"], "item_id": [1, 2], "at": [10, 20]})
    assert Dataset.from_pandas(frame, time="at", time_unit=unit).timestamp.tolist() == [10 * one, 20 * one]


def test_fractions_of_a_second_are_kept() -> None:
    frame = pd.DataFrame({"user_id": ["a"], "item_id": [1], "at": [1.25]})
    assert Dataset.from_pandas(frame, time="at").timestamp.tolist() == [1_250_000]


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2026-03-01T01:00:00Z", "2026-03-02T00:00:00Z"]).tz_convert("Asia/Tokyo"),
        pd.to_datetime(["2026-03-01T01:00:00", "2026-03-02T00:00:00"]),
        [datetime(2026, 3, 1, 1), datetime(2026, 3, 2)],
        ["2026-03-01T02:00:00+01:00", "2026-03-02"],
    ],
    ids=["with a zone", "without", "objects", "texts"],
)
def test_moments_are_microseconds_in_utc(times: Any) -> None:
    frame = pd.DataFrame({"user_id": ["a", "a"], "item_id": [1, 2], "at": times})
    begin = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert (Dataset.from_pandas(frame, time="at").timestamp - begin).tolist() == [DAY // 24, DAY]


def test_the_order_of_the_rows_counts_where_there_are_no_times() -> None:
    frame = pd.DataFrame({"user_id": ["a", "a", "a"], "item_id": [3, 1, 2]})
    data = Dataset.from_pandas(frame)
    assert data.ids is not None
    assert data.ids.items[data.item_index].tolist() == [3, 1, 2]


def test_a_catalogue_gives_the_items_and_their_terms() -> None:
    items = pd.DataFrame({"sku": [9, 7, 5], "title": ["red shoe", "red hat", None]})
    data = dataset(items=items, text="title")
    assert data.ids is not None and data.ids.items.tolist() == [9, 7, 5]
    assert data.terms.shape == (3, 3)  # hat, red, shoe
    assert np.diff(data.terms.indptr).tolist() == [2, 2, 0]
    norms = np.sqrt(data.terms.multiply(data.terms).sum(axis=1))
    assert np.allclose(norms, [1, 1, 0])


def test_items_of_a_model_keep_their_indices() -> None:
    data = dataset(item_ids=[7, 11, 5])
    assert data.n_items == 3 and data.item_index.tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    ("change", "arguments", "advice"),
    [
        ({}, {"user": "client"}, "no column 'client'; they have: customer, sku"),
        ({"customer": ["c2", None, "c2", "c2"]}, {}, "customer is missing in row 1"),
        ({"ts": ["2026-03-01", None, "2026-03-03", "2026-03-04"]}, {}, "ts is missing in row 1"),
        ({"ts": ["2026-03-01", "soon", "2026-03-03", "2026-03-04"]}, {}, "ts holds what is no time"),
        ({}, {"item_ids": [7]}, "sku 5 is not one of the 1 items"),
        ({}, {"item_ids": [7, 5, 7]}, "item 7 is in the catalogue twice"),
        ({}, {"items": pd.DataFrame({"sku": [5, 7]}), "text": "title"}, "items have no column 'title'"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], arguments: dict[str, Any], advice: str) -> None:
    frame = LOG.assign(**change)
    with pytest.raises(DataRefused, match=advice):
        Dataset.from_pandas(frame, **({"user": "customer", "item": "sku", "time": "ts"} | arguments))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.text(max_size=3), st.integers(-9, 9)), min_size=1, max_size=30))
@pytest.mark.slow
def test_every_pair_comes_back_under_its_ids(pairs: list[tuple[str, int]]) -> None:
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    data = Dataset.from_pandas(frame)
    assert data.ids is not None
    found = set(zip(data.ids.users[data.user_index].tolist(), data.ids.items[data.item_index].tolist(), strict=True))
    assert found == set(pairs) and len(data) == len(found)
