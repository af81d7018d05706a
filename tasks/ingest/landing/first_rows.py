"""Parquet files of an object store that stay there: nodes fetch them, and what is here is their first rows.

A file's columns, how its times are written and how many rows it has are told by its end and by its first rows. These
are a small file here, in the place of a copy, which says what it is the beginning of.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing import objects
from tasks.ingest.landing.parquet_files import ROWS_AT_ONCE, Wanted
from tasks.ingest.reading import schema
from tasks.ingest.reading.addresses import without_user
from tasks.ingest.reading.inputs import TableInput
from tasks.store.files import replaced

ROWS = 1 << 12
"""Of a file are here; one that has no more is copied."""
_TIMES = 1000  # that must be among them, so that they tell how all are written
_OF = b"nightrec.first_rows_of"


@dataclass(frozen=True)
class Remote:
    """A file of an object store, as JSON can say it.

    Attributes:
        table: of ours that it belongs to.
        address: of that, with the names of variables for what is secret.
        columns, timezone: settings of the table, by which less than all of the file may be needed.
        name: of the file, below the folder of the address.
        path: on its file system.
        size: bytes, when its first rows were read, as is the next.
        mtime_ns: when it was written.
        cutoff: of the night, if the file has row groups that it does not need; else empty.
        rows: those that it needs.
    """

    table: str
    address: str
    columns: dict[str, str | list[str]]
    timezone: str
    name: str
    path: str
    size: int
    mtime_ns: int
    cutoff: str
    rows: int

    def fetched(self, folder: Path) -> Path:
        """Bring what is needed of the file into a folder, where this process runs and by its environment.

        Raises:
            ConfigError: it may not be read from here.
            DataRefused: it is another one than it was, or gone.
            ConnectionError: the object store does not answer.
        """
        given = TableInput(path=self.address, columns=self.columns, timezone=self.timezone)
        wanted = Wanted(self.table, given, datetime.fromisoformat(self.cutoff) if self.cutoff else None)
        try:
            with objects.in_words(self.table, self.address):
                files = objects.place(self.address).files
                info = self._unchanged(files)
                objects.fetch(objects.Place(files, ""), {self.name: info}, folder, wanted)
                self._unchanged(files)
        except ConfigError as error:
            raise ConfigError(f"On the machine {socket.gethostname()}: {error}") from None
        return folder / self.name

    def _unchanged(self, files: pafs.FileSystem) -> pafs.FileInfo:
        info = files.get_file_info(self.path)
        if not info.is_file or (info.size, info.mtime_ns) != (self.size, self.mtime_ns):
            what = "changed" if info.is_file else "disappeared"
            shown = objects.within(without_user(self.address), self.name)
            raise DataRefused(f"{self.table}: {shown} {what} while it was read; start the night again.")
        return info


def first_rows(
    name: str,
    table: TableInput,
    files: pafs.FileSystem,
    info: pafs.FileInfo,
    below: str,
    folder: Path,
    cutoff: datetime | None,
) -> bool:
    """Have the first rows of a file in the place of a copy; False where it should be copied.

    Args:
        name: of the table.
        table: its settings.
        files: where the file is.
        info: the file there.
        below: its name, below the folder of the table.
        folder: for the table's files.
        cutoff: the night's.
    """
    path = folder / below
    known = remote_of(path)
    if known and (known.size, known.mtime_ns) == (info.size, info.mtime_ns) and known.cutoff in ("", str(cutoff)):
        return True
    wanted = Wanted(name, table, cutoff)
    if info.mtime_ns is None or path.suffix not in (".parquet", ".pq") or wanted.is_here(info, path):
        return False
    with files.open_input_file(info.path) as there:
        try:
            file = pq.ParquetFile(there)
        except pa.ArrowException:
            return False
        columns, groups = wanted.columns(file, objects.partition(below)), wanted.groups(file)
        rows = sum(file.metadata.row_group(group).num_rows for group in groups)
        if columns is None or rows <= ROWS:
            return False
        batch = next(file.iter_batches(ROWS, groups, columns)).select(columns)
    if not _tells(name, table, batch):
        return False
    cut = str(cutoff) if len(groups) < file.num_row_groups else ""
    of = Remote(name, table.path, table.columns, table.timezone, below, info.path, info.size, info.mtime_ns, cut, rows)
    kinds = batch.schema.with_metadata({_OF: json.dumps(asdict(of)).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as out, pq.ParquetWriter(out, kinds, compression="zstd") as writer:
        writer.write_batch(batch.cast(kinds), row_group_size=ROWS_AT_ONCE)
    return True


def _tells(name: str, table: TableInput, batch: pa.RecordBatch) -> bool:
    """Whether some rows say of all of a file's what is to be known before they are read."""
    columns: Sequence[str] = batch.schema.names
    times = next((one for one in schema.names(table, "timestamp") if one in columns), None)
    enough = times is not None and len(batch) - batch[times].null_count >= _TIMES
    return enough and not any(pa.types.is_binary(kind) or pa.types.is_nested(kind) for kind in batch.schema.types)


def remote_of(path: Path) -> Remote | None:
    """The file of which some file here has the first rows; None if it is any other."""
    try:
        told = (pq.read_schema(path).metadata or {}).get(_OF)
    except (pa.ArrowException, OSError):
        return None
    return None if told is None else Remote(**json.loads(told))
