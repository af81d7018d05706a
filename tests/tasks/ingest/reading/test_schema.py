"""Columns are found by name, and the site's own keep their types."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading import schema
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import column, ingest, read, some_log, write


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
    _, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))
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
    _, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))
    first, second = read(out, "items").select(["tags", "categories", "price", "more"]).to_pylist()
    assert first == {"tags": ["a", "b"], "categories": ["x", "y", "z"], "price": 3.0, "more": '{"k":[1]}'}
    assert second == {"tags": [], "categories": None, "price": 2.5, "more": None}


RATINGS: list[tuple[str, float | None, str | None]] = [
    ("4.5", 4.5, None), (" 5 ", 5, None), ("4,5", 4.5, None), ("-0,25", -0.25, None), ("1e1", 10, None),
    ("4,5000", 4.5, None), ("4,500", None, "4,500"), ("1.299,5", None, "1.299,5"), ("4_5", None, "4_5"),
    ("good", None, "good"), ("inf", None, "inf"), ("1e400", None, "1e400"), ("4/5", None, "4/5"),
    ("-", None, "-"), ("0x5", None, "0x5"), ("", None, None), ("nan", None, None), ("NULL", None, None),
    (r"\N", None, None), ("n/a", None, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[float | None, str | None]]]:
    """What each of the ratings is read as, and the text that is kept, as a text of a TSV and of a JSON file."""
    folder, texts = tmp_path_factory.mktemp("ratings"), [text for text, _, _ in RATINGS]
    rows = "".join(f"1\t2\t2023-01-01\t{text}\n" for text in texts)
    lines = [{"user_id": 1, "item_id": 2, "timestamp": "2023-01-01", "rating": text} for text in texts]
    found: dict[str, list[tuple[float | None, str | None]]] = {text: [] for text in texts}
    for log in (
        write(folder / "log.tsv", f"user_id\titem_id\ttimestamp\trating\n{rows}"),
        write(folder / "log.jsonl", "".join(json.dumps(line) + "\n" for line in lines)),
    ):
        _, out = ingest(folder, log)
        for text, rating, kept in zip(texts, column(out, "rating"), column(out, "rating_text"), strict=True):
            found[text].append((rating, kept))
    return found


@pytest.mark.parametrize(("written", "rating", "kept"), RATINGS)
def test_ratings_are_numbers_or_keep_their_text(
    ratings: dict[str, list[tuple[float | None, str | None]]], written: str, rating: float | None, kept: str | None
) -> None:
    assert ratings[written] == [(rating, kept)] * 2


FLAGS = (
    [(word, True) for word in (*schema.YES, "TRUE", " Yes ", "Y")]
    + [(word, False) for word in (*schema.NO, "FALSE", " No ", "N")]
    + [(word, None) for word in ("", "NULL", r"\N", "NaN", "n/a")]
)


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool | None]:
    """What each of the flags is read as."""
    folder, texts = tmp_path_factory.mktemp("flags"), [text for text, _ in FLAGS]
    rows = "".join(f"{user}\t{text}\n" for user, text in enumerate(texts))
    users = write(folder / "users.tsv", f"user_id\topted_out\n{rows}")
    _, out = ingest(folder, Inputs(interactions=some_log(folder), users=users))
    return dict(zip(texts, column(out, "opted_out", "users"), strict=True))


@pytest.mark.parametrize(("written", "meant"), FLAGS)
def test_a_flag_is_yes_or_no_or_missing(flags: dict[str, bool | None], written: str, meant: bool | None) -> None:
    assert flags[written] == meant


@pytest.mark.parametrize(
    "written", ["2", "-1", "0.5", "vrai", "ja", "oui", "perhaps", "-", "unknown", "yes!", "[true]"]
)
def test_a_flag_that_is_neither_is_refused(tmp_path: Path, written: str) -> None:
    users = write(tmp_path / "users.csv", f"user_id,opted_out\n1,{written}\n")
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, Inputs(interactions=some_log(tmp_path), users=users))
    place = f"users: {users.path}, column 'opted_out', row 2"
    assert str(refused.value) == f"{place}: '{written}' is neither yes nor no; write true or false (or 1 or 0)."


OURS = ["item_id", "user_id", "title", "available", "timestamp"]
NAMES = st.sampled_from(
    ["", " ", "a b", "a.b", 'a"b', "a'b", "a\nb", "a,b", "price", "Price", "PRICE", "price_1", "c0", "c1", "v", "V"]
    + ["line", "line?", "object?", "file", "out0", "*", "select", "own:a", "own:item_id", "item_id_2", "\u00a0", "é"]
    + [f"{name}{mark}" for name in OURS for mark in "!?"]
    + [*schema.RESERVED, *(name.upper() for name in schema.RESERVED), "Item_ID", "TITLE", "description_text"]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)


def _own_name(column: str, columns: list[str]) -> str:
    """What a column is called in the raw table."""
    return f"{column}_2" if column.lower() in schema.RESERVED and f"{column}_2" not in columns else column


@pytest.mark.slow
@settings(max_examples=12)
@given(st.lists(NAMES, min_size=4, max_size=12, unique=True), st.sampled_from(["csv", "jsonl", "parquet"]), st.data())
def test_no_name_of_a_column_is_taken_for_another(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], suffix: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("names")
    own = [name for name in names if name not in OURS]
    if suffix == "csv":
        own = [name.strip() for name in own if not set(name) & set('\n\r\x00"') and name.strip()]
    if suffix == "parquet":
        own = [name for name in own if name and "\x00" not in name]
    own = list(dict.fromkeys(own))
    columns = data.draw(st.permutations(["item_id", *own]))
    values = {name: [f"{place} of {name!r}" for place in "ab"] for name in columns} | {"item_id": ["1", "2"]}
    path = folder / f"items.{suffix}"
    if suffix == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *zip(*(values[name] for name in columns), strict=True)])
    elif suffix == "jsonl":
        rows = [{name: values[name][row] for name in columns} for row in (0, 1)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.table([values[name] for name in columns], names=columns), path)
    items = TableInput(path=str(path), delimiter="," if suffix == "csv" else None)
    _, out = ingest(folder, Inputs(interactions=some_log(folder), items=items))
    table = read(out, "items")
    assert set(table.schema.names) == {"item_id", *(_own_name(name, columns) for name in own), *schema.ADDED}
    assert table["item_id"].to_pylist() == [1, 2]
    assert table["source_row"].to_pylist() == ([2, 3] if suffix == "csv" else [1, 2])
    for name in own:
        assert table[_own_name(name, columns)].to_pylist() == values[name]


def test_columns_beside_ours_with_our_names_for_what_we_compute_stay_what_they_are(tmp_path: Path) -> None:
    log = {"user_id": [1, 2], "user_id!": [901, 902], "user_id?": ["x", "y"], "c0": [5, 5], "item_id": [3, 4]}
    log |= {"timestamp": ["2023-01-01"] * 2, "USER_ID": [7, 7], "timestamp_text": ["p", "q"]}
    pq.write_table(pa.table(log), tmp_path / "log.parquet")
    _, out = ingest(tmp_path, TableInput(path=str(tmp_path / "log.parquet")))
    assert column(out, "user_id") == [1, 2]
    assert column(out, "item_id") == [3, 4]
    assert column(out, "timestamp_text") == [None, None]


def test_nameless_and_repeated_columns_of_parquet_are_told_apart(tmp_path: Path) -> None:
    names = ["item_id", "", "a", "a", "A"]
    pq.write_table(pa.table([["1"], ["x"], ["y"], ["z"], ["w"]], names=names), tmp_path / "items.parquet")
    items = TableInput(path=str(tmp_path / "items.parquet"))
    _, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))
    (row,) = read(out, "items").to_pylist()
    assert (row["column_2"], row["a"], row["a_2"], row["A"]) == ("x", "y", "z", "w")


def test_a_column_with_a_name_of_the_pipelines_own_is_kept_under_another(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id,reason,item_index\n1,new,7\n")
    inputs = Inputs(interactions=some_log(tmp_path), items=items)
    summary, out = ingest(tmp_path, inputs)
    assert column(out, "reason_2", "items") == ["new"]
    assert summary["notes"] == [
        "items: column 'reason': it is kept as 'reason_2'",
        "items: column 'item_index': it is kept as 'item_index_2'",
    ]
    mapped = inputs.model_copy(update={"items": items.model_copy(update={"columns": {"reason": "item_index"}})})
    with pytest.raises(ConfigError, match="items: the column 'reason' would be taken for one of the pipeline's own"):
        ingest(tmp_path, mapped)


@pytest.mark.parametrize(
    ("header", "noted"),
    [("Opted_Out", True), ("opt-out", True), ("consent", True), ("option", False), ("opted_out", False)],
)
def test_a_column_that_may_be_an_opt_out_and_is_not_named_so_is_noted(tmp_path: Path, header: str, noted: bool) -> None:
    users = write(tmp_path / "users.csv", f"user_id,{header}\n1,true\n")
    summary, _ = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), users=users))
    said = f"users: nobody is opted out by the column '{header}'; if it says so, name it with --user-columns opted_out="
    assert any(note.startswith(said) for note in summary["notes"]) == noted
