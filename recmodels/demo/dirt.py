"""The demo site as files lie on real disks: of many formats, encodings and forms, with lines that are no rows.

What the files say stays the same: what a reader must find is counted as they are written.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Written = tuple["File", bytes]

CODES_EVERY = 97
"""Items whose number divides by this have a code with leading zeros for an id, in every table."""
_ROWS_A_FAULT = 2_000
_BROKEN = (b"only one value", b"a,b,c,d,e,f,g,h,i", b"caf\xe9,1001,2026-01-01,view")  # too few, too many, not UTF-8
_NOT_JSON = (b'{"user_id": "u1", "item_', b"[1, 2]")
_LOG = ("user_id", "item_id", "timestamp", "event")
_NOTES = ('"a gift; wrapped"', "", '"said ""thanks"""', "none")
_OVER_LINES = '"one line\nand another"'
_WITHOUT_MARK = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}
_YES, _NO = ("true", "Yes", "1", "T", "on"), ("false", "No", "0", "F", "", "off")


@dataclass(frozen=True)
class File:
    """A file, and what a reader must find in it.

    Attributes:
        name: the path in the site's folder.
        what: what is odd about it.
        table: the table that it is a part of; empty if it is not to be read.
        rows: rows to be read, faulty ones included.
        rejects: lines that are no rows.
        blank_lines: empty lines between them.
        says: of a file that must be refused, words of the sentence that says why.
    """

    name: str
    what: str
    table: str = ""
    rows: int = 0
    rejects: int = 0
    blank_lines: int = 0
    says: tuple[str, ...] = ()


Writer = Callable[[File, pa.Table], Written]


def files(interactions: pa.Table, items: pa.Table, users: pa.Table, rng: np.random.Generator) -> Iterator[Written]:
    """The files of the three tables, and those that lie beside them."""
    codes = _is_code(interactions["item_id"])
    log = _set(interactions, "item_id", _text_ids(interactions["item_id"]))
    log = _set(log, "user_id", _careless(log["user_id"], rng))
    part = (np.arange(len(log)) * len(_LOG_PARTS)) // len(log)
    part[(part == _WHOLE_NUMBERS) & codes] -= 1  # their file holds whole numbers only
    for place, (file, write) in enumerate(_LOG_PARTS):
        if (part == place).any():
            yield write(file, log.filter(part == place))
    yield from _catalogue(_set(items, "item_id", _text_ids(items["item_id"])))
    yield _audience(users)
    yield from _BESIDE


def ids_that_differ(user_id: pa.ChunkedArray) -> int:
    """How many ids of a log have capitals or blanks that the demo's users do not have."""
    return int(pc.sum(pc.not_equal(user_id, pc.utf8_lower(pc.utf8_trim_whitespace(user_id)))).as_py() or 0)


def _is_code(item_id: pa.ChunkedArray) -> NDArray[np.bool_]:
    numbers = item_id.fill_null(1).to_numpy()
    return np.asarray(numbers % CODES_EVERY == 0)


def _text_ids(item_id: pa.ChunkedArray) -> pa.ChunkedArray:
    text = item_id.cast(pa.string())
    return pc.if_else(pa.array(_is_code(item_id)), pc.utf8_lpad(text, 10, "0"), text)


def _careless(user_id: pa.ChunkedArray, rng: np.random.Generator) -> pa.ChunkedArray:
    """A few ids with a blank before them, and a few in capitals: to a reader they are other ids."""
    how = np.zeros(len(user_id), np.int64)
    how[rng.permutation(len(user_id))[: 2 * (len(user_id) // _ROWS_A_FAULT)]] = 1
    how[np.flatnonzero(how)[::2]] = 2
    padded, capital = pc.binary_join_element_wise("", user_id, " "), pc.utf8_upper(user_id)
    return pc.if_else(pa.array(how == 1), padded, pc.if_else(pa.array(how == 2), capital, user_id))


def _set(table: pa.Table, name: str, values: pa.ChunkedArray | pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _strftime(form: str, times: pa.ChunkedArray, ahead: int = 0) -> pa.ChunkedArray:
    """Times of UTC as text, the clock `ahead` by some seconds."""
    seconds = pc.add(times.cast(pa.timestamp("s", "UTC")).cast(pa.int64()), ahead)
    return pc.strftime(seconds.cast(pa.timestamp("s")), form)


def _since_1970(times: pa.ChunkedArray, per_second: int = 1, end: str = "") -> pa.ChunkedArray:
    seconds = times.cast(pa.timestamp("s", "UTC")).cast(pa.int64())
    return pc.binary_join_element_wise(pc.multiply(seconds, per_second).cast(pa.string()), end, "")


_Times = Callable[[pa.ChunkedArray], pa.ChunkedArray]
_iso: _Times = partial(_strftime, "%Y-%m-%dT%H:%M:%SZ")
_naive: _Times = partial(_strftime, "%Y-%m-%d %H:%M:%S")
_compact: _Times = partial(_strftime, "%Y%m%d%H%M%S")
_in_india: _Times = partial(_strftime, "%Y-%m-%dT%H:%M:%S+05:30", ahead=19_800)
_milliseconds: _Times = partial(_since_1970, per_second=1000)
_with_point: _Times = partial(_since_1970, end=".0")


@dataclass(frozen=True)
class Text:
    """How a part of the log is written as delimited text. `no_time`: what stands where a timestamp is missing."""

    times: _Times = _iso
    columns: tuple[str, ...] = _LOG
    delimiter: str = ","
    newline: str = "\n"
    encoding: str = "utf-8"
    before: str = ""  # the header
    missing: str = ""
    no_time: str = "yesterday"
    broken: tuple[bytes, ...] = ()
    cut: bool = False  # in the middle of the last line
    pack: Callable[[bytes], bytes] = bytes

    def __call__(self, file: File, log: pa.Table) -> Written:
        """The file, and its contents."""
        values = {"timestamp": self.times(log["timestamp"]).fill_null(self.no_time)}
        values |= {name: log[name].fill_null(self.missing) for name in ("user_id", "item_id", "event")}
        notes = [*islice(cycle(_NOTES), max(0, len(log) - 1)), _OVER_LINES][: len(log)]
        values |= {"note": pa.chunked_array([pa.array(notes, pa.string())]), "user_id!": values["item_id"]}
        columns = [values[name] for name in self.columns]
        plain = _WITHOUT_MARK.get(self.encoding, self.encoding)
        rows = pc.binary_join_element_wise(*columns, self.delimiter).to_pylist()
        lines = [row.encode(plain) for row in rows]
        several = max(1, len(lines) // _ROWS_A_FAULT) if self.broken else 0
        for place in range(several):
            lines[place * _ROWS_A_FAULT + 1 : place * _ROWS_A_FAULT + 1] = [*self.broken, b""]
        header = (self.before + self.delimiter.join(self.columns)).encode(self.encoding)
        newline = self.newline.encode(plain)
        end = newline + lines[-1][: len(lines[-1]) // 2] if self.cut and lines else newline
        contents = newline.join([header, *lines]) + end
        rejects = several * len(self.broken) + self.cut
        return replace(file, rows=len(log), rejects=rejects, blank_lines=several), self.pack(contents)


def _json_lines(file: File, log: pa.Table) -> Written:
    """Objects with and without their empty keys, and lines that are none."""
    rows = _records(log, _since_1970(log["timestamp"]), int)
    lines = [json.dumps({key: value for key, value in row.items() if value is not None}).encode() for row in rows]
    contents = b"\n".join([*lines, *_NOT_JSON, b"", b""])
    return replace(file, rows=len(log), rejects=len(_NOT_JSON), blank_lines=1), contents


def _json_array(file: File, log: pa.Table) -> Written:
    rows = _records(log, _iso(log["timestamp"]), str)
    return replace(file, rows=len(log)), json.dumps(rows, indent=1).encode()


def _records(log: pa.Table, times: pa.ChunkedArray, kind: Callable[[str], Any]) -> list[dict[str, Any]]:
    written = [None if time is None else kind(time) for time in times.to_pylist()]
    return [row | {"timestamp": time} for row, time in zip(log.to_pylist(), written, strict=True)]


def _parquet(file: File, log: pa.Table, item_id: pa.DataType, timestamp: pa.DataType) -> Written:
    times = log["timestamp"].cast(pa.timestamp("ns" if timestamp != pa.uint64() else "ms", "UTC"))
    times = times.cast(pa.int64()).cast(timestamp) if timestamp == pa.uint64() else times.cast(timestamp)
    item = log["item_id"].cast(item_id) if pa.types.is_decimal(item_id) else log["item_id"]
    item = item.dictionary_encode() if pa.types.is_dictionary(item_id) else item
    columns = {"user_id!": pa.array(np.arange(len(log))), "user_id": log["user_id"].cast(pa.large_string())}
    out = io.BytesIO()
    pq.write_table(pa.table(columns | {"item_id": item, "timestamp": times, "event": log["event"]}), out)
    return replace(file, rows=len(log)), out.getvalue()


def _arrow(file: File, log: pa.Table) -> Written:
    out = io.BytesIO()
    with pa.ipc.new_file(out, log.schema) as writer:
        writer.write_table(log.combine_chunks())
    return replace(file, rows=len(log)), out.getvalue()


def _zipped(name: str, contents: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), contents, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _log(name: str, what: str) -> File:
    return File(f"interactions/{name}", what, "interactions")


_LOG_PARTS: tuple[tuple[File, Writer], ...] = (
    (_log("events.csv", "lines that are too short, too long, blank and not UTF-8"), Text(broken=_BROKEN)),
    (
        _log("events (1).csv", "semicolons, a byte order mark, CRLF, offsets, values over several lines"),
        Text(_in_india, (*_LOG[::-1], "note"), ";", "\r\n", "utf-8-sig"),
    ),
    (_log("part-00000", "no ending; tabs and epoch seconds"), Text(_since_1970, _LOG, "\t", no_time="0")),
    (
        _log("app/version=2/log.csv.gz", "gzipped, in a folder; epoch milliseconds; no column `event`"),
        Text(_milliseconds, _LOG[:3], pack=partial(gzip.compress, mtime=0)),
    ),
    (
        _log("événements d'été.txt", "UTF-16, as spreadsheets save Unicode text; times without a zone"),
        Text(_naive, _LOG, "\t", "\r\n", "utf-16"),
    ),
    (
        _log("dump.data", "bars, NULL for a missing id, times without separators"),
        Text(_compact, _LOG, "|", missing="NULL", no_time="00000000000000"),
    ),
    (
        _log("a[1].parquet", "a column `user_id!`, dictionaries, nanoseconds in Tokyo's time"),
        partial(_parquet, item_id=pa.dictionary(pa.int32(), pa.string()), timestamp=pa.timestamp("ns", "Asia/Tokyo")),
    ),
    (
        _log("decimals.parq", "ids as decimals, unsigned epoch milliseconds"),
        partial(_parquet, item_id=pa.decimal128(12, 0), timestamp=pa.uint64()),
    ),
    (
        _log("backup #2.csv.bz2", "packed with bzip2; epoch seconds with a decimal point"),
        Text(_with_point, pack=bz2.compress),
    ),
    (
        _log("mail.csv.zip", "a zip archive; a first line `sep=;`"),
        Text(_iso, _LOG, ";", before="sep=;\n", pack=partial(_zipped, "mail.csv")),
    ),
    (_log("log.csv.zst", "packed with Zstandard; the character \\x01 between columns"),
     Text(_iso, _LOG, "\x01", pack=partial(pa.compress, codec="zstd", asbytes=True))),
    (_log("100%25.jsonl", "JSON lines, some of them no objects"), _json_lines),
    (_log("array.json", "a JSON array over many lines"), _json_array),
    (_log("frame.arrow", "an Arrow file"), _arrow),
    (_log("unfinished.csv", "cut in the middle of its last line"), Text(cut=True)),
)  # fmt: skip
_WHOLE_NUMBERS = next(place for place, (file, _) in enumerate(_LOG_PARTS) if file.name.endswith("decimals.parq"))


def _catalogue(items: pa.Table) -> Iterator[Written]:
    """The items in two files: prices as people write them, words for yes and no, texts over several lines."""
    items = items.set_column(
        items.column_names.index("tags"), "tags", pc.binary_join(items["tags"].combine_chunks(), "|")
    )
    rows, first = items.to_pylist(), len(items) * 4 // 5
    out = io.StringIO()
    sheet = csv.DictWriter(out, items.column_names, lineterminator="\r\n")
    sheet.writeheader()
    for place, row in enumerate(rows[:first]):
        yes, no = _YES[place % len(_YES)], _NO[place % len(_NO) or 0]
        description = f"{row['description']}\nNew!" if place % 50 == 3 else row["description"]
        price = {7: "—", 13: "N/A", 29: "on request"}.get(place % 50, f"${row['price']:,.2f}")
        sheet.writerow(row | {"price": price, "description": description, "available": yes if row["available"] else no})
    what = "prices such as $1,299.00, — and N/A; yes and no in many words; texts over several lines"
    yield File("items/catalogue.csv", what, "items", rows=first), out.getvalue().encode("utf-8-sig")
    lines = [json.dumps(row | {"released": str(row["released"])}, ensure_ascii=False) for row in rows[first:]]
    file = File("items/newcomers.jsonl", "the newest items, as JSON lines", "items", rows=len(lines))
    yield file, "\n".join(lines).encode()


def _audience(users: pa.Table) -> Written:
    """The users, and at the end a few of them again, who have opted out since."""
    rows = users.to_pylist()
    late = [row for row in rows if row["user_id"] and not row["opted_out"]][:: _ROWS_A_FAULT // 4]
    out = io.StringIO()
    sheet = csv.DictWriter(out, users.column_names, delimiter=";", lineterminator="\n")
    sheet.writeheader()
    for place, row in enumerate(rows):
        word = _YES[place % len(_YES)] if row["opted_out"] else _NO[place % len(_NO)]
        sheet.writerow(row | {"opted_out": word})
    sheet.writerows([row | {"opted_out": "yes"} for row in late])
    what = f"{len(late)} users twice, who opted out in their second row"
    return File("users/users (export).csv", what, "users", rows=len(rows) + len(late)), out.getvalue().encode()


_BESIDE: tuple[Written, ...] = (
    (File("interactions/_SUCCESS", "the mark of a finished job, empty"), b""),
    (File("interactions/.events.csv.crc", "a hidden file"), b"crc\0\0\2\0"),
    (File("interactions/README.md", "a document"), b"# Events\n\nOne file for each system.\n"),
    (File("interactions/notes.txt", "a text that is no table"), b"Ask the shop about July.\nThe clock was wrong.\n"),
    (File("interactions/nothing.csv", "an empty file"), b""),
)
