"""What the columns of JSON and Parquet files are: keys that stand twice, and fields of objects."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import CSV, column, ingest, write


def test_a_key_that_stands_twice_in_an_object_is_noted(tmp_path: Path) -> None:
    first = '{"user_id": 1, "item_id": 5, "item_id": 6, "timestamp": "2023-01-01"}\n'
    log = write(tmp_path / "log.jsonl", first + '{"user_id": 2, "item_id": 7, "timestamp": "2023-01-01"}\n')
    summary, out = ingest(tmp_path, log)
    assert column(out, "item_id") == [5, 7]
    assert summary["notes"] == [
        "interactions: log.jsonl: 'item_id' stands several times in 1 object; the first value is read"
    ]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_field_of_an_object_can_be_an_id(tmp_path: Path, kind: str) -> None:
    rows = [{"user": {"id": n, "x": {"y": f"u{n}"}}, "item_id": n, "timestamp": 1_672_531_200} for n in (1, 2)]
    table, path = pa.Table.from_pylist(rows), tmp_path / f"log.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        table.to_pandas().to_json(path, orient="records", lines=True)
    summary, out = ingest(tmp_path, TableInput(path=str(path), columns={"user_id": "user.id"}))
    assert (column(out, "user_id"), column(out, "item_id")) == ([1, 2], [1, 2])
    uses = {use["column"]: (use["used_as"], use["why"]) for use in summary["accounts"]["interactions"]["columns"]}
    assert (uses["user.id"], uses["user"]) == (("user_id", ""), ("ignored", "but for user.id"))
    assert column(ingest(tmp_path, TableInput(path=str(path), columns={"user_id": "user.x.y"}))[1], "user_id") == [
        "u1", "u2"
    ]  # fmt: skip
    with pytest.raises(DataRefused, match=r"has no column 'user\.name' \(for user_id\); its columns are "):
        ingest(tmp_path, TableInput(path=str(path), columns={"user_id": "user.name"}))


def test_a_column_whose_name_has_a_dot_is_that_column(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", '{"user.id": 3, "user": {"id": 4}, "item_id": 1, "timestamp": "2023-01-01"}\n')
    assert column(ingest(tmp_path, log.model_copy(update={"columns": {"user_id": "user.id"}}))[1], "user_id") == [3]


def test_a_field_of_a_catalogue_is_kept_under_the_name_it_is_given(tmp_path: Path) -> None:
    items = write(tmp_path / "items.jsonl", '{"item_id": 10, "meta": {"brand": "b"}}\n{"item_id": 20, "meta": null}\n')
    inputs = Inputs(
        interactions=write(tmp_path / "log.csv", CSV),
        items=items.model_copy(update={"columns": {"brand": "meta.brand"}}),
    )
    assert column(ingest(tmp_path, inputs)[1], "brand", "items") == ["b", None]
