"""Columns are found by name, and the site's own keep their types."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.ingest.reading.inputs import Inputs
from tests.tasks.raw import CSV, column, ingest, read, write


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


def test_ratings_that_are_no_numbers_keep_their_text(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "user_id,item_id,timestamp,rating\n1,2,2023-01-01,good\n1,3,2023-01-01,\n1,4,2023-01-01,nan\n")  # fmt: skip  # noqa: E501
    _, out = ingest(tmp_path, log)
    assert column(out, "rating") == [None, None, None]
    assert column(out, "rating_text") == ["good", None, "nan"]
