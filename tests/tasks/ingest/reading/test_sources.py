"""Files of every format give the same rows, and a damaged one is refused."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import CSV, HEADER, ROWS, column, ingest, read, write

JSONL = "".join(
    json.dumps({"user_id": int(u), "item_id": int(i), "timestamp": t, "rating": float(r)}) + "\n" for u, i, t, r in ROWS
)


def _parquet(path: Path) -> None:
    users, items, times, ratings = zip(*ROWS, strict=True)
    instants = [datetime.fromisoformat(time) for time in times]
    pq.write_table(
        pa.table(
            {
                "user_id": [int(user) for user in users],
                "item_id": [int(item) for item in items],
                "timestamp": pa.array(instants, pa.timestamp("ms", "UTC")),
                "rating": [float(rating) for rating in ratings],
            }
        ),
        path,
    )


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("log.csv", CSV.encode()),
        ("crlf.csv", CSV.replace("\n", "\r\n").encode()),
        ("cr.csv", CSV.replace("\n", "\r").encode()),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("no-final-newline.csv", CSV.rstrip().encode()),
        ("leading-blank-lines.csv", b"\n\n" + CSV.encode()),
        ("log.tsv", CSV.replace(",", "\t").encode()),
        ("semicolons.csv", CSV.replace(",", ";").encode()),
        ("pipes.txt", CSV.replace(",", "|").encode()),
        ("colons.dat", CSV.replace(",", "::").encode()),
        ("log.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("gzip-by-its-bytes.csv", gzip.compress(CSV.encode(), mtime=0)),
        ("log.jsonl", JSONL.encode()),
        ("log.json.gz", gzip.compress(JSONL.encode(), mtime=0)),
        ("json-by-its-bytes", JSONL.encode()),
        ("log.parquet", None),
        ("parquet-by-its-bytes", None),
    ],
)
def test_the_same_rows_come_from_every_format(tmp_path: Path, name: str, contents: bytes | None) -> None:
    if contents is None:
        _parquet(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(contents)
    summary, out = ingest(tmp_path, TableInput(path=str(tmp_path / name)))
    table = read(out)
    assert table.schema.field("user_id").type == pa.int64()
    assert table.schema.field("timestamp").type == pa.timestamp("us", "UTC")
    assert table.schema.field("source_file").type == pa.string()
    assert table["user_id"].to_pylist() == [1, 2]
    assert table["item_id"].to_pylist() == [10, 20]
    assert table["timestamp"].to_pylist() == [datetime(2023, 1, day, tzinfo=UTC) for day in (1, 2)]
    assert table["rating"].to_pylist() == [4.5, 3.0]
    assert set(table["source_file"].to_pylist()) == {str(tmp_path / name)}
    first = 4 if name.startswith("leading") else 1 if "json" in name or "parquet" in name else 2
    assert table["source_row"].to_pylist() == [first, first + 1]
    assert (summary["rows"], summary["rejects"], summary["notes"]) == (2, 0, [])
    assert sorted(path.name for path in out.iterdir()) == ["interactions.parquet"]


@pytest.mark.parametrize("damage", ["cut", "rewritten", "text"])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "log.parquet"
    times = range(1_600_000_000, 1_600_100_000)
    pq.write_table(pa.table({"user_id": range(10**5), "item_id": range(10**5), "timestamp": times}), path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({
        "cut": whole[:-100], "rewritten": whole[: middle - 9000] + b"\xff" * 9000 + whole[middle:], "text": b"hello\n"
    }[damage])  # fmt: skip
    why = r"cannot be read \(.*\); it may be damaged or cut short|is named as a Parquet file and is none"
    with pytest.raises(DataRefused, match=f"log.parquet ({why})"):
        ingest(tmp_path, TableInput(path=str(path)))


def test_a_gzip_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv.gz", gzip.compress((HEADER + "1,2,2023-01-01\n" * 100_000).encode())[:-50])
    with pytest.raises(DataRefused, match=r"log.csv.gz "):
        ingest(tmp_path, log)


def test_keys_that_only_later_lines_have_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.ingest.reading.opening._KEYS_FROM", 1)
    first = {"user_id": 1, "item_id": 1, "timestamp": "2023-01-01"}
    log = write(tmp_path / "log.jsonl", "".join(json.dumps(row) + "\n" for row in (first, first | {"rating": 4})))
    items = write(tmp_path / "items.jsonl", '{"item_id": 1}\n{"item_id": 2, "price": 1.5}\n')
    _, out = ingest(tmp_path, Inputs(interactions=log, items=items))
    assert column(out, "rating") == [None, 4.0]
    assert column(out, "price", "items") == [None, 1.5]
