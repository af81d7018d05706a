"""Object stores, over HTTP: files are copied once, by folder, name or pattern, and Delta tables at a version."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pydantic import ValidationError

from recmodels.errors import ConfigError
from recmodels.published.reader import through_fsspec
from tasks.ingest.landing import objects
from tasks.ingest.landing.land import land_table
from tasks.ingest.landing.objects import _fits
from tasks.ingest.reading.files import find
from tasks.ingest.reading.inputs import TableInput
from tests.tasks import servers

CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with servers.s3(SENT) as place:
        yield place


SENT: list[int] = []
"""The sizes of what the server has sent."""


class Bucket:
    """A bucket on a server, and what of it is landed."""

    def __init__(self, server: str, folder: Path) -> None:
        self.where = f"endpoint_override={server}&scheme=http&region=us-east-1"
        self.files = pafs.FileSystem.from_uri(f"s3://lake?{self.where}&allow_bucket_creation=true")[0]
        self.files.create_dir("lake")
        self.folder = folder

    def put(self, name: str, contents: bytes) -> None:
        with self.files.open_output_stream(f"lake/{name}", compression=None) as out:
            out.write(contents)

    def land(self, name: str, cutoff: datetime = CUTOFF, **settings: Any) -> tuple[TableInput, str]:
        given = TableInput(path=f"s3://lake/{name}?{self.where}", **settings)
        return land_table("interactions", given, self.folder / "landed", cutoff)

    def found(self, name: str) -> dict[str, dict[str, str | None]]:
        """The names of the files that are read, and the columns of their folders."""
        table, _ = self.land(name)
        return {f.path.relative_to(table.path).as_posix(): dict(f.partition) for f in find("interactions", table).read}


@pytest.fixture
def bucket(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "a secret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return Bucket(server, tmp_path)


@pytest.mark.server
def test_files_are_copied_once_and_again_when_they_change(bucket: Bucket) -> None:
    bucket.put("log/dt=2026-01-01/a.csv.gz", gzip.compress(b"user_id\n1\n"))
    bucket.put("log/dt=2026-01-02/b.csv", b"user_id\n2\n")
    for name in ("_SUCCESS", ".part.crc", "README.md", "_tmp/c.csv"):
        bucket.put(f"log/{name}", b"x")
    every = {"dt=2026-01-01/a.csv.gz": {"dt": "2026-01-01"}, "dt=2026-01-02/b.csv": {"dt": "2026-01-02"}}
    assert bucket.found("log") == bucket.found("log/") == every
    table, note = bucket.land("log")
    assert note == f"interactions: 2 files of s3://lake/log copied into {table.path}"
    before = {path.name: path.stat() for path in Path(table.path).rglob("*.*")}
    bucket.put("log/dt=2026-01-02/b.csv", b"user_id\n2\n3\n")
    bucket.land("log")
    after = {path.name: path.stat() for path in Path(table.path).rglob("*.*")}
    assert before["a.csv.gz"].st_ino == after["a.csv.gz"].st_ino
    assert (before["b.csv"].st_size, after["b.csv"].st_size) == (10, 12)
    bucket.files.delete_file("lake/log/dt=2026-01-01/a.csv.gz")
    assert list(bucket.found("log")) == ["dt=2026-01-02/b.csv"]
    assert list(bucket.found("log/dt=2026-01-02/b.csv")) == ["b.csv"]
    assert list(bucket.found("log/**/b*")) == ["dt=2026-01-02/b.csv"]


@pytest.mark.server
def test_of_parquet_files_only_the_columns_and_row_groups_that_are_needed_are_fetched(bucket: Bucket) -> None:
    noise = np.random.default_rng(0).bytes(600_000)
    days = [datetime(2026, 5, 30, tzinfo=UTC), datetime(2026, 5, 31, tzinfo=UTC), CUTOFF]
    columns = {"user_id": [1, 2, 3], "item_id": ["a", "b", "c"], "timestamp": days}
    rows = pa.table(columns | {"unneeded": [noise[n : n + 200_000] for n in range(0, 600_000, 200_000)]})
    whole = pa.BufferOutputStream()
    pq.write_table(rows, whole, row_group_size=1)
    bucket.put("wide/dt=1/a.parquet", whole.getvalue().to_pybytes())
    SENT.clear()
    table, _ = bucket.land("wide")
    assert sum(SENT) < 80_000  # of 600,000; 64 KiB of them are the file's end, whose length nobody knows
    found = pq.ParquetFile(f"{table.path}/dt=1/a.parquet").read()
    assert found.equals(rows.slice(0, 2).drop_columns(["unneeded"]))
    SENT.clear()
    bucket.land("wide")
    assert sum(SENT) < 2_000  # the list of files
    bucket.land("wide", cutoff=CUTOFF + timedelta(days=1))
    assert pq.ParquetFile(f"{table.path}/dt=1/a.parquet").metadata.num_rows == 3
    bucket.land("wide", cutoff=CUTOFF)
    assert pq.ParquetFile(f"{table.path}/dt=1/a.parquet").metadata.num_rows == 3  # it has all that this one needs


@pytest.mark.server
def test_a_delta_table_is_read_at_a_version(bucket: Bucket) -> None:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    for user in (1, 2):
        days = [datetime(2026, 1, user, tzinfo=UTC), CUTOFF]
        rows = pa.table({"user_id": [user, 9], "item_id": [1, 1], "timestamp": days, "unneeded": [0, 0]})
        deltalake.write_deltalake("s3://lake/events", rows, mode="append")
    table, note = bucket.land("events")
    assert "version 1 of the Delta table 's3://lake/events'" in note
    found = pq.read_table(table.path)
    assert (found.schema.names, sorted(found["user_id"].to_pylist())) == (["user_id", "item_id", "timestamp"], [1, 2])
    assert pq.read_table(bucket.land("events", as_of=0)[0].path).num_rows == 1
    later = bucket.land("events", cutoff=CUTOFF + timedelta(days=1))[0]
    assert sorted(pq.read_table(later.path)["user_id"].to_pylist()) == [1, 2, 9, 9]


@pytest.mark.server
def test_what_is_not_there_is_said(bucket: Bucket) -> None:
    with pytest.raises(ConfigError, match="interactions: 's3://lake/nothing' has no files of data"):
        bucket.land("nothing")
    bucket.put("log/a.csv", b"user_id\n1\n")
    with pytest.raises(ConfigError, match="as_of is for Delta and Iceberg tables; "):
        bucket.land("log", as_of=1)
    bucket.where = "endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1&connect_timeout=1"
    with pytest.raises((ConnectionError, ConfigError)):
        bucket.land("log")


def test_other_stores_are_told_by_their_addresses() -> None:
    for address, kind, root in (
        ("gs://lake/log/dt=*/a.csv", pafs.GcsFileSystem, "lake/log"),
        ("abfs://lake@shop.dfs.core.windows.net/log/dt=*/a.csv", pafs.AzureFileSystem, "lake/log"),
    ):
        found = objects.place(address)
        assert isinstance(found.files, kind)
        assert (found.root, str(found.pattern)) == (root, "dt=*/a.csv")


def test_a_store_that_arrow_does_not_know_is_read_through_fsspec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = MemoryFileSystem()
    monkeypatch.setattr(lake, "store", {})
    monkeypatch.setattr(lake, "pseudo_dirs", [""])
    lake.pipe("/lake/log/a.csv", b"user_id\n1\n")
    there = objects.Place(*through_fsspec("memory://lake/log"))
    assert objects.mirror("interactions", TableInput(path="gs://lake/log"), there, tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_bytes() == b"user_id\n1\n"
    lake.store["/lake/log/../../b.csv"] = lake.store["/lake/log/a.csv"]  # a key may have any characters
    with pytest.raises(ConfigError, match=r"has a file '\.\./\.\./b\.csv', which no folder here could hold"):
        objects.mirror("interactions", TableInput(path="gs://lake/log"), there, tmp_path / "inner" / "folder")
    assert not (tmp_path / "b.csv").exists()


def test_a_key_in_an_address_is_refused_and_not_repeated() -> None:
    for address in ("s3://somebody:geheim@lake/log", "s3://lake/log?secret_key=geheim"):
        with pytest.raises(ValidationError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") as refused:
            TableInput(path=address)
        assert "geheim" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("a/b.csv", "*/b.csv", True),
        ("a/b.csv", "*.csv", False),
        ("a/b.csv", "**/*.csv", True),
        ("b.csv", "**/*.csv", True),
        ("a/b/c.csv", "a/**", True),
        ("a/b/c.csv", "a/*", False),
    ],
)
def test_a_pattern_is_matched_folder_by_folder(name: str, pattern: str, fits: bool) -> None:
    assert _fits(tuple(name.split("/")), tuple(pattern.split("/"))) == fits
