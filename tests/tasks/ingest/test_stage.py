"""Files of every kind become the raw tables, and each line of them is accounted for."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.inputs import Inputs, TableInput, input_fingerprint
from tasks.ingest.reading.textfiles import count_lines
from tests.tasks.raw import column, ingest, read, write

ROWS = [("1", "10", "2023-01-01T00:00:00Z", "4.5"), ("2", "20", "2023-01-02T00:00:00Z", "3")]
HEADER = "user_id,item_id,timestamp\n"
CSV = "user_id,item_id,timestamp,rating\n" + "".join(",".join(row) + "\n" for row in ROWS)
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


def test_files_without_a_header_are_read_by_the_names_given(tmp_path: Path) -> None:
    table = write(tmp_path / "log.csv", "7 1600000000 8\n").model_copy(
        update={"header": ["user_id", "timestamp", "item_id"], "delimiter": " "}
    )
    _, out = ingest(tmp_path, table)
    assert read(out).select(["user_id", "item_id", "source_row"]).to_pylist() == [
        {"user_id": 7, "item_id": 8, "source_row": 1}
    ]


def test_a_folder_and_a_glob_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    write(folder / "b.csv", "user_id,item_id,timestamp\n2,1,2023-01-01\n")
    write(folder / "a.csv", "item_id,timestamp,user_id\n1,2023-01-01,1\n")  # another order of columns
    write(folder / "README.md", "not data")
    write(folder / "_SUCCESS.csv", "")
    write(folder / "c.jsonl", '{"user_id": 3, "item_id": 1, "timestamp": "2023-01-01", "rating": 2}\n')
    _, whole = ingest(tmp_path, TableInput(path=str(folder)))
    assert column(whole, "user_id") == [1, 2, 3]
    assert column(whole, "rating") == [None, None, 2.0]
    _, some = ingest(tmp_path, TableInput(path=str(folder / "*.csv")))
    assert column(some, "user_id") == [1, 2]


def test_columns_are_mapped_and_of_several_names_the_first_present_is_taken(tmp_path: Path) -> None:
    columns = {
        "user_id": ["uid", "who"],
        "item_id": "what",
        "timestamp": "when",
        "rating": ["s", "stars"],
        "event": "do",
    }
    log = write(tmp_path / "log.csv", "who,what,when,stars,do\n1,2,2023-01-01,5,view\n")
    _, out = ingest(tmp_path, log.model_copy(update={"columns": columns}))
    (row,) = read(out).to_pylist()
    assert (row["user_id"], row["item_id"], row["rating"], row["event"]) == (1, 2, 5.0, "view")


def test_items_keep_every_column_with_its_type(tmp_path: Path) -> None:
    items = write(
        tmp_path / "items.csv",
        "sku,title,price,stock,zip,available,note\n1,One,9.5,3,02139,yes,\n2,Two,8,4,10115,0,\n",
    ).model_copy(update={"columns": {"item_id": "sku"}})
    _, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))
    table = read(out, "items")
    assert {field.name: str(field.type) for field in table.schema} == {
        "item_id": "int64", "title": "string", "available": "bool", "price": "double", "stock": "int64",
        "zip": "string", "note": "string", "source_file": "string", "source_row": "int64",
    }  # fmt: skip
    assert table["available"].to_pylist() == [True, False]
    assert table["zip"].to_pylist() == ["02139", "10115"]


def test_lists_stay_lists_and_structures_become_json(tmp_path: Path) -> None:
    lines = [
        {"item_id": 1, "tags": ["a", "b"], "categories": [["x", "y"], ["z"]], "price": 3, "more": {"k": [1]}},
        {"item_id": 2, "price": 2.5, "tags": []},
    ]
    items = write(tmp_path / "items.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    _, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))
    first, second = read(out, "items").select(["tags", "categories", "price", "more"]).to_pylist()
    assert first == {"tags": ["a", "b"], "categories": ["x", "y", "z"], "price": 3.0, "more": '{"k":[1]}'}
    assert second == {"tags": [], "categories": None, "price": 2.5, "more": None}


def test_rows_at_the_cutoff_are_left_out_but_impossible_ones_stay_for_validation(tmp_path: Path) -> None:
    times = ["2023-12-31T23:59:59.999999Z", "2024-01-01T00:00:00Z", "2024-01-02T12:00:00Z", "2031-01-01", "soon"]
    log = write(tmp_path / "log.csv", "user_id,item_id,timestamp\n" + "".join(f"1,2,{t}\n" for t in times))
    tags = write(tmp_path / "tags.csv", "item_id,tag,timestamp\n2,old,2023-01-01\n2,new,2024-01-01\n2,far,2031-01-01\n")
    summary, out = ingest(tmp_path, Inputs(interactions=log, tags=tags))
    assert column(out, "source_row") == [2, 5, 6]
    assert column(out, "timestamp_text") == [None, None, "soon"]
    assert (summary["rows"], summary["after_cutoff"], summary["unreadable_timestamps"]) == (3, 2, 1)
    assert summary["newest"] == "2023-12-31T23:59:59.999999+00:00"
    assert column(out, "tag", "tags") == ["old"]
    assert summary["tables"]["tags"]["after_cutoff"] == 2


def test_ratings_that_are_no_numbers_keep_their_text(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "user_id,item_id,timestamp,rating\n1,2,2023-01-01,good\n1,3,2023-01-01,\n1,4,2023-01-01,nan\n")  # fmt: skip  # noqa: E501
    _, out = ingest(tmp_path, log)
    assert column(out, "rating") == [None, None, None]
    assert column(out, "rating_text") == ["good", None, "nan"]


def test_lines_that_are_not_rows_are_rejected_with_their_line_and_reason(tmp_path: Path) -> None:
    lines = [b"user_id,item_id,timestamp", b"1,1,2023-01-01", b"1,2", b"", b"1,3,2023-01-01,9", b"1,\xff,2023-01-01",
             b'1,"4"x,2023-01-01', b"1,5,2023-01-01"]  # fmt: skip
    summary, out = ingest(tmp_path, write(tmp_path / "log.csv", b"\r\n".join(lines) + b"\r\n"))
    assert column(out, "item_id") == [1, 5]
    assert column(out, "source_row") == [2, 8]
    rejects = read(out, "rejects")
    assert rejects.select(["source_row", "reason", "text"]).to_pylist() == [
        {"source_row": 3, "reason": "ragged: 2 instead of 3 columns", "text": "1,2"},
        {"source_row": 5, "reason": "ragged: more than 3 columns", "text": "1,3,2023-01-01,9"},
        {"source_row": 6, "reason": "not valid UTF-8", "text": "1,?,2023-01-01"},
        {"source_row": 7, "reason": "a stray or unclosed quote", "text": '1,"4"x,2023-01-01'},
    ]
    assert rejects["table"].to_pylist() == ["interactions"] * 4
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (2, 4, 1)


def test_lines_that_are_not_json_objects_are_rejected(tmp_path: Path) -> None:
    good = b'{"user_id": 1, "item_id": 2, "timestamp": "2023-01-01"}'
    lines = [good, b"", b"{oops", b"[1]", good[:-1] + b', "x": "\xff"}', b"   ", good]
    summary, out = ingest(tmp_path, write(tmp_path / "log.jsonl", b"\n".join(lines)))
    assert column(out, "source_row") == [1, 7]
    assert list(zip(column(out, "source_row", "rejects"), column(out, "reason", "rejects"), strict=True)) == [
        (3, "not a JSON object"), (4, "not a JSON object"), (5, "not valid UTF-8"), (6, "not a JSON object"),
    ]  # fmt: skip
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (2, 4, 1)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "mixed"])
@pytest.mark.parametrize("zipped", [False, True])
def test_every_line_of_a_dirty_file_is_accounted_for(tmp_path: Path, ending: str, zipped: bool) -> None:
    rng = np.random.default_rng(7)
    kinds = rng.choice(
        ["row", "late", "short", "long", "blank", "bytes"], 20_000, p=[0.9, 0.02, 0.02, 0.02, 0.02, 0.02]
    )
    line = {"late": b"2,%d,2030-01-01,x", "short": b"%d,1", "long": b"%d,1,2,3,4", "bytes": b"1,%d,\xff2023-01-01,x"}
    lines = [b"" if k == "blank" else line.get(k, b"1,%d,2023-01-01,x") % n for n, k in enumerate(kinds)]
    ends = rng.choice([b"\n", b"\r\n"], len(lines)) if ending == "mixed" else [ending.encode()] * len(lines)
    contents = b"user_id,item_id,timestamp,event\n" + b"".join(a + b for a, b in zip(lines, ends, strict=True))
    (tmp_path / "log.csv").write_bytes(gzip.compress(contents, mtime=0) if zipped else contents)
    summary, out = ingest(tmp_path, TableInput(path=str(tmp_path / "log.csv")), datetime(2029, 1, 1, tzinfo=UTC))
    counts = {kind: int((kinds == kind).sum()) for kind in np.unique(kinds)}
    assert summary["blank_lines"] == counts["blank"]
    assert summary["rejects"] == counts["short"] + counts["long"] + counts["bytes"]
    assert summary["rows"] + summary["after_cutoff"] == counts["row"] + counts["late"]
    # An item's id is the number of its line, so the line numbers can be checked one by one.
    assert [row - 2 for row in column(out, "source_row")] == column(out, "item_id")
    assert [row - 2 for row in column(out, "source_row", "rejects")] == np.flatnonzero(
        np.isin(kinds, ["short", "long", "bytes"])
    ).tolist()


def test_lines_are_numbered_within_each_file(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    row = "1,2,2023-01-01\n"
    write(folder / "a.csv", HEADER + row + "short\n" + row)
    write(folder / "b.csv", HEADER + row + row)
    write(folder / "c.csv", HEADER + "\n\n" + row + "1,2,3,4\n" + row)
    summary, out = ingest(tmp_path, TableInput(path=str(folder)))
    files = [Path(file).name[0] for file in column(out, "source_file")]
    assert list(zip(files, column(out, "source_row"), strict=True)) == [
        ("a", 2), ("a", 4), ("b", 2), ("b", 3), ("c", 4), ("c", 6)
    ]  # fmt: skip
    assert column(out, "source_row", "rejects") == [3, 5]
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (6, 2, 2)


def test_values_may_run_over_several_lines(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", 'item_id,text\n1,"a\n\n\nb"\n\n2,"c\r\nd"\n3,e\n')
    summary, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))
    assert column(out, "text", "items") == ["a\n\n\nb", "c\r\nd", "e"]
    assert summary["tables"]["items"] == {"rows": 3, "after_cutoff": 0, "rejects": 0, "blank_lines": 1}
    assert summary["notes"] == ["items: 4 lines of items.csv are inside quoted values that run over several lines"]


@pytest.mark.parametrize("rows", [5_000, 3_000_000])
def test_an_unclosed_quote_that_swallows_lines_stops_the_night(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b'user_id,item_id,timestamp\n1,2,1600000000\n1,"2,1600000000\n' + b"1,2,1600000000\n" * rows)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, TableInput(path=str(path)))
    assert str(refused.value).startswith(f"interactions: {path}, line 3: a quote that is never closed swallows ")


def test_two_stray_quotes_do_not_make_an_id_of_the_rows_between_them(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", 'user_id,item_id,timestamp\n1,"2,2023-01-01\n1,3,2023-01-01\n1,4",2023-01-01\n')
    with pytest.raises(
        DataRefused, match=r"line 2: item_id runs over several lines, as if a quote were open; close it"
    ):
        ingest(tmp_path, log)


def test_quotes_are_text_where_there_is_no_quoting(tmp_path: Path) -> None:
    items = TableInput(path=str(tmp_path / "items.dat"), quote=None, encoding="latin-1", delimiter="::")
    (tmp_path / "items.dat").write_bytes('item_id::title\n1::"Caf\xe9\n2::a"b\n'.encode("latin-1"))
    _, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))
    assert column(out, "title", "items") == ['"Café', 'a"b']


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["", "a", "\r", "ab\r", "\r\r", "x" * 9]), max_size=40), st.booleans())
def test_lines_are_counted_as_they_are(tmp_path_factory: pytest.TempPathFactory, lines: list[str], ended: bool) -> None:
    path = tmp_path_factory.mktemp("lines") / "text"
    path.write_bytes(("\n".join(lines) + ("\n" if ended else "")).encode())
    physical = path.read_bytes().split(b"\n")
    physical = physical[:-1] if physical[-1] == b"" else physical
    counted = count_lines(path)
    assert counted.total == len(physical)
    assert counted.blank.tolist() == [n for n, line in enumerate(physical, 1) if line in (b"", b"\r")]


def test_the_fingerprint_names_each_file_that_is_read(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", CSV)
    (entry,) = input_fingerprint(Inputs(interactions=log))
    stat = (tmp_path / "log.csv").stat()
    assert entry == {"path": str(tmp_path / "log.csv"), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


@pytest.mark.parametrize(
    ("name", "contents", "error", "sentence"),
    [
        ("missing.csv", None, ConfigError, "interactions: there is no file or folder '{path}'; check the path."),
        ("no*.csv", None, ConfigError, "interactions: no file matches '{path}'; check the pattern."),
        ("s3://bucket/log.csv", None, ConfigError,
         "interactions: 's3://bucket/log.csv' is not on this machine; copy it here and give the local path."),
        ("empty.csv", b"", DataRefused, "interactions: {path} is empty; give a file with rows."),
        ("blank.csv", b"\n\n", DataRefused, "interactions: {path} is empty; give a file with rows."),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), DataRefused,
         "interactions: {path} is empty; give a file with rows."),
        ("header.csv", HEADER.encode(), DataRefused,
         "interactions: {path} has a header but no rows; give a file with rows."),
        ("columns.csv", b"userid,item_id,timestamp\n1,2,3\n", DataRefused,
         "interactions: {path} has no column 'user_id'; its columns are userid, item_id, timestamp; "
         "did you mean 'userid'? Name the column that holds it with --columns user_id=…"),
        ("late.csv", (HEADER + "1,2,2025-01-01\n1,2,2025-03-01T10:00:00Z\n").encode(), DataRefused,
         "interactions: all 2 rows of {path} are at or after the cutoff 2024-01-01 00:00:00 UTC (oldest 2025-01-01 "
         "00:00:00 UTC, newest 2025-03-01 10:00:00 UTC); choose a later night, for example --date 2025-03-02."),
        ("mixed.csv", (HEADER + "1,2,1600000000\n1,2,1600000000000\n").encode(), DataRefused,
         "interactions: {path}, column 'timestamp': the timestamps mix units: '1600000000' looks like seconds and "
         "'1600000000000' like milliseconds since 1970; write the column in one unit, or name it with timestamp_unit."),
        ("array.json", b'[{"user_id": 1},\n{"user_id": 2},\n]', DataRefused,
         "{path}, line 1: no JSON object on a line of its own (a JSON array, it seems); write one object a line."),
    ],
)  # fmt: skip
def test_bad_input_gives_one_clear_sentence(
    tmp_path: Path, name: str, contents: bytes | None, error: type[Exception], sentence: str
) -> None:
    path = name if "://" in name else str(tmp_path / name)
    if contents is not None:
        Path(path).write_bytes(contents)
    with pytest.raises(error) as refused:
        ingest(tmp_path, TableInput(path=path), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert str(refused.value) == sentence.format(path=path)


def test_a_folder_without_data_files_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(ConfigError, match=r"has no data files \(there is README.md\); give a folder with .csv, "):
        input_fingerprint(Inputs(interactions=TableInput(path=str(tmp_path))))


@pytest.mark.parametrize("damage", ["cut", "rewritten", "text"])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user_id": range(10**5), "item_id": range(10**5), "timestamp": range(10**5)}), path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({
        "cut": whole[:-100], "rewritten": whole[: middle - 9000] + b"\xff" * 9000 + whole[middle:], "text": b"hello\n"
    }[damage])  # fmt: skip
    with pytest.raises(DataRefused, match=r"log.parquet cannot be read \(.*\); it may be damaged or cut short"):
        ingest(tmp_path, TableInput(path=str(path)))


def test_a_gzip_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv.gz", gzip.compress((HEADER + "1,2,2023-01-01\n" * 100_000).encode())[:-50])
    with pytest.raises(DataRefused, match=r"log.csv.gz "):
        ingest(tmp_path, log)


def test_a_flag_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id,available\n1,yes\n2,perhaps\n")
    with pytest.raises(DataRefused, match=r"items.csv, column 'available', row 3: 'perhaps' is neither yes nor no"):
        ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        TableInput.model_validate({"path": "x", "colour": "red"})
    with pytest.raises(ValueError, match="unknown time zone 'Mars'"):
        TableInput(path="x", timezone="Mars")


def test_millions_of_rows_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    duckdb.sql(
        "SELECT range // 7 AS user_id, range AS item_id, 1600000000 + range % 1000 AS timestamp FROM range(4000000)"
    ).write_csv(str(path))
    summary, out = ingest(tmp_path, TableInput(path=str(path)))
    assert summary["rows"] == 4_000_000
    table = read(out)
    assert np.array_equal(table["item_id"].to_numpy(), np.arange(4_000_000))
    assert np.array_equal(table["source_row"].to_numpy(), np.arange(2, 4_000_002))
    assert {pq.ParquetFile(out / "interactions.parquet").metadata.row_group(i).num_rows <= 2**20 for i in range(4)} == {
        True
    }
