"""Columns of Parquet files become arrays of numpy, and arrays become columns, as pyarrow itself converts them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data.parquet import Array, arrow_table, as_numpy, read_columns, read_rows, read_table


def arrays(n: int) -> dict[str, Array]:
    rng = np.random.default_rng(n)
    return {
        "index": rng.integers(0, 2**31, n).astype(np.int32),
        "rank": np.arange(n, dtype=np.int16),
        "weight": rng.random(n).astype(np.float32),
        "available": rng.random(n) < 0.5,
        "every_other": np.arange(2 * n)[::2],
    }


@pytest.mark.parametrize("n", [0, 1, 8, 1001])
def test_what_is_written_and_read_is_what_pyarrow_makes_of_it(tmp_path: Path, n: int) -> None:
    expected = arrays(n)
    table = arrow_table(expected)
    table.validate(full=True)
    assert table == pa.table(expected)

    pq.write_table(table, tmp_path / "table.parquet", row_group_size=100)
    found = read_columns(tmp_path / "table.parquet", list(expected))
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


def test_a_file_without_any_row_group_has_empty_columns(tmp_path: Path) -> None:
    with pq.ParquetWriter(tmp_path / "table.parquet", arrow_table(arrays(0)).schema):
        pass
    found = read_columns(tmp_path / "table.parquet", ["index", "available"])
    assert {name: (array.dtype, len(array)) for name, array in found.items()} == {
        "index": (np.int32, 0),
        "available": (np.bool_, 0),
    }


def test_columns_come_in_the_order_asked_for_and_a_missing_one_is_named(tmp_path: Path) -> None:
    pq.write_table(arrow_table(arrays(3)), tmp_path / "table.parquet")
    assert read_table(tmp_path / "table.parquet", ["weight", "index"]).column_names == ["weight", "index"]
    assert read_table(tmp_path / "table.parquet").column_names == list(arrays(3))
    with pytest.raises(KeyError, match="rating"):
        read_columns(tmp_path / "table.parquet", ["index", "rating"])


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times_are_microseconds_since_1970(unit: str, zone: str | None) -> None:
    seconds = pa.chunked_array([[0, 1_700_000_000]], pa.timestamp("s", zone)).cast(pa.timestamp(unit, zone))
    assert as_numpy(seconds).tolist() == [0, 1_700_000_000_000_000]


def test_parts_of_columns_are_put_together() -> None:
    table = arrow_table(arrays(30))
    for name in table.column_names:
        whole = table[name].combine_chunks()
        parts = pa.chunked_array([whole.slice(3, 5), whole.slice(20), whole.slice(1, 0)])
        assert np.array_equal(as_numpy(parts), parts.to_numpy())


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.int64()])
def test_a_missing_number_is_nan(kind: pa.DataType) -> None:
    column = pa.chunked_array([[1, None, 3], [4], [None]], kind)
    for part in (column, column.slice(1)):
        expected = part.to_numpy()
        assert as_numpy(part).dtype == expected.dtype
        assert np.array_equal(as_numpy(part), expected, equal_nan=True)


@pytest.mark.parametrize("wanted", [[], [3], [0, 1, 2], [2, 5, 9], list(range(10)), [11], [-1, 4]])
def test_rows_of_some_keys_are_those_of_the_whole_file(tmp_path: Path, wanted: list[int]) -> None:
    keys = np.repeat(np.arange(10, dtype=np.int32), [3, 0, 7, 1, 1, 12, 0, 2, 4, 5])
    table = {"key": keys, "value": np.arange(len(keys)) * 0.5, "yes": keys % 2 == 0}
    pq.write_table(arrow_table(table), tmp_path / "table.parquet", row_group_size=4)
    found = read_rows(tmp_path / "table.parquet", ["value", "yes", "key"], "key", np.array(wanted, np.int32))
    for name, column in found.items():
        assert column.dtype == table[name].dtype
        np.testing.assert_array_equal(column, table[name][np.isin(keys, wanted)])
