"""SQLite: columns get the type that their values fit, and a sentence says what is refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading.inputs import TableInput


@pytest.fixture
def shop(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE items (item_id, title TEXT, price, mixed, empty)")
        rows = [(1, "é", 1, "a", None), (2, "b", 2.5, 7, None), (3, None, None, None, None)]
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    return f"sqlite:///{tmp_path}/shop.db"


def read(folder: Path, address: str, **settings: str) -> pa.Table:
    return pq.read_table(land_table("items", TableInput(path=address, **settings), folder / "landed")[0].path)


def test_a_column_has_the_type_that_all_its_values_fit(tmp_path: Path, shop: str) -> None:
    found = read(tmp_path, f"{shop}?table=items")
    assert found.schema.types == [pa.int64(), pa.string(), pa.float64(), pa.string(), pa.string()]
    assert found.to_pydict() == {
        "item_id": [1, 2, 3],
        "title": ["é", "b", None],
        "price": [1.0, 2.5, None],
        "mixed": ["a", "7", None],
        "empty": [None, None, None],
    }
    assert read(tmp_path, shop, query="SELECT item_id FROM items WHERE price > 2").to_pydict() == {"item_id": [2]}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"table": "nope"}, "has no table nope"),
        ({"query": "SELECT nope FROM items"}, "a column does not exist"),
        ({"query": "SELECT FROM"}, "the query is not valid"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, shop: str, settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read(tmp_path, shop, **settings)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("user_id,item_id\n" * 100)
    with pytest.raises(DataRefused, match=r"items cannot be read \(file is not a database\)"):
        read(tmp_path, f"sqlite:///{tmp_path}/shop.db", table="items")
    with pytest.raises(ConfigError, match="there is no file"):
        read(tmp_path, f"sqlite:///{tmp_path}/other.db", table="items")
    with pytest.raises(ConfigError, match=r"names no file; write sqlite:///shop.db"):
        read(tmp_path, "sqlite://shop.db", table="items")
