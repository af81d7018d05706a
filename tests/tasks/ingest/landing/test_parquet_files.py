"""Parquet files that are fetched in part: what is left out, and which are copied as they are."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from tasks.ingest.landing.parquet_files import Wanted
from tasks.ingest.reading.inputs import TableInput

CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)
BEFORE, AFTER = datetime(2026, 5, 1), datetime(2026, 7, 1)
FILES = pafs.LocalFileSystem()
ROWS = {"user_id": [1, 2], "item_id": [1, 2], "timestamp": [BEFORE, AFTER], "unneeded": [0, 0]}


def part(folder: Path, rows: dict[str, Any], name: str = "interactions", **options: Any) -> pa.Table | None:
    """What is fetched of a file with a row group for each row; None if it is to be copied."""
    there = folder / "there.parquet"
    pq.write_table(pa.table(rows), there, row_group_size=1, **options)
    wanted = Wanted(name, TableInput(path="s3://lake/log"), CUTOFF)
    info, here = FILES.get_file_info(str(there)), folder / "here.parquet"
    if not wanted.part(FILES, info, ["dt"], here):
        assert not here.exists()
        return None
    found = pq.read_table(here)
    later = Wanted(name, wanted.table, AFTER.replace(tzinfo=UTC))
    assert wanted.is_here(info, here)
    assert later.is_here(info, here) == (found.num_rows == len(rows["user_id"]))
    return found


def test_rows_before_the_cutoff_and_those_without_a_time_are_fetched(tmp_path: Path) -> None:
    rows = ROWS | {"user_id": [1, 2, 3], "item_id": [1, 2, 3], "timestamp": [BEFORE, AFTER, None], "unneeded": [0] * 3}
    found = part(tmp_path, rows)
    assert found is not None
    assert found.to_pydict() == {"user_id": [1, 3], "item_id": [1, 3], "timestamp": [BEFORE, None]}


@pytest.mark.parametrize("day", [datetime(2026, 6, 1, 23), datetime(2026, 6, 1).date()])
def test_a_time_without_a_zone_may_be_of_the_day_of_the_cutoff(tmp_path: Path, day: Any) -> None:
    found = part(tmp_path, {"user_id": [1], "item_id": [1], "timestamp": [day], "unneeded": [0]})
    assert found is not None
    assert found.num_rows == 1


@pytest.mark.parametrize(
    ("rows", "name", "options"),
    [
        ({key: values for key, values in ROWS.items() if key != "item_id"}, "interactions", {}),
        (ROWS, "items", {}),
        (ROWS, "interactions", {"use_deprecated_int96_timestamps": True}),
        ({key: ROWS[key] for key in ("user_id", "item_id")} | {"timestamp": [BEFORE] * 2}, "interactions", {}),
    ],
    ids=["a column is missing", "any column may be of use", "an odd type", "all is needed"],
)
def test_files_that_are_copied_as_they_are(
    tmp_path: Path, rows: dict[str, Any], name: str, options: dict[str, Any]
) -> None:
    assert part(tmp_path, rows, name, **options) is None
