"""Avro files as batches of Arrow: the types are those of the schema in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from recmodels.errors import ConfigError, DataRefused

ROWS = 1 << 14
_TYPES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
    "fixed": pa.binary(),
}
_LOGICAL = {
    "date": pa.date32(),
    "timestamp-millis": pa.timestamp("ms", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
    "uuid": pa.string(),
}


def batches(path: Path, file: IO[bytes]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema of an Avro file and its records, some thousands at a time.

    Raises:
        ConfigError: the package that reads Avro is not installed.
        ValueError: the file is damaged.
        DataRefused: its schema has a type that is not read.
    """
    try:
        import fastavro
    except ImportError:
        raise ConfigError(
            f"{path} is an Avro file, which needs another package: pip install 'nightrec[avro]'."
        ) from None
    with _damage_named():
        records: Any = fastavro.reader(file)
        written = records.writer_schema
        if not isinstance(written, dict) or written.get("type") != "record":
            raise DataRefused(f"{path} is an Avro file whose values are no records; write a record for each row.")
        named: dict[str, pa.DataType] = {}
        schema = pa.schema([(field["name"], _type_of(path, field["type"], named)) for field in written["fields"]])
    return schema, _batches(records, schema)


def _batches(records: Iterator[Mapping[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while True:
        with _damage_named():
            if not (rows := list(islice(records, ROWS))):
                return
            columns = [pa.array([_plain(row[field.name], field.type) for row in rows], field.type) for field in schema]
            batch = pa.RecordBatch.from_arrays(columns, schema=schema)
        yield batch


@contextmanager
def _damage_named() -> Iterator[None]:
    """Raise ValueError for whatever is raised inside: of damaged bytes, fastavro's errors may be any."""
    try:
        yield
    except DataRefused:
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}"[:200]) from None


def _plain(value: Any, kind: pa.DataType) -> Any:
    """A value as Arrow takes it: a UUID, or what one of several types is of, as text."""
    return str(value) if pa.types.is_string(kind) and value is not None else value


def _type_of(path: Path, written: Any, named: dict[str, pa.DataType]) -> pa.DataType:
    """The type of Arrow for one of Avro; `named`: those that stand in the schema before it."""
    if isinstance(written, list):
        others = [one for one in written if one != "null"]
        return _type_of(path, others[0], named) if len(others) == 1 else pa.string()
    if isinstance(written, str):
        found = _TYPES.get(written) or named.get(written) or named.get(written.rpartition(".")[2])
        if found is None:
            raise DataRefused(f"{path} has the Avro type '{written[:40]}', which is not read; write it as Parquet.")
        return found
    kind = _made_of(path, written, named)
    if name := written.get("name"):
        named[name.rpartition(".")[2]] = kind
    return kind


def _made_of(path: Path, written: Mapping[str, Any], named: dict[str, pa.DataType]) -> pa.DataType:
    if logical := _LOGICAL.get(written.get("logicalType", "")):
        return logical
    match written["type"]:
        case "bytes" | "fixed" if written.get("logicalType") == "decimal":
            precision = int(written["precision"])
            return (pa.decimal128 if precision <= 38 else pa.decimal256)(precision, int(written.get("scale", 0)))
        case "array":
            return pa.list_(_type_of(path, written["items"], named))
        case "map":
            return pa.map_(pa.string(), _type_of(path, written["values"], named))
        case "record":
            return pa.struct([(field["name"], _type_of(path, field["type"], named)) for field in written["fields"]])
        case kind:
            return _type_of(path, kind, named)
