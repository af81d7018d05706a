"""Files as other programs write them: packed, or as tables in binary."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc, orc

from tests.tasks.raw import ROWS

TABLE = pa.table({"user_id": [1, 2], "item_id": [10, 20], "timestamp": [row[2] for row in ROWS], "rating": [4.5, 3.0]})


def arrow(codec: str, contents: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as out:
        out.write(contents)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return out.getvalue()


def parquet(table: pa.Table = TABLE) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def orc_file(table: pa.Table = TABLE) -> bytes:
    out = io.BytesIO()
    orc.write_table(table, out)
    return out.getvalue()


def arrow_file(table: pa.Table = TABLE) -> bytes:
    """As `pyarrow.feather` writes it, which begins threads: files are made here before the tests are forked."""
    out = io.BytesIO()
    with ipc.new_file(out, table.schema, options=ipc.IpcWriteOptions(compression="lz4", use_threads=False)) as writer:
        writer.write_table(table)
    return out.getvalue()


AVRO: dict[str, Any] = {
    "type": "record",
    "name": "event",
    "fields": [
        {"name": "user_id", "type": "long"},
        {"name": "item_id", "type": ["null", "long"]},
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "rating", "type": ["null", "double"], "default": None},
    ],
}


def avro_file(rows: list[dict[str, Any]] | None = None, schema: dict[str, Any] = AVRO, codec: str = "null") -> bytes:
    out = io.BytesIO()
    mine = [row | {"timestamp": datetime.fromisoformat(row["timestamp"])} for row in TABLE.to_pylist()]
    fastavro.writer(out, fastavro.parse_schema(schema), mine if rows is None else rows, codec=codec)
    return out.getvalue()
