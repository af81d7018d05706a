"""A night of a Delta table sees one version of it, which it names."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest.landing.land import land
from tasks.ingest.reading import delta
from tasks.ingest.reading.files import resolve
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.stage import ingest
from tasks.store.manifests import manifest_of, write_manifest
from tasks.store.paths import Store
from tests.tasks.site import RUN_DATE

deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
CUTOFF = datetime(2026, 1, 3, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    commit(tmp_path / "log", 1, 2)
    return tmp_path / "log"


def commit(log: Path, *users: int) -> None:
    rows = {"user_id": users, "item_id": users, "timestamp": ["2026-01-01"] * len(users), "unneeded": users}
    deltalake.write_deltalake(str(log), pa.table(rows), mode="append")


def landed(log: Path, root: Path, **options: Any) -> tuple[TableInput, str]:
    inputs, notes = land(Inputs(interactions=TableInput(path=str(log))), root, CUTOFF, **options)
    return inputs.interactions, notes[0]


@pytest.mark.slow
def test_a_night_keeps_to_its_version_and_names_it(tmp_path: Path, log: Path) -> None:
    night = Store(tmp_path / "store").night(RUN_DATE)
    inputs = Inputs(interactions=TableInput(path=str(log)))

    def rows(known: int = 0, **options: bool) -> int:
        summary = ingest.fn(night, inputs, CUTOFF, **options)["summary"]
        assert summary["accounts"]["interactions"]["known"] == known
        version = len(list((log / "_delta_log").glob("*.json"))) - 1 if options or not night.valid.exists() else 1
        assert f"interactions: version {version} of the Delta table '{log}'" in summary["notes"]
        return int(summary["rows"])

    assert rows() == 2
    commit(log, 3)
    assert rows(known=1) == 3  # the file of the version before is not read again
    write_manifest(night.valid, manifest_of(night.raw) or {})
    commit(log, 4)
    assert rows(known=1) == 3
    assert rows(fresh=True) == 4


def test_rows_that_are_not_those_of_the_files_are_read_once_for_a_version(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "is_plain", lambda _: False)
    table, note = landed(log, tmp_path / "landed")
    assert note == f"interactions: version 0 of the Delta table '{log}', whose rows were read into {table.path}"
    found = pq.read_table(table.path)
    assert found.schema.names == ["user_id", "item_id", "timestamp"]
    assert sorted(found["user_id"].to_pylist()) == [1, 2]
    (before,) = Path(table.path).glob("*.parquet")
    inode = before.stat().st_ino
    assert landed(log, tmp_path / "landed")[0] == table
    assert before.stat().st_ino == inode
    commit(log, 3)
    landed(log, tmp_path / "landed")
    assert pq.read_table(table.path).num_rows == 3
    assert len(list(Path(table.path).glob("*.parquet"))) == 1


@pytest.mark.slow
def test_each_domain_keeps_to_its_own_version(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the books the rows are read into a folder, of the films the files of version 0 are."""
    commit(tmp_path / "books", 5)
    plain = delta.is_plain
    monkeypatch.setattr(delta, "is_plain", lambda table: "books" not in table.table_uri and plain(table))
    given = Inputs(interactions=TableInput(domains={"films": str(log), "books": str(tmp_path / "books")}, as_of=0))
    commit(log, 3)
    for one in (given, Inputs(interactions=given.interactions.model_copy(update={"as_of": None}))):
        found = land(one, tmp_path / "landed", CUTOFF)[0].interactions
        commit(log, 4)  # later than what the night has settled on
        users = [user for path in resolve("interactions", found) for user in pq.read_table(path)["user_id"].to_pylist()]
        assert sorted(users) == ([1, 2, 5] if one is given else [1, 2, 3, 4, 5])
