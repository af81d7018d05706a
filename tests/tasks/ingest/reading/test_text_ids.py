"""Whether ids are text is told by the first rows where they leave no doubt."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest import table_parts
from tasks.ingest.reading.dialects import Dialect
from tasks.ingest.reading.sources import TEXT, Source
from tasks.ingest.reading.text_ids import text_ids
from tests.tasks.raw import CSV, column, ingest, write

COLUMNS = {"user_id": "user", "item_id": "item"}


def _csv(path: Path, *rows: str, missing: tuple[str, ...] = ()) -> set[str]:
    path.write_text("".join(f"{row}\n" for row in ("user,item", *rows)), encoding="utf-8")
    how = Dialect(",", '"', ("user", "item"), 1)
    header = {"user": "user", "item": "item"}
    source = Source(path, path, "csv", {"user": TEXT, "item": TEXT}, how, missing=missing, header=header)
    return text_ids(source, COLUMNS)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["1,2", "-3,0"], set()),
        (["1,2", "", "a,2"], {"user_id"}),
        (["007,-0", " 7,7.0"], {"user_id", "item_id"}),
        ([",", "1,2"], set()),  # missing ones
        (["user,item", "# user,item", "\ufeffuser,item"], set()),  # the header once more
        (["a", "a,b,c"], set()),  # no rows
        (['"1",2', "a,b"], set()),  # the line after a quote may be inside a value
        (["\ufffd,2"], set()),  # what is not UTF-8 is no row
    ],
)
def test_ids_of_rows_that_are_plain_are_looked_at(tmp_path: Path, rows: list[str], found: set[str]) -> None:
    assert _csv(tmp_path / "log", *rows) == found


def test_texts_that_mean_a_missing_value_are_none(tmp_path: Path) -> None:
    assert _csv(tmp_path / "log", "NULL,1") == {"user_id"}
    assert _csv(tmp_path / "log", "NULL,1", missing=("NULL",)) == set()


def test_a_column_of_strings_tells_by_its_statistics(tmp_path: Path) -> None:
    table = pa.table({"user": pa.array(["", None, "7"]), "item": pa.array(["", None, ""]), "day": [1, 2, 3]})
    pq.write_table(table, path := tmp_path / "log")
    source = Source(path, path, "parquet", {"user": "VARCHAR", "item": "VARCHAR", "day": "BIGINT"})
    assert text_ids(source, COLUMNS) == {"user_id"}
    assert text_ids(source, COLUMNS | {"item_id": "day"}) == {"user_id"}


def test_a_table_whose_ids_are_seen_to_be_text_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = list[dict[str, str]]()
    run = table_parts.TableParts.run

    def noted(self: table_parts.TableParts) -> set[str]:
        passes.append(dict(self.id_types))
        return run(self)

    monkeypatch.setattr(table_parts.TableParts, "run", noted)
    _, out = ingest(tmp_path, write(tmp_path / "log.csv", CSV.replace("\n1,", "\nanna,")))
    assert column(out, "user_id") == ["anna", "2"]
    assert passes == [{"user_id": "VARCHAR", "item_id": "BIGINT"}]
