"""Parts: bounded, in order, and the same file for the same rows."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest.landing import parts


def batches(*sizes: int) -> list[pa.RecordBatch]:
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    return [pa.record_batch({"n": range(end - size, end)}) for size, end in zip(sizes, ends, strict=True)]


def write(folder: Path, schema: pa.Schema, some: Iterable[pa.RecordBatch]) -> parts.Parts:
    with parts.Parts(folder, schema) as written:
        for batch in some:
            written.add(batch)
    return written


def test_rows_keep_their_order_in_parts_of_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROW_GROUP", 4)
    monkeypatch.setattr(parts, "PART", 8)
    some = batches(3, 3, 0, 3, 3, 3)
    written = write(tmp_path, some[0].schema, iter(some))
    assert [pq.read_table(tmp_path / file).num_rows for file in written.files] == [12, 3]
    assert pq.read_table([tmp_path / file for file in written.files])["n"].to_pylist() == list(range(15))
    assert sorted(path.name for path in tmp_path.iterdir()) == written.files


def test_the_same_rows_are_the_same_file_and_others_are_not(tmp_path: Path) -> None:
    some = batches(3)
    first = write(tmp_path, some[0].schema, iter(some)).files
    inode = (tmp_path / first[0]).stat().st_ino
    assert write(tmp_path, some[0].schema, iter(some)).files == first
    assert (tmp_path / first[0]).stat().st_ino == inode
    other = write(tmp_path, some[0].schema, iter(batches(4))).files
    assert other != first


def test_a_table_without_rows_is_a_file_with_its_columns(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    (file,) = write(tmp_path, schema, iter([])).files
    assert pq.read_table(tmp_path / file).schema.names == ["n"]


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(3)
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        write(tmp_path, batches(1)[0].schema, broken())
    assert list(tmp_path.iterdir()) == []
