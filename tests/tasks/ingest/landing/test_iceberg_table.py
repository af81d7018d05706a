"""Iceberg tables, by their folder and by a catalog: the rows of a snapshot, read once."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading.files import find
from tasks.ingest.reading.inputs import TableInput

pytest.importorskip("pyiceberg", reason="pyiceberg is not installed")
pytestmark = pytest.mark.slow  # a catalog is made, by libraries that nothing else imports
CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A catalog with a table in three snapshots: two users, a third, and the first one deleted."""
    from pyiceberg.catalog.sql import SqlCatalog

    folder = tmp_path_factory.mktemp("lake")
    catalog = SqlCatalog("shop", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/lake")
    catalog.create_namespace("shop")
    rows = [
        pa.table(
            {"user_id": [user], "item_id": ["é"], "timestamp": [datetime(2026, user, 1, tzinfo=UTC)], "other": [1]}
        )
        for user in (1, 2, 3)
    ]
    table = catalog.create_table("shop.events", schema=rows[0].schema)
    table.append(pa.concat_tables(rows[:2]))
    table.append(rows[2])
    table.delete("user_id = 1")
    return catalog


def users(table: TableInput) -> list[int]:
    return sorted(pq.read_table(table.path)["user_id"].to_pylist())


def test_the_rows_of_a_snapshot_are_read_once(tmp_path: Path, lake: Any) -> None:
    there = lake.load_table("shop.events")
    folder = there.location().removeprefix("file://")
    table, note = land_table("interactions", TableInput(path=folder), tmp_path, CUTOFF)
    newest = there.current_snapshot().snapshot_id
    read = f"snapshot {newest} of the Iceberg table '{folder}', whose rows were read into {table.path}"
    assert note == f"interactions: {read}"
    assert users(table) == [2, 3]
    assert pq.read_table(table.path).schema.names == ["user_id", "item_id", "timestamp"]
    (part,) = Path(table.path).glob("*.parquet")
    inode = part.stat().st_ino
    assert land_table("interactions", TableInput(path=folder), tmp_path, CUTOFF) == (table, note)
    assert part.stat().st_ino == inode
    march = datetime(2026, 3, 1, tzinfo=UTC)
    assert users(land_table("interactions", TableInput(path=folder), tmp_path, march)[0]) == [2, 3]  # all are here
    others = tmp_path / "others"
    assert users(land_table("interactions", TableInput(path=folder), others, march)[0]) == [2]
    assert users(land_table("interactions", TableInput(path=folder), others, CUTOFF)[0]) == [2, 3]
    first = there.history()[0].snapshot_id
    assert users(land_table("interactions", TableInput(path=folder, as_of=first), tmp_path, CUTOFF)[0]) == [1, 2]


def test_a_catalog_names_tables(tmp_path: Path, lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyiceberg.catalog.load_catalog", {"prod": lake}.__getitem__)
    events = TableInput(path="iceberg://prod/shop.events")
    assert users(land_table("interactions", events, tmp_path, CUTOFF)[0]) == [2, 3]
    for address, sentence in (
        ("iceberg://prod/shop.nope", "cannot be read .there is no such table"),
        ("iceberg://prod", r"names no table; write iceberg://CATALOG/NAMESPACE\.TABLE"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            land_table("interactions", TableInput(path=address), tmp_path, CUTOFF)
    with pytest.raises(ConfigError, match="no such snapshot"):
        land_table("interactions", TableInput(path="iceberg://prod/shop.events", as_of=7), tmp_path, CUTOFF)


def test_the_files_of_a_table_are_not_taken_for_its_rows(lake: Any) -> None:
    folder = lake.load_table("shop.events").location().removeprefix("file://")
    with pytest.raises(ConfigError, match="is an Iceberg table, which nights and `nightrec validate` read"):
        find("interactions", TableInput(path=folder))
