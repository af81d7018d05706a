"""Avro files: types as their schema says, and one sentence where they cannot be read."""

import io
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading import avro
from tests.tasks.packed import avro_file
from tests.tasks.raw import ingest, write

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
RECORD = {"type": "record", "name": "n", "fields": [{"name": "id", "type": "int"}]}
AT = datetime(2023, 1, 1, 12, tzinfo=UTC)


def one(kind: Any, value: Any) -> tuple[pa.DataType, Any]:
    """The type of Arrow for a type of Avro, and a value as it is read."""
    schema = {"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]}
    found, batches = avro.batches(Path("log.avro"), io.BytesIO(avro_file([{"x": value}], schema)))
    return found.field("x").type, pa.Table.from_batches(batches, found)["x"][0].as_py()


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("long", 2**60 + 1, pa.int64()),
        (["null", "string"], None, pa.string()),
        ({"type": "enum", "name": "e", "symbols": ["view", "buy"]}, "buy", pa.string()),
        ({"type": "int", "logicalType": "date"}, date(2023, 1, 1), pa.date32()),
        ({"type": "long", "logicalType": "timestamp-millis"}, AT, pa.timestamp("ms", "UTC")),
        (DECIMAL, Decimal("12.50"), pa.decimal128(9, 2)),
        ({"type": "array", "items": "long"}, [1, 2], pa.list_(pa.int64())),
        (RECORD, {"id": 7}, pa.struct([("id", pa.int32())])),
    ],
)
def test_types_and_values_are_those_of_the_schema(kind: Any, value: Any, stored: pa.DataType) -> None:
    assert one(kind, value) == (stored, value)


def test_what_is_of_several_types_is_text() -> None:
    assert one(["null", "long", "string"], 7) == (pa.string(), "7")
    uuid = UUID("12345678-1234-5678-1234-567812345678")
    assert one({"type": "string", "logicalType": "uuid"}, uuid) == (pa.string(), str(uuid))


def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = avro_file()
    with pytest.raises(DataRefused, match=r"log.avro cannot be read \(.*\); copy or write it again\.$"):
        ingest(tmp_path, write(tmp_path / "log.avro", whole[:-20]))
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(ConfigError, match=r"log.avro is an Avro file.*pip install 'nightrec\[avro\]'"):
        ingest(tmp_path, write(tmp_path / "log.avro", whole))
