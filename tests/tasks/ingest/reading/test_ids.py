"""Ids come out as they went in."""

from __future__ import annotations

import csv
import json
import uuid
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused
from tasks.ingest import table_pass
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import column, ingest, read, write

NEW_YEAR = 1_672_531_200  # of 2023; numbers are read by a short query
INT64 = st.integers(-(2**63), 2**63 - 1)
UNUSUAL = "".join(map(chr, [0, *range(3, 9), *range(14, 27)]))  # controls: a file in which they are many is binary
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters=f"\n\r\x01{UNUSUAL}", exclude_categories=["Cs"]),
    min_size=1,
    max_size=20,
)
NUMBER_LIKE = st.sampled_from(
    ["007", "7", "+7", "7.0", "1e2", "1e3", "-0", "0", "00", " 7", "7 ", "1_000", "0x10", "inf", "true", "NaN", "null"]
) | st.sampled_from(["NULL", "\u0661", "9223372036854775808", "-9223372036854775809"])
STRINGS = TEXTS | NUMBER_LIKE | INT64.map(str)


def _csv(folder: Path, ids: list[str]) -> TableInput:
    path = folder / "log.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL)
        writer.writerow(["user_id", "item_id", "timestamp"])
        writer.writerows([identifier, 1, NEW_YEAR] for identifier in ids)
    return TableInput(path=str(path), delimiter=",")


def _jsonl(folder: Path, ids: list[Any]) -> TableInput:
    rows = [{"user_id": identifier, "item_id": 1, "timestamp": NEW_YEAR} for identifier in ids]
    return write(folder / "log.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _parquet(path: Path, ids: pa.Array) -> TableInput:
    pq.write_table(pa.table({"user_id": ids, "item_id": [1] * len(ids), "timestamp": [NEW_YEAR] * len(ids)}), path)
    return TableInput(path=str(path))


@settings(max_examples=4)
@given(st.lists(INT64, min_size=20, max_size=60))  # a file of many rather than many files: each takes as long
@pytest.mark.slow
def test_int64_survive(tmp_path_factory: pytest.TempPathFactory, ids: list[int]) -> None:
    folder = tmp_path_factory.mktemp("ids")
    for table in (
        _csv(folder, [str(identifier) for identifier in ids]),
        _jsonl(folder, ids),
        _parquet(folder / "log.parquet", pa.array(ids, pa.int64())),
    ):
        _, out = ingest(folder, table)
        assert read(out).schema.field("user_id").type == pa.int64()
        assert column(out, "user_id") == ids


@settings(max_examples=10)
@given(st.lists(STRINGS, min_size=1, max_size=3) | st.lists(STRINGS, min_size=20, max_size=60))
@pytest.mark.slow
def test_strings_survive(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    folder = tmp_path_factory.mktemp("ids")
    canonical = all(i.lstrip("-").isascii() and i.lstrip("-").isdigit() and str(int(i)) == i for i in ids)
    canonical = canonical and all(-(2**63) <= int(i) < 2**63 for i in ids)
    _, out = ingest(folder, _csv(folder, ids))
    assert column(out, "user_id") == ([int(i) for i in ids] if canonical else ids)
    for table in (_jsonl(folder, ids), _parquet(folder / "log.parquet", pa.array(ids, pa.string()))):
        _, out = ingest(folder, table)
        assert column(out, "user_id") == ids  # a string is a string, whatever it holds


@pytest.mark.parametrize(
    "ids",
    [["007", "7"], ["abc", "ABC"], ["é", "e\u0301"], ["用户", "😀"], ["1e2", "100"], ["9007199254740993", "x"]],
)
def test_ids_that_look_similar_stay_distinct(tmp_path: Path, ids: list[str]) -> None:
    _, out = ingest(tmp_path, _csv(tmp_path, ids))
    assert column(out, "user_id") == ids


def test_a_control_that_texts_do_not_have_stays_in_an_id(tmp_path: Path) -> None:
    ids = ["a\x1a\x07", *"bcdefghijk"]
    _, out = ingest(tmp_path, _csv(tmp_path, ids))
    assert column(out, "user_id") == ids


def test_ids_above_the_exact_floats_stay_exact(tmp_path: Path) -> None:
    ids = [2**53 + 1, 2**63 - 1]
    _, out = ingest(tmp_path, _jsonl(tmp_path, ids))
    assert column(out, "user_id") == ids


def test_unsigned_ids_beyond_int64_become_text(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, _parquet(tmp_path / "log.parquet", pa.array([7, 2**64 - 1], pa.uint64())))
    assert column(out, "user_id") == ["7", "18446744073709551615"]


def test_numbers_and_strings_in_one_json_column_become_text_with_a_note(tmp_path: Path) -> None:
    summary, out = ingest(tmp_path, _jsonl(tmp_path, [7, "8", None, "", 9]))
    assert column(out, "user_id") == ["7", "8", None, None, "9"]
    assert summary["ids"] == {"item_id": "int64", "user_id": "string"}
    assert summary["notes"] == [
        "user_id is text in every table: interactions has values that are no plain integers, such as '\"8\"'"
    ]


def test_part_files_of_different_types_become_text_with_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    _parquet(folder / "1.parquet", pa.array([7, 8], pa.int32()))
    _parquet(folder / "2.parquet", pa.array(["7", "x"], pa.string()))
    summary, out = ingest(tmp_path, TableInput(path=str(folder)))
    assert column(out, "user_id") == ["7", "8", "7", "x"]
    assert len(summary["notes"]) == 1


def test_whole_floats_become_int64_with_a_note_and_others_text(tmp_path: Path) -> None:
    summary, out = ingest(tmp_path, _parquet(tmp_path / "a.parquet", pa.array([1.0, None, float("nan"), 3.0])))
    assert column(out, "user_id") == [1, None, None, 3]
    assert summary["notes"] == ["interactions: user_id was stored as floats, all of them whole; it is int64 now"]
    _, out = ingest(tmp_path, _parquet(tmp_path / "b.parquet", pa.array([1.0, 2.5])))
    assert column(out, "user_id") == ["1", "2.5"]


def test_missing_and_empty_ids_are_null(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, write(tmp_path / "a.csv", 'user_id,item_id,timestamp\n,1,2023-01-01\n"",2,2023-01-01\n'))
    assert column(out, "user_id") == [None, None]
    assert read(out).schema.field("user_id").type == pa.int64()
    _, out = ingest(tmp_path, _parquet(tmp_path / "b.parquet", pa.array(["", None, "a"])))
    assert column(out, "user_id") == [None, None, "a"]


LOG = "user_id,item_id,timestamp\n1,{},1672531200\n"


@pytest.mark.parametrize(
    ("interactions", "items", "expected", "notes"),
    [
        ("7", "item_id\n7\n", (7, 7), 0),
        ("7", "item_id\n07\n", ("7", "07"), 1),
        ("a7", "item_id\n7\n", ("a7", "7"), 1),
        ("a7", "item_id\nb\n", ("a7", "b"), 0),
    ],
)
def test_an_id_has_one_type_in_all_tables(
    tmp_path: Path, interactions: str, items: str, expected: tuple[object, object], notes: int
) -> None:
    inputs = Inputs(
        interactions=write(tmp_path / "log.csv", LOG.format(interactions)), items=write(tmp_path / "items.csv", items)
    )
    summary, out = ingest(tmp_path, inputs)
    assert (column(out, "item_id")[0], column(out, "item_id", "items")[0]) == expected
    assert len(summary["notes"]) == notes


def test_the_type_of_the_interactions_wins_where_nothing_is_lost(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": ["7", "8"]}), tmp_path / "items.parquet")
    inputs = Inputs(
        interactions=write(tmp_path / "log.csv", LOG.format(7)), items=TableInput(path=str(tmp_path / "items.parquet"))
    )
    _, out = ingest(tmp_path, inputs)
    assert column(out, "item_id", "items") == [7, 8]


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of some thousand rows are read as large ones are: a batch after another, while others wait."""
    monkeypatch.setattr(table_pass, "BATCH", 2 * 2_048)
    monkeypatch.setattr(table_pass, "_SMALL", 0)


@pytest.mark.slow
@pytest.mark.usefixtures("_small_batches")
def test_ids_found_to_be_text_late_in_a_large_file_are_text_from_the_start(tmp_path: Path) -> None:
    rows = "".join(f"{n},1,1672531200\n" for n in range(10_000))
    _, out = ingest(tmp_path, write(tmp_path / "log.csv", f"user_id,item_id,timestamp\n{rows}0x,1,1672531200\n"))
    ids = column(out, "user_id")
    assert (len(ids), ids[0], ids[-1]) == (10_001, "0", "0x")
    assert column(out, "source_row") == list(range(2, 10_003))


def _log(path: Path, item_ids: pa.Array | list[Any]) -> TableInput:
    size = len(item_ids)
    columns = {"user_id": range(size), "item_id": item_ids, "timestamp": [NEW_YEAR] * size}
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
        return TableInput(path=str(path))
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


NOON = datetime(2023, 1, 1, 12)
UUIDS = [uuid.UUID("123e4567-e89b-12d3-a456-426614174000"), None]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        *[(pa.array([7, None], kind), [7, None]) for kind in (pa.int8(), pa.int32(), pa.uint8(), pa.uint32())],
        (pa.array([7, 2**63 - 1], pa.uint64()), [7, 2**63 - 1]),
        (pa.array([7, 2**64 - 1], pa.uint64()), ["7", "18446744073709551615"]),
        (pa.array([Decimal(7), None, Decimal(-8)], pa.decimal128(10, 0)), [7, None, -8]),
        (pa.array([Decimal(7), Decimal(2**63)], pa.decimal128(20, 0)), ["7", "9223372036854775808"]),
        (pa.array([Decimal(10**37 + 1)], pa.decimal128(38, 0)), ["1" + "0" * 36 + "1"]),
        (pa.array([Decimal("7.00"), Decimal("8.00")], pa.decimal128(10, 2)), [7, 8]),
        (pa.array([Decimal("7.00"), Decimal("8.50")], pa.decimal128(10, 2)), ["7", "8.50"]),
        (pa.array([1.0, 2.0], pa.float32()), [1, 2]),
        (pa.array([1.0, 2.0], pa.float16()), [1, 2]),
        (pa.array([1.0, 2048.0], pa.float16()), ["1", "2048.0"]),
        (pa.array(["7", "a"]).dictionary_encode(), ["7", "a"]),
        (pa.array(["7", "8"], pa.large_string()), ["7", "8"]),
        (pa.array(["7", "a"], pa.string_view()), ["7", "a"]),
        (pa.array([b"7", "é".encode(), b"", None], pa.binary()), ["7", "é", None, None]),
        (pa.array([b"abc"], pa.large_binary()), ["abc"]),
        (pa.array([b"abc"], pa.binary(3)), ["abc"]),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([u and u.bytes for u in UUIDS], pa.binary(16))),
         ["123e4567-e89b-12d3-a456-426614174000", None]),
        (pa.nulls(2), [None, None]),
    ],
)  # fmt: skip
def test_ids_of_parquet_are_exact_whatever_their_type(tmp_path: Path, ids: pa.Array, expected: list[Any]) -> None:
    _, out = ingest(tmp_path, _log(tmp_path / "log.parquet", ids))
    assert column(out, "item_id") == expected


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        (pa.array([[1, 2]]), "the ids are lists, such as '[1, 2]'; set explode = true under [inputs.interactions] "
         "(--explode) to read each as an event of its own."),
        (pa.array([[1, 2]], pa.large_list(pa.int64())), "the ids are lists, such as '[1, 2]'; set explode"),
        (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), "the ids are lists, such as '[1, 2]'; set explode"),
        (pa.array([{"name": "a", "sku_id": 7}]), "the ids are objects, such as '{'name': a, 'sku_id': 7}'; "
         "write the field 'sku_id' as a column of its own."),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "the ids are objects, such as '{a=1}'; write"),
        (pa.array([True]), "the ids are true or false, such as 'true'; map the column that holds ids"),
        (pa.array([NOON.date()]), "the ids are dates, such as '2023-01-01'; map"),
        (pa.array([NOON]), "the ids are times, such as '2023-01-01 12:00:00'; map"),
        (pa.array([NOON.time()]), "the ids are times, such as '12:00:00'; map"),
        (pa.array([NOON - NOON]), "the ids are durations, such as '0'; map"),
        (pa.array([Decimal(7)], pa.decimal256(50, 0)), "the ids are decimals of more than 38 digits, such as"),
        (pa.array([b"7", b"\xff"]), "the id '\\xFF' is binary and not UTF-8; write it as text."),
    ],
)  # fmt: skip
def test_what_is_no_id_in_parquet_is_refused(tmp_path: Path, ids: pa.Array, sentence: str) -> None:
    log = _log(tmp_path / "log.parquet", ids)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, log)
    assert str(refused.value).startswith(f"interactions: {log.path}, column 'item_id': {sentence}")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (["i2", "i9"], """the ids are lists, such as '["i2","i9"]'; set explode = true under [inputs.interactions]"""),
        ({"id": "u7"}, """the ids are objects, such as '{"id":"u7"}'; write the field 'id' as a column of its own."""),
        (True, "the ids are true or false, such as 'true'; map the column that holds ids"),
        (7.5, "the id '7.5' is a number that JSON holds inexactly; write whole numbers, or text in quotes."),
        (2.0**53, "the id '9007199254740992.0' is a number that JSON holds inexactly"),
        (1e300, "the id '1e300' is a number that JSON holds inexactly"),
    ],
)
def test_what_is_no_id_in_json_is_refused(tmp_path: Path, value: Any, sentence: str) -> None:
    log = _log(tmp_path / "log.jsonl", ["a", "[b]", value])
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, log)
    assert str(refused.value).startswith(f"interactions: {log.path}, column 'item_id', line 3: {sentence}")


def test_ids_of_json_are_exact(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, _log(tmp_path / "a.jsonl", [7.0, 8, None]))
    assert column(out, "item_id") == [7, 8, None]
    big = [123456789012345678901234567890, 2**64 - 1, "7.0", "[1]", '{"id": 1}', 7.0]
    _, out = ingest(tmp_path, _log(tmp_path / "b.jsonl", big))
    assert column(out, "item_id") == ["123456789012345678901234567890", "18446744073709551615", *big[2:5], "7"]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_lists_of_items_explode_into_events(tmp_path: Path, suffix: str) -> None:
    lists: list[Any] = [["i2", "i9"], [], None, ["i1", None, "i2"]]
    log = _log(tmp_path / f"log{suffix}", lists)
    _, out = ingest(tmp_path, log.model_copy(update={"explode": True}))
    assert column(out, "item_id") == ["i2", "i9", None, None, "i1", None, "i2"]
    assert column(out, "user_id") == [0, 0, 1, 2, 3, 3, 3]
    assert column(out, "source_row") == [1, 1, 2, 3, 4, 4, 4]


def test_exploded_lines_keep_their_place_among_those_that_are_no_rows(tmp_path: Path) -> None:
    line = '{{"user_id": {}, "item_id": {}, "timestamp": 1672531200}}'
    lines = [line.format(1, "[5, 6]"), "", "oops", line.format(2, 7), line.format(3, "[]"), line.format(4, "[8]")]
    log = write(tmp_path / "log.jsonl", "\n".join(lines)).model_copy(update={"explode": True})
    summary, out = ingest(tmp_path, log)
    assert column(out, "item_id") == [5, 6, 7, None, 8]
    assert column(out, "source_row") == [1, 1, 4, 5, 6]
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (5, 1, 1)
    assert summary["notes"] == ["interactions: events that name several items make 1 row more than the files have"]


@pytest.mark.slow
@pytest.mark.usefixtures("_small_batches")
def test_lists_explode_across_batches_in_their_order(tmp_path: Path) -> None:
    lists = [[place, -place, place] for place in range(5_000)]
    _, out = ingest(tmp_path, _log(tmp_path / "log.parquet", pa.array(lists)).model_copy(update={"explode": True}))
    assert column(out, "item_id") == [item for each in lists for item in each]
    assert column(out, "source_row") == [place + 1 for place in range(5_000) for _ in range(3)]


def test_objects_in_lists_are_refused(tmp_path: Path) -> None:
    for name in ("log.jsonl", "log.parquet"):
        log = _log(tmp_path / name, [[{"id": 1}]]).model_copy(update={"explode": True})
        with pytest.raises(DataRefused, match=r"the ids are objects, such as .*; write the field 'id' as a column"):
            ingest(tmp_path, log)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_texts_that_are_named_as_missing_are(tmp_path: Path, suffix: str) -> None:
    path, ids = tmp_path / f"log.{suffix}", ["NULL", "7", "null"]
    log = _csv(tmp_path, ids) if suffix == "csv" else _log(path, ids)
    key = "user_id" if suffix == "csv" else "item_id"
    _, out = ingest(tmp_path, log)
    assert column(out, key) == ids
    _, out = ingest(tmp_path, log.model_copy(update={"missing": ["NULL", "null"]}))
    assert column(out, key) == [None, 7 if suffix == "csv" else "7", None]
