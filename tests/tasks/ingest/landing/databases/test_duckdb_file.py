"""DuckDB: types as they are, rows before the cutoff, and a file that stays as it was."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading.inputs import TableInput


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("shop")
    with duckdb.connect(str(folder / "shop.duckdb"), config={"threads": 1}) as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT uuid() AS user_id, 'i' || g AS item_id, 1.5::DECIMAL(3, 1) AS rating, "
            "DATE '2026-01-01' + g::INT AS timestamp, INTERVAL 1 DAY AS unneeded FROM range(5) r(g)"
        )
    return f"duckdb:///{folder}/shop.duckdb"


def read(folder: Path, address: str, name: str = "interactions", **settings: str) -> pa.Table:
    cutoff = datetime(2026, 1, 2, tzinfo=UTC)
    return pq.read_table(land_table(name, TableInput(path=address, **settings), folder / "landed", cutoff)[0].path)


def test_needed_columns_and_days_up_to_that_of_the_cutoff_are_read(tmp_path: Path, shop: str) -> None:
    file = Path(shop.removeprefix("duckdb:///"))
    before = file.read_bytes()
    found = read(tmp_path, f"{shop}?table=main.events")
    assert [str(kind) for kind in found.schema.types] == ["string", "string", "decimal128(3, 1)", "date32[day]"]
    assert found["item_id"].to_pylist() == ["i0", "i1"]  # a day may be of any zone: the ingest cuts exactly
    assert file.read_bytes() == before
    assert read(tmp_path, shop, "items", table="events")["unneeded"][0].as_py() == "1 day"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"table": "nope"}, "has no table nope"),
        ({"query": "SELECT nope FROM events"}, "a column does not exist"),
        ({"query": "SELECT FROM"}, "the query is not valid"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, shop: str, settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read(tmp_path, shop, **settings)


def test_other_files_are_not_reached_through_a_query(tmp_path: Path, shop: str) -> None:
    (tmp_path / "secret.csv").write_text("user_id\n1\n")
    with pytest.raises(Exception, match="cannot be read"):
        read(tmp_path, shop, query=f"SELECT * FROM read_csv('{tmp_path}/secret.csv')")
