"""Delta Lake tables: the rows of a version, and no others that lie in its folder."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recmodels.errors import ConfigError
from tasks.ingest.reading import delta
from tasks.ingest.reading.files import find
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.raw import column, ingest

deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")


def table(*users: int, event: str | None = "view") -> pa.Table:
    n = len(users)
    return pa.table(
        {
            "user_id": users,
            "item_id": [1] * n,
            "timestamp": ["2023-01-01"] * n,
            "event": pa.array([event] * n, pa.string()),
        }
    )


def commit(path: Path, rows: pa.Table, **how: Any) -> None:
    deltalake.write_deltalake(str(path), rows, mode="append", partition_by=["event"], **how)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A table in three versions: two users, a third, and the first one deleted."""
    path = tmp_path / "a log"
    commit(path, table(1, 2))
    commit(path, table(3, event="a b/c=%"))
    commit(path, table(4, event=None))
    deltalake.DeltaTable(str(path)).delete("user_id = 1")
    return path


def read(tmp_path: Path, log: Path, **settings: Any) -> list[tuple[int, str | None]]:
    _, out = ingest(tmp_path, TableInput(path=str(log), **settings))
    return sorted(zip(column(out, "user_id"), column(out, "event"), strict=True))


def test_the_rows_of_the_newest_version_are_read_with_the_columns_of_folders(tmp_path: Path, log: Path) -> None:
    assert read(tmp_path, log) == [(2, "view"), (3, "a b/c=%"), (4, None)]


def test_an_earlier_version_is_read_where_it_is_asked_for(tmp_path: Path, log: Path) -> None:
    assert read(tmp_path, log, as_of=0) == [(1, "view"), (2, "view")]
    with pytest.raises(ConfigError, match=r"interactions: version 77 of the Delta table '.*a log' cannot be read"):
        find("interactions", TableInput(path=str(log), as_of=77))
    (log / "part.csv").write_text("user_id,item_id,timestamp\n")
    with pytest.raises(ConfigError, match="as_of is for Delta and Iceberg tables"):
        find("interactions", TableInput(path=str(log / "part.csv"), as_of=1))


def test_what_is_no_table_or_lacks_the_package_is_said(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"the Delta table '.*empty' cannot be read"):
        find("interactions", TableInput(path=str(tmp_path / "empty")))
    monkeypatch.setattr(delta, "is_plain", lambda _: False)
    with pytest.raises(ConfigError, match="deleted rows or renamed columns that its files do not show"):
        find("interactions", TableInput(path=str(log)))
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(ConfigError, match=r"is a Delta table, which needs pip install 'nightrec\[delta\]'"):
        find("interactions", TableInput(path=str(log)))


def test_renamed_columns_and_marked_rows_are_not_those_of_the_files(log: Path) -> None:
    opened = delta.opened(log)
    assert delta.is_plain(opened)

    class Mapped:
        def metadata(self) -> Any:
            return type("Metadata", (), {"configuration": {"delta.columnMapping.mode": "name"}})

    class Marked:
        metadata = opened.metadata
        rows = 0

        def protocol(self) -> Any:
            return type("Protocol", (), {"reader_features": ["deletionVectors"]})

        def deletion_vectors(self) -> pa.Table:
            return pa.table({"filepath": ["a"] * self.rows})

    marked: Any = Marked()
    mapped: Any = Mapped()
    assert delta.is_plain(marked)
    marked.rows = 1
    assert not delta.is_plain(marked)
    assert not delta.is_plain(mapped)
