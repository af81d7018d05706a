"""Tables that are stored as binary columns, before DuckDB reads them: a copy as Parquet where that is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from tasks.ingest.reading import avro
from tasks.ingest.reading.contents import Stored
from tasks.ingest.reading.packing import chunks


def write_parquet(path: Path, stored: Stored, packed: bool, copy: Path) -> None:
    """Write the same table as a Parquet file that lies unpacked: batch by batch, in little memory.

    Raises:
        DataRefused: the file is damaged.
    """
    plain = copy.with_suffix(".unpacked") if packed and stored != "parquet" else copy
    if packed:
        with plain.open("wb") as out:
            out.writelines(chunks(path))
    if stored == "parquet":
        return
    try:
        _convert(plain if packed else path, path, stored, copy)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataRefused(f"{path} cannot be read ({_one_line(error)}); copy or write it again.") from None
    finally:
        if packed:
            plain.unlink()


def _convert(path: Path, named: Path, stored: Stored, copy: Path) -> None:
    """`path` has the contents of the site's file, which is `named`."""
    with ExitStack() as stack:
        schema, batches = _batches(path, named, stored, stack)
        writer = stack.enter_context(pq.ParquetWriter(copy, schema))
        for batch in batches:
            writer.write_batch(batch)


def _batches(path: Path, named: Path, stored: Stored, stack: ExitStack) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if stored == "avro":
        return avro.batches(named, stack.enter_context(path.open("rb")))
    file = stack.enter_context(pa.memory_map(str(path)))
    if stored == "orc":
        from pyarrow import orc

        stripes = orc.ORCFile(file)
        return stripes.schema, (stripes.read_stripe(i) for i in range(stripes.nstripes))
    if file.read(4) == b"FEA1":
        from pyarrow import feather

        table = feather.read_table(str(path))
        return table.schema, iter(table.to_batches())
    reader = pa.ipc.open_file(file)
    return reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))


def _one_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
