"""A setting that the files of a table have no use for is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.ingest.inspection.inspect import inspect
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.raw import CSV, NOW, ingest, write

EVENT = {"user_id": 1, "item_id": 2, "timestamp": "2023-01-01"}


@pytest.mark.parametrize(
    ("setting", "value", "kind", "for_files"),
    [
        ("header", ["user_id", "item_id", "timestamp"], "JSON", "CSV"),
        ("delimiter", ";", "JSON", "CSV"),
        ("quote", None, "Parquet", "CSV"),
        ("escape", "\\", "JSON", "CSV"),
        ("encoding", "latin-1", "Parquet", "CSV and JSON"),
        ("explode", True, "CSV", "JSON and Parquet"),
    ],
)
def test_a_setting_that_no_file_can_use_is_refused(
    tmp_path: Path, setting: str, value: Any, kind: str, for_files: str
) -> None:
    path = tmp_path / "log"
    if kind == "Parquet":
        pq.write_table(pa.Table.from_pylist([EVENT]), path)
    else:
        write(path, json.dumps(EVENT) + "\n" if kind == "JSON" else CSV)
    with pytest.raises(ConfigError) as refused:
        ingest(tmp_path, TableInput(path=str(path), **{setting: value}))
    assert str(refused.value) == (
        f"interactions: {setting} (--{setting}) is for {for_files} files, and log is {kind}; leave it out."
    )
    with pytest.raises(ConfigError, match=f"^--{setting} is not for files such as log"):
        inspect([str(path)], {setting: value}, None, "UTC", NOW, lambda *_: ([], []))


def test_of_several_formats_each_setting_is_used_where_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    write(tmp_path / "log" / "a.csv", CSV.replace(",", ";"))
    write(tmp_path / "log" / "b.jsonl", json.dumps(EVENT) + "\n")
    summary, _ = ingest(tmp_path, TableInput(path=str(tmp_path / "log"), delimiter=";"))
    note = "interactions: delimiter is not used for 1 of 2 files: it is for CSV files, and b.jsonl is JSON"
    assert (summary["rows"], note in summary["notes"]) == (3, True)


def test_a_format_of_times_that_are_stored_as_such_is_noted(tmp_path: Path) -> None:
    event = EVENT | {"timestamp": NOW}
    pq.write_table(pa.Table.from_pylist([event]), tmp_path / "log.parquet")
    table = TableInput(path=str(tmp_path / "log.parquet"), timestamp_format="%d.%m.%Y")
    summary, _ = ingest(tmp_path, table, cutoff=NOW.replace(year=2025))
    assert summary["notes"] == [
        "interactions: timestamp_format (--timestamp-format) is not used: the files store times as such"
    ]
