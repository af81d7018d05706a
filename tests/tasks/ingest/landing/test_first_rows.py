"""Parquet files of an object store are read where there is room, and the raw tables are those of copies of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Engine
from recmodels.errors import ConfigError, DataRefused
from tasks.ingest import table_parts
from tasks.ingest.landing import first_rows, objects
from tasks.ingest.landing.first_rows import remote_of
from tasks.ingest.landing.land import land
from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.clusters import CREDENTIALS, RayNodes
from tests.tasks import servers

pytestmark = pytest.mark.server
CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)
ROWS = 3000


class Log:
    """Interactions on a server, of which one row group comes after the cutoff and one column is not needed."""

    def __init__(self, server: str, folder: Path) -> None:
        self.where = f"endpoint_override={server}&scheme=http&region=us-east-1"
        self.files = pafs.FileSystem.from_uri(f"s3://shop?{self.where}&allow_bucket_creation=true")[0]
        self.files.create_dir("shop")
        self.inputs = Inputs(interactions=TableInput(path=f"s3://shop/log?{self.where}"))
        self.folder = folder
        for number, ids in enumerate(("int64", "int64", "string")):
            self.put(f"day={number}.parquet", number, ids)
        self.put("few.parquet", 9, "int64", rows=2)

    def put(self, name: str, seed: int, ids: str, rows: int = ROWS) -> None:
        random = np.random.default_rng(seed)
        late = [CUTOFF + timedelta(hours=12 * (n // (rows // 3 or 1) - 2), seconds=n) for n in range(rows)]
        users = random.integers(1, 40, rows)
        text = [f"u{user}" for user in users] if ids == "string" else users
        columns = {"user_id": pa.array(text), "item_id": random.integers(1, 30, rows), "timestamp": late}
        table = pa.table(columns | {"unneeded": [random.bytes(200) for _ in range(rows)]})
        with self.files.open_output_stream(f"shop/log/{name}") as out:
            pq.write_table(table, out, row_group_size=rows // 3 or 1)

    def raw(self, name: str, engine: Engine | None) -> tuple[str, dict[str, bytes], list[str]]:
        """What is said of the raw tables, their bytes, and the notes on what was read."""
        (out := self.folder / name).mkdir()
        inputs, notes = land(self.inputs, self.folder / "landed", CUTOFF, by_nodes=engine is not None)
        if engine is None:
            summary = write_raw(inputs, CUTOFF, CUTOFF, out)
        else:
            with using(engine):
                summary = write_raw(inputs, CUTOFF, CUTOFF, out, on_engine=self.folder / f"{name}-parts")
        tables = {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}
        return summary["message"], tables, notes

    @property
    def landed(self) -> list[Path]:
        return sorted((self.folder / "landed").rglob("*.parquet"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with servers.s3() as place:
        yield place


@pytest.fixture
def log(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(first_rows, "ROWS", 1500)
    monkeypatch.setattr(table_parts, "FULL", 1900)
    return Log(server, tmp_path)


@pytest.mark.parametrize("disk", ["this machine", "exchange"])
@pytest.mark.usefixtures("ray_engine")
def test_they_are_read_where_they_lie(log: Log, ray_cluster: RayNodes, disk: str) -> None:
    from recmodels.engine.ray import RayEngine

    copied = log.raw("copied", None)
    assert len(copied[1]) == 4 and not any(map(remote_of, log.landed))
    for path in log.landed:
        path.unlink()
    engine = LocalEngine() if disk == "this machine" else RayEngine(ray_cluster.address, str(log.folder / "exchange"))
    there = log.raw("there", engine)
    assert there[:2] == copied[:2]
    assert there[2] == ["interactions: 4 files of s3://shop/log, 3 of which are read there"]
    assert [remote is not None for remote in map(remote_of, log.landed)] == [True, True, True, False]
    before = [path.stat().st_mtime_ns for path in log.landed]
    land(log.inputs, log.folder / "landed", CUTOFF, by_nodes=True)
    assert [path.stat().st_mtime_ns for path in log.landed] == before
    land(log.inputs, log.folder / "landed", CUTOFF, settled=True)  # the night goes on without an engine
    assert not any(map(remote_of, log.landed))


def test_a_file_that_is_another_one_by_now_is_named(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    land(log.inputs, log.folder / "landed", CUTOFF, by_nodes=True)
    first, second, third, _ = map(remote_of, log.landed)
    assert first and second and third
    log.put("day=0.parquet", 7, "int64", ROWS + 3)
    log.files.delete_file("shop/log/day=1.parquet")
    with pytest.raises(DataRefused, match=r"^interactions: s3://shop/log/day=0.parquet changed while it was read; "):
        first.fetched(log.folder / "0")
    with pytest.raises(DataRefused, match=r"^interactions: s3://shop/log/day=1.parquet disappeared while it was read"):
        second.fetched(log.folder / "1")
    monkeypatch.setattr(objects, "place", _refusing)
    with pytest.raises(ConfigError, match=r"^On the machine .*: interactions: 's3://shop/log' may not be read; check"):
        third.fetched(log.folder / "2")


def _refusing(address: str) -> None:
    raise PermissionError(address)


@pytest.mark.parametrize(("column", "values"), [("timestamp", None), ("user_id", b"1")])
def test_what_first_rows_do_not_tell_is_copied(log: Log, column: str, values: bytes | None) -> None:
    days = pa.array([CUTOFF - timedelta(days=1)] * ROWS)
    table = pa.table({"user_id": range(ROWS), "item_id": range(ROWS), "timestamp": days})
    other = pa.array([values] * ROWS, table.schema.field(column).type if values is None else pa.binary())
    with log.files.open_output_stream("shop/log/day=0.parquet") as out:
        pq.write_table(table.set_column(table.schema.names.index(column), column, other), out)
    land(log.inputs, log.folder / "landed", CUTOFF, by_nodes=True)
    assert [remote is not None for remote in map(remote_of, log.landed)] == [False, True, True, False]
