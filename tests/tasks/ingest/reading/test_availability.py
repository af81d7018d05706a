"""From when until when an item is available, as the items table says it."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import Inputs
from tasks.prepare.tables import write_index
from tests.tasks.raw import column, ingest, some_log, write

HEADER = "item_id,available_from,available_until\n"


def catalogue(folder: Path, rows: str, **settings: str) -> Inputs:
    items = write(folder / "items.csv", HEADER + rows).model_copy(update=settings)
    return Inputs(interactions=some_log(folder), items=items)


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


def test_a_day_counts_as_a_whole_in_the_zone_of_the_table_and_what_is_missing_is_no_limit(tmp_path: Path) -> None:
    rows = "10,2024-01-01,2024-03-31\n20,2024-01-01T12:00:00Z,\n30,NULL,2024-03-31 18:00\n"
    _, raw = ingest(tmp_path, catalogue(tmp_path, rows, timezone="Europe/Berlin"))
    assert column(raw, "available_from", "items") == [at(2023, 12, 31, 23), at(2024, 1, 1, 12), None]
    # The clocks go forward on that day, which has 23 hours.
    assert column(raw, "available_until", "items") == [at(2024, 3, 31, 22), None, at(2024, 3, 31, 16)]


@pytest.mark.parametrize("until", ["20240331", "1711843200", "1711843200000"])
def test_days_without_separators_are_whole_days_and_numbers_since_1970_are_instants(tmp_path: Path, until: str) -> None:
    _, raw = ingest(tmp_path, catalogue(tmp_path, f"10,,{until}\n"))
    assert column(raw, "available_until", "items") == [at(2024, 4, 1) if len(until) == 8 else at(2024, 3, 31)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "'soon' is no time that can be read; write 2026-07-20T10:00:00Z or 2026-07-20, or name it in "),
        ("07/20/2026", "'07/20/2026' is written with the month or the day first, and could be misread"),
    ],
)
def test_what_is_no_time_is_refused_with_its_row(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataRefused, match=r"items\.csv, column 'available_from', row 3: ") as refused:
        ingest(tmp_path, catalogue(tmp_path, f"10,2024-01-01,\n20,{text},\n"))
    assert why in str(refused.value)


def test_an_item_is_listed_from_its_time_on_and_no_longer_than_that(tmp_path: Path) -> None:
    """Seven items: always; until and from the day itself; from and until a moment later; not available; unknown."""
    day, later = at(2024, 4, 1), at(2024, 4, 1, 0, 1)
    instant = pa.timestamp("us", "UTC")
    table = pa.table(
        {
            "item_id": [1, 2, 3, 4, 5, 6],
            "available": [None, None, True, True, True, False],
            "available_from": pa.array([None, None, day, later, None, day], instant),
            "available_until": pa.array([None, day, None, None, later, None], instant),
        }
    )
    pq.write_table(table, tmp_path / "valid.parquet")
    write_index(tmp_path / "items.parquet", "item", pa.array([*range(1, 8)]), tmp_path / "valid.parquet", day)
    assert pq.read_table(tmp_path / "items.parquet")["available"].to_pylist() == [
        True, False, True, False, True, False, True
    ]  # fmt: skip
