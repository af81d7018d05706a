"""Input files of any kind, read as a night reads them."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.reliability import fuzz_bytes
from tests.reliability.fuzz_case import Case, Ended, called

CUTOFF, NOW = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
COLUMNS = ["user_id", "item_id", "timestamp", "rating", "event"]
ROWS = [[f"u{n % 3}", str(n), f"2023-0{n % 9 + 1}-01T10:00:00", str(n % 5), "view"] for n in range(6)]
ENDINGS = ["csv", "tsv", "txt", "jsonl", "json", "parquet", "dat", "csv.gz", "zip", "log"]
SETTINGS: dict[str, list[Any]] = {
    "format": ["csv", "jsonl", "parquet"],
    "encoding": ["latin-1", "utf-16", "cp1252", "shift_jis", "utf-8-sig", "ascii", "utf-32-be", "hz"],
    "delimiter": [";", "\t", "|", "::", " ", "tab", "\x01", ",", "a"],
    "quote": ["'", "none", "|", '"', None],
    "escape": ["\\", '"', "'"],
    "header": [["user_id", "item_id", "timestamp"], ["a"], ["user_id"] * 2, COLUMNS],
    "timezone": ["Europe/Berlin", "UTC", "America/New_York"],
    "timestamp_unit": ["s", "ms", "us", "ns"],
    "timestamp_format": ["%d.%m.%Y", "%Y-%m-%dT%H:%M:%S", "%s", "%Y", "%H:%M %p", "%"],
    "missing": [["NULL"], ["", "-"], ["u1"], ["'"]],
    "columns": [{"user_id": "item_id"}, {"user_id": "u"}, {"event": "rating"}, {"timestamp": ["a", "timestamp"]}],
    "explode": [True],
}


class Readers:
    """Tables in files that are damaged, oddly written, or nothing of the kind; with settings that fit or do not."""

    codes = frozenset({0, 2, 3})

    def make(self, chance: Random) -> Case:
        files = {}
        for name in self._tables(chance):
            data = written(chance)
            if chance.random() < 0.7:
                data = fuzz_bytes.damaged(chance, data)
            if chance.random() < 0.1:
                data = fuzz_bytes.packed(chance, data)
            files[f"{name}.{chance.choice(ENDINGS)}"] = data
        chosen = chance.sample(sorted(SETTINGS), chance.choice((0, 0, 0, 1, 2, 3)))
        return Case(files, settings={name: chance.choice(SETTINGS[name]) for name in chosen})

    def prepare(self, folder: Path) -> None:
        """Nothing more than the files is needed."""

    def run(self, case: Case, folder: Path) -> Ended:
        tables = {name.partition(".")[0]: {"path": name} | dict(case.settings) for name in case.files}
        try:
            inputs = Inputs(**{name: TableInput(**given) for name, given in tables.items()})
        except ValidationError:
            return Ended(0)  # what settings may be is another matter
        out = folder / "out"
        out.mkdir()
        return called(lambda: write_raw(inputs, CUTOFF, NOW, out, threads=1))

    def _tables(self, chance: Random) -> list[str]:
        more = [name for name in ("items", "users", "tags") if chance.random() < 0.1]
        return ["interactions", *more]


def written(chance: Random) -> bytes:
    """A small table of events, written in one of many ways; some values are odd."""
    columns = list(COLUMNS[: chance.choice((3, 3, 4, 5))])
    rows: list[list[Any]] = [row[: len(columns)] for row in ROWS[: chance.randint(0, 6)]]
    for row in rows:
        if chance.random() < 0.3:
            row[chance.randrange(len(row))] = fuzz_bytes.text(chance)
    kind = chance.randrange(5)
    if kind == 0:
        return _parquet(chance, columns, rows)
    if kind == 1:
        return _json(chance, columns, rows)
    delimiter, end = chance.choice([",", ",", ";", "\t", "|", "::", " "]), chance.choice(["\n", "\n", "\r\n", "\r"])
    quote = chance.choice(["", "", '"', "'"])
    lines = [delimiter.join(f"{quote}{value}{quote}" for value in row) for row in [columns, *rows]]
    encoding = chance.choice(["utf-8"] * 8 + ["utf-16", "latin-1", "utf-8-sig", "utf-16-le"])
    return (end.join(lines) + end).encode(encoding, "replace")


def _json(chance: Random, columns: list[str], rows: list[list[Any]]) -> bytes:
    objects: list[Any] = [dict(zip(columns, row, strict=True)) for row in rows]
    odd = [None, True, 1.5, 2**70, [], {}, ["a", 1], {"a": {"b": [1]}}, "x", float("nan")]
    for one in objects:
        if chance.random() < 0.4:
            one[chance.choice([*columns, "more", ""])] = chance.choice(odd)
    if chance.random() < 0.3:
        return json.dumps(chance.choice([objects, {"data": objects}, objects[:1], [objects]])).encode()
    return "\n".join(map(json.dumps, objects)).encode()


def _parquet(chance: Random, columns: list[str], rows: list[list[Any]]) -> bytes:
    kinds: list[Any] = [
        pa.string(),
        pa.int64(),
        pa.int32(),
        pa.float64(),
        pa.timestamp("ns"),
        pa.timestamp("us", "UTC"),
        pa.date32(),
    ]
    kinds += [
        pa.list_(pa.string()),
        pa.struct({"a": pa.int8()}),
        pa.binary(),
        pa.bool_(),
        pa.decimal128(9, 2),
        pa.time64("us"),
    ]
    kinds += [
        pa.duration("s"),
        pa.null(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.map_(pa.string(), pa.int8()),
        pa.uint64(),
    ]
    made = {}
    for place, name in enumerate(columns):
        values = [str(row[place]).encode("utf-8", "replace").decode() for row in rows]
        kind = chance.choice(kinds) if chance.random() < 0.4 else pa.string()
        try:
            made[name] = pa.array(values).cast(kind) if values else pa.array([], kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            made[name] = pa.nulls(len(values), kind)
    buffer = io.BytesIO()
    pq.write_table(pa.table(made), buffer, compression=chance.choice(["snappy", "zstd", "none"]))
    return buffer.getvalue()
