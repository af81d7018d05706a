"""Columns of the site are numbers where they plainly hold numbers, and what does not fit is counted."""

# ruff: noqa: RUF001  dashes and minus signs are meant
from __future__ import annotations

import csv
import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest.reading.columns import ColumnUse
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.tables import open_table
from tasks.store.duckdb import connect
from tests.tasks.raw import column, ingest, read, some_log, write

pytestmark = pytest.mark.slow


def _items(path: Path, prices: list[Any]) -> TableInput:
    rows = [{"item_id": place, "price": price} for place, price in enumerate(prices)]
    if path.suffix == ".jsonl":
        return write(path, "".join(json.dumps(row) + "\n" for row in rows))
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["item_id", "price"], delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
    return TableInput(path=str(path))


def _prices(folder: Path, items: TableInput) -> tuple[list[Any], list[str], str]:
    """The prices, the notes, and the type of the column."""
    summary, out = ingest(folder, Inputs(interactions=some_log(folder), items=items))
    return column(out, "price", "items"), summary["notes"], str(read(out, "items").schema.field("price").type)


TEN = [str(n) + ".5" for n in range(10)]
TEN_NUMBERS = [n + 0.5 for n in range(10)]


NUMERIC: list[tuple[list[str], list[float | None]]] = [
    (["1.5", "2", "—"], [1.5, 2, None]),
    (["1", "2", "N/A", "-", "unknown", "NULL", r"\N", "NaN", "nan", "None", ""], [1, 2] + [None] * 9),
    (["$1,299.00", "$5", "12.5"], [1299, 5, 12.5]),
    (["1.299,00 €", "0,99 €", "1.299 €", "15 €"], [1299, 0.99, 1299, 15]),
    (["1 299,00", "1\u00a0299\u00a0000,5", "2\u202f000,00", "7"], [1299, 1299000.5, 2000, 7]),
    (["CHF 1'299.50", "CHF 12.–", "CHF 3"] + [f"CHF {n}" for n in range(10)], [1299.5, None, 3, *range(10)]),
    (["1,299", "1,299.50"], [1299, 1299.5]),
    (["1,299", "1,5"], [1.299, 1.5]),
    (["1,299", "0,299"], [1.299, 0.299]),
    (["1,299", "1.299.000"], [1.299, 1299000]),
    (["1,299,000", "1,299"], [1299000, 1299]),
    (["12 %", "7.5%"], [12, 7.5]),
    (["-5", "−5", "- 5", "+5", "-$5", "$-5"], [-5, -5, -5, 5, -5, -5]),
    (["1e5", "1E-2", "3.", ".5"], [1e5, 0.01, 3, 0.5]),
    (["1,00,000", "12,34,567.5"], [100000, 1234567.5]),
    (["1299 kr", "1 299 kr", "5,50 kr"], [1299, 1299, 5.5]),
    ([*TEN, "inf"], [*TEN_NUMBERS, None]),
    ([*TEN, "1e400"], [*TEN_NUMBERS, None]),
    ([*TEN, "0x1F"], [*TEN_NUMBERS, None]),
    ([*TEN, "sold"], [*TEN_NUMBERS, None]),
    ([*map(str, range(10)), "1.9", "x"], [*range(10), 1.9, None]),
    ([*map(str, range(10)), "0x1F"], [*range(10), None]),
    ([" 7 ", "8", "x", *map(str, range(18))], [7, 8, None, *range(18)]),
]
TEXTS = [
    ["007", "8", "9"],
    ["1.5", "02139", "3"],
    ["12_000", "5"],
    ["2024-01-05", "2024-01-06"],
    ["1.2.3", "1.2.4"],
    ["10:30", "11:45"],
    ["5 kg", "7 kg"],
    ["A12", "B7"],
    ["٣", "٤"],
    [*map(str, range(8)), "one", "two"],
    ["red", "N/A"],
    ["1,2,3", "4,5,6"],
]


@pytest.fixture(scope="module")
def read_together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[Any], list[str], str]]:
    """What became of the texts of all these cases, each a column of one table: as `_prices` has it.

    A column whose texts are fewer than those of another has no value in the rows below.
    """
    cases = [texts for texts, _ in NUMERIC] + TEXTS
    columns = [f"price {place}" for place in range(len(cases))]
    folder = tmp_path_factory.mktemp("columns")
    with (folder / "items.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["item_id", *columns])
        writer.writerows((row, *texts) for row, texts in enumerate(zip_longest(*cases, fillvalue="")))
    items = TableInput(path=str(folder / "items.tsv"))
    summary, out = ingest(folder, Inputs(interactions=some_log(folder), items=items))
    table = read(out, "items")
    return {
        repr(texts): (
            table[name].to_pylist()[: len(texts)],
            [note for note in summary["notes"] if f"'{name}'" in note],
            str(table.schema.field(name).type),
        )
        for name, texts in zip(columns, cases, strict=True)
    }


@pytest.mark.parametrize(("texts", "numbers"), NUMERIC)
def test_numbers_are_read_as_people_write_them(
    read_together: dict[str, tuple[list[Any], list[str], str]], texts: list[str], numbers: list[float | None]
) -> None:
    prices, notes, kind = read_together[repr(texts)]
    assert prices == numbers
    assert kind in ("double", "int64")
    misfits = sum(1 for text, number in zip(texts, numbers, strict=True) if number is None and text)
    filled = sum(1 for text in texts if text)
    told = [note for note in notes if f": {misfits} of {filled} values are not numbers, such as '" in note]
    assert len(told) == (misfits > 0)


@pytest.mark.parametrize("texts", TEXTS)
def test_a_column_that_is_not_plainly_numeric_stays_text(
    read_together: dict[str, tuple[list[Any], list[str], str]], texts: list[str]
) -> None:
    assert read_together[repr(texts)] == (texts, [], "string")


@pytest.mark.parametrize(
    ("texts", "units"), [(["$5", "€5"], "'$', '€'"), (["5", "0.05", "5%"], "'none', '%'"), (["5 %", "$5"], "'$', '%'")]
)
def test_numbers_of_several_units_stay_text(tmp_path: Path, texts: list[str], units: str) -> None:
    prices, notes, _ = _prices(tmp_path, _items(tmp_path / "items.tsv", texts))
    assert prices == texts
    assert notes == [f"items: column 'price': its numbers are in several units ({units})"]


def test_a_comma_that_nothing_explains_separates_thousands_with_a_note(tmp_path: Path) -> None:
    prices, notes, _ = _prices(tmp_path, _items(tmp_path / "items.tsv", ["1,299", "2,500", "7"]))
    assert prices == [1299, 2500, 7]
    assert notes == [
        "items: column 'price': nothing tells whether the comma of '1,299' is a decimal one: "
        "it is read as a separator of thousands"
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_texts_of_typed_files_are_numbers_unless_all_are_whole(tmp_path: Path, suffix: str) -> None:
    prices, notes, _ = _prices(tmp_path, _items(tmp_path / f"a{suffix}", ["$12.99", "—", None, "1,000.00"]))
    assert prices == [12.99, None, None, 1000]
    assert notes == [
        "items: column 'price': 1 of 3 values are not numbers, such as '—'; they count as missing",
    ]
    assert _prices(tmp_path, _items(tmp_path / f"b{suffix}", ["10115", "20095"])) == (["10115", "20095"], [], "string")


def test_numbers_and_texts_of_one_json_column_are_numbers(tmp_path: Path) -> None:
    prices, notes, _ = _prices(tmp_path, _items(tmp_path / "items.jsonl", [9.99, 5, "—", None, "12.50"]))
    assert prices == [9.99, 5, None, None, 12.5]
    assert len(notes) == 1


def test_whole_numbers_of_json_beyond_64_bits_are_kept(tmp_path: Path) -> None:
    large = 2**64 - 1
    items = _items(tmp_path / "a.jsonl", [7, large, None])
    assert _prices(tmp_path, items) == ([7.0, float(large), None], [], "double")
    lists, _, kind = _prices(tmp_path, _items(tmp_path / "b.jsonl", [[7, large], None, []]))
    assert lists == [["7", str(large)], None, []]
    assert kind == "list<element: string>"


def test_all_files_of_a_table_decide_together(tmp_path: Path) -> None:
    folder = tmp_path / "items"
    folder.mkdir()
    for name, prices in {"1": ["1.299", "2.499"], "2": ["0,99", "—"], "3": ["7", "8"]}.items():
        _items(folder / f"{name}.tsv", prices)
    prices, notes, _ = _prices(tmp_path, TableInput(path=str(folder)))
    assert prices == [1299, 2499, 0.99, None, 7, 8]
    assert notes == [
        "items: column 'price': 1 of 6 values are not numbers, such as '—'; they count as missing; "
        "its numbers have a decimal comma"
    ]


def test_numbers_that_a_file_has_as_such_count_among_the_values_and_not_among_the_texts(tmp_path: Path) -> None:
    folder = tmp_path / "items"
    folder.mkdir()
    _items(folder / "1.tsv", ["$1.50", "—", "$2"])
    _items(folder / "2.jsonl", [3, 4, 5, 6])
    prices, notes, _ = _prices(tmp_path, TableInput(path=str(folder)))
    assert prices == [1.5, None, 2, 3, 4, 5, 6]
    assert notes == ["items: column 'price': 1 of 7 values are not numbers, such as '—'; they count as missing"]


def test_what_each_column_is_used_as(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "sku,name,price,made,note\n1,One,9.5,2020-01-01,\n2,Two,—,x,\n")
    items = items.model_copy(update={"columns": {"item_id": "sku", "title": "name"}})
    with connect(tmp_path) as db:
        uses = {use.column: use for use in open_table(db, "items", items, tmp_path, []).uses}
        log = write(tmp_path / "log.csv", "user_id,item_id,timestamp,ip\n")
        last = open_table(db, "interactions", log, tmp_path, []).uses[-1]
    assert uses == {
        "sku": ColumnUse("sku", "item_id"),
        "name": ColumnUse("name", "title"),
        "price": ColumnUse("price", "numeric", "", 2, 1, "—"),
        "made": ColumnUse("made", "text", "", 2),
        "note": ColumnUse("note", "ignored", "it is always missing", 0),
    }
    assert last == ColumnUse("ip", "ignored", "interactions have no use for it")
