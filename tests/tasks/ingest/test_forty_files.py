"""Forty odd files: each is read, to the row, or refused in a sentence that says what to do. Nothing between."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.raw import ingest, read

pytestmark = pytest.mark.slow

CUTOFF, NOW = datetime(2026, 7, 22, tzinfo=UTC), datetime(2026, 7, 23, tzinfo=UTC)
COLUMNS = ["user_id", "item_id", "timestamp"]
HEADER = ",".join(COLUMNS) + "\n"
TEN = "2026-07-20 10:00:00"
Row = tuple[str | None, str | None, str | None]
ONE: list[Row] = [("u1", "i1", TEN)]
TWO: list[Row] = [*ONE, ("u2", "i2", "2026-07-20 11:30:00")]
DAYS: list[Row] = [("u1", "i1", "2026-07-20 00:00:00"), ("u2", "i2", "2026-07-21 00:00:00")]
ISO = "u1,i1,2026-07-20T10:00:00Z\nu2,i2,2026-07-20T11:30:00Z\n"
EPOCH = 1_784_541_600  # TEN
MULTIPLES = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Odd:
    """Files, by name, with the rows that are read of them (and how many lines are no rows), or words of the refusal."""

    files: dict[str, bytes]
    rows: list[Row] = field(default_factory=list)
    rejects: int = 0
    says: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def text(name: str, contents: str, rows: list[Row] = TWO, written: str = "utf-8", **settings: Any) -> Odd:
    return Odd({name: contents.encode(written)}, rows, settings=settings)


def at(*times: str) -> str:
    return HEADER + "".join(f"u{place},i{place},{time}\n" for place, time in enumerate(times, 1))


def refused(contents: str | bytes, *says: str, name: str = "log.csv", **settings: Any) -> Odd:
    data = contents if isinstance(contents, bytes) else contents.encode()
    return Odd({name: data}, says=(name, *says), settings=settings)


def parquet(name: str, rows: list[Row] = TWO, **columns: pa.Array) -> Odd:
    times = pa.array([datetime.fromisoformat(time or "").replace(tzinfo=UTC) for _, _, time in TWO])
    out = io.BytesIO()
    pq.write_table(pa.table({"user_id": ["u1", "u2"], "item_id": ["i1", "i2"], "timestamp": times} | columns), out)
    return Odd({name: out.getvalue()}, rows)


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, HEADER + ISO)
    return out.getvalue()


def flipped(contents: bytes) -> bytes:
    data = bytearray(contents)
    data[-6] ^= 255  # in the checksum
    return bytes(data)


def lines(*objects: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def json_row(place: int, time: str | int) -> dict[str, Any]:
    return {"user_id": f"u{place}", "item_id": f"i{place}", "timestamp": time}


def item_ids(*values: Any) -> list[Row]:
    return [("u1", values[0], TEN), ("u2", values[1], "2026-07-20 11:30:00")]


BOTH = ("2026-07-20T10:00:00Z", "2026-07-20T11:30:00Z")
CSV = (HEADER + ISO).encode()
READ = {
    "offsets": text("offsets.csv", at("2026-07-20T12:00:00+02:00", "2026-07-20 17:00:00+0530")),
    "zones of the IANA database": text(
        "zones.csv", at("2026-07-20 12:00:00 Europe/Berlin", "2026-07-20 07:30:00 America/New_York")
    ),
    "no zone": text("naive.csv", at("2026-07-20 10:00:00", "2026-07-20T11:30")),
    "dates": text("dates.csv", at("2026-07-20", "2026-07-21"), DAYS),
    "compact times": text("compact.csv", at("20260720100000", "20260720113000")),
    "compact dates": text("days.csv", at("20260720", "20260721"), DAYS),
    **{
        f"epoch {unit}": text(f"{unit}.csv", at(str(EPOCH * n), str((EPOCH + 5400) * n)))
        for unit, n in MULTIPLES.items()
    },
    "decimals of seconds": text("float.csv", at(f"{EPOCH}.0", f"{EPOCH + 5400}.0")),
    "an ending that is not known": text("b.txt", HEADER + ISO),
    "an ending of data": text("c.dat", HEADER + ISO),
    "no ending": text("part-00000", HEADER + ISO),
    "a byte order mark": text("mark.csv", HEADER + ISO, written="utf-8-sig"),
    "UTF-16": text("Unicode text.txt", (HEADER + ISO).replace(",", "\t").replace("\n", "\r\n"), written="utf-16"),
    "UTF-16 without a mark": text("wide.csv", HEADER + ISO, written="utf-16-le"),
    "bzip2": Odd({"log.csv.bz2": bz2.compress(CSV)}, TWO),
    "gzip": Odd({"log.csv.gz": gzip.compress(CSV)}, TWO),
    "xz": Odd({"log.csv.xz": lzma.compress(CSV)}, TWO),
    "Zstandard": Odd({"log.csv.zst": pa.compress(CSV, codec="zstd", asbytes=True)}, TWO),
    "gzip that is not named so": Odd({"plain.csv": gzip.compress(CSV)}, TWO),
    "zip": Odd({"log.zip": zipped("log.csv")}, TWO),
    "sep=;": text("sep.csv", "sep=;\n" + (HEADER + ISO).replace(",", ";")),
    **{
        f"columns parted by {mark!r}": text(f"{ord(mark[0])}.csv", (HEADER + ISO).replace(",", mark))
        for mark in ("\t", ";", "|", "^", "\x01", "::")
    },
    "columns parted by blanks": text("blanks.csv", (HEADER + ISO).replace(",", " ")),
    "columns parted by colons": text("colons.csv", f"user_id:item_id:timestamp\nu1:i1:{EPOCH}\nu2:i2:{EPOCH + 5400}\n"),
    "CR at the ends of lines": text("mac.csv", (HEADER + ISO).replace("\n", "\r")),
    "CRLF, and no last one": text("windows.csv", (HEADER + ISO).replace("\n", "\r\n").removesuffix("\r\n")),
    "ids with blanks": text(
        "padded.csv", f'{HEADER} u1,i1,{BOTH[0]}\n"u1 ",i1,{BOTH[0]}\n', [(" u1", "i1", TEN), ("u1 ", "i1", TEN)]
    ),
    "ids with leading zeros": text(
        "zeros.csv", f"{HEADER}007,010,{BOTH[0]}\n7,10,{BOTH[0]}\n", [("007", "010", TEN), ("7", "10", TEN)]
    ),
    "ids in scientific notation": text("e.csv", f"{HEADER}1e5,1E5,{BOTH[0]}\n", [("1e5", "1E5", TEN)]),
    "texts such as NULL": text("null.csv", f"{HEADER}NULL,NA,{BOTH[0]}\n", [("NULL", "NA", TEN)]),
    "quotes, commas and lines in a value": text(
        "quoted.csv", f'user_id,note,item_id,timestamp\n"u1","a ""b"",\nc",i1,{BOTH[0]}\nu2,,i2,{BOTH[1]}\n'
    ),
    "lines of other lengths": Odd({"ragged.csv": f"{HEADER}{ISO}u3\nu4,i4,{BOTH[0]},x\n".encode()}, TWO, rejects=2),
    "a line cut at its end": Odd({"cut.csv": f"{HEADER}{ISO}u3,i".encode()}, TWO, rejects=1),
    "a line that is not UTF-8": Odd({"latin.csv": f"{HEADER}{ISO}".encode() + b"\xe9,i3,2026-07-20\n"}, TWO, rejects=1),
    "words for a timestamp": text("words.csv", at(BOTH[0], "yesterday"), [ONE[0], ("u2", "i2", None)]),
    "no timestamp": text("empty.csv", at(BOTH[0], ""), [ONE[0], ("u2", "i2", None)]),
    "a column that nothing uses": text(
        "extra.csv", f"item_id,x,user_id,timestamp\ni1,,u1,{BOTH[0]}\ni2,5,u2,{BOTH[1]}\n"
    ),
    "JSON lines": text("log.jsonl", lines(*(json_row(place, time) for place, time in enumerate(BOTH, 1)))),
    "a JSON array": text("array.json", json.dumps([json_row(1, EPOCH)], indent=2), ONE),
    "a JSON line that is none": Odd(
        {"odd.jsonl": f'{lines(json_row(1, EPOCH))}{{"user_id":"u2\n'.encode()}, ONE, rejects=1
    ),
    "decimals in Parquet": parquet(
        "decimals.parquet", item_ids("7", "12345678901"), item_id=pa.array([7, 12345678901]).cast(pa.decimal128(20, 0))
    ),
    "unsigned 64 bits in Parquet": parquet(
        "uint64.parquet", item_ids("1", "18446744073709551615"), item_id=pa.array([1, 2**64 - 1], pa.uint64())
    ),
    "a dictionary in Parquet": parquet("dictionary.parquet", item_id=pa.array(["i1", "i2"]).dictionary_encode()),
    "large strings in Parquet": parquet("large.parq", item_id=pa.array(["i1", "i2"], pa.large_string())),
    "binary in Parquet": parquet("binary.pq", item_id=pa.array([b"i1", b"i2"], pa.binary())),
    "a column `user_id!` beside `user_id`": parquet("[marked].parquet", **{"user_id!": pa.array(["901", "902"])}),
    "a name that is a pattern": parquet("log*.parquet"),
    "a name with blanks and quotes": text("it's \"here\" #1 100%.csv", HEADER + ISO),
}  # fmt: skip
NAMES = ("a.csv", "b.txt", "c.dat", "d.data", "part-00000", "events")
SET = {
    "a header that is given": text(
        "8.csv",
        f"8,3,{EPOCH}\n9,3,{EPOCH}\n",
        [("8", "3", TEN), ("9", "3", TEN)],
        header=["user_id", "item_id", "timestamp"],
    ),
    "an encoding that is given": text(
        "latin-1.csv", f"{HEADER}café,i1,{BOTH[0]}\n", [("café", "i1", TEN)], "latin-1", encoding="latin-1"
    ),
    "a delimiter that is given": text("at.csv", (HEADER + ISO).replace(",", "@"), delimiter="@"),
    "quotes that are text": text(
        "inches.csv", f'{HEADER}"u1,5" disk,{BOTH[0]}\n', [('"u1', '5" disk', TEN)], quote=None
    ),
    "a zone that is given": text("berlin.csv", at("2026-07-20 12:00:00"), ONE, timezone="Europe/Berlin"),
    "a unit that is given": text("ms.csv", at("1000"), [("u1", "i1", "1970-01-01 00:16:40")], timestamp_unit="s"),
    "a form that is given": text("german.csv", at("20.07.2026 10:00"), ONE, timestamp_format="%d.%m.%Y %H:%M"),
    "texts that are missing values": text(
        "dash.csv", f"{HEADER}NULL,i1,{BOTH[0]}\n-,i1,{BOTH[0]}\n", [(None, "i1", TEN)] * 2, missing=["NULL", "-"]
    ),
    "lists that are exploded": text(
        "lists.jsonl",
        lines({"user_id": "u1", "item_id": ["i2", "i9"], "timestamp": EPOCH}),
        [("u1", "i2", TEN), ("u1", "i9", TEN)],
        explode=True,
    ),
    "files in several forms": Odd(
        {"log/1.csv": at(BOTH[0]).encode(), "log/2.csv": f"{HEADER}u2,i2,{EPOCH + 5400}\n".encode()}, TWO
    ),
    "a column that a part lacks": Odd(
        {
            "log/2026-01.csv": at(BOTH[0]).encode(),
            "log/2026-02.csv": f"user_id,item_id,timestamp,event\nu2,i2,{BOTH[1]},view\n".encode(),
        },
        TWO,
    ),
    "a folder of all endings": Odd(
        {f"log/{name}": f"{HEADER}{name},i1,{BOTH[0]}\n".encode() for name in NAMES}
        | {"log/_SUCCESS": b"", "log/.a.csv.crc": b"crc", "log/README.md": b"# Log", "log/nothing.csv": b""},
        [(name, "i1", TEN) for name in NAMES],
    ),
}
REFUSED = {
    **{
        f"the abbreviation {zone}": refused(at(f"2026-07-20 10:00:00 {zone}"), f"'{zone}'", "timezone = ")
        for zone in ("BST", "AST", "SST", "CST", "EST", "PST", "EDT", "PDT", "CEST", "MSK", "AEST", "IST")
    },
    "a zone that is not known": refused(at("2026-07-20 10:00:00 Europe/Atlantis"), "Europe/Atlantis"),
    "month and day": refused(at("07/08/2026 10:00"), "07/08/2026", "timestamp_format"),
    "the day first": refused(at("20.07.2026 10:00"), "timestamp_format", "%d.%m.%Y %H:%M"),
    "a clock of twelve hours": refused(at("2026-07-20 10:00 PM"), "10:00 PM", "timestamp_format"),
    "times without a day": refused(at("10:00:00"), "10:00:00"),
    "days of a spreadsheet": refused(at("46000.5"), "46000.5", "spreadsheet"),
    "a file of two forms": refused(at(BOTH[0], str(EPOCH)), BOTH[0], str(EPOCH)),
    "a file of two units": refused(at(f"{EPOCH}", f"{EPOCH}000"), f"{EPOCH}", "milliseconds", "timestamp_unit"),
    "no header": refused(f"8,3,{EPOCH}\n9,3,{EPOCH}\n", "header", "--header user_id,item_id,timestamp"),
    "a column that is named twice": refused(
        f"user_id,item_id,timestamp,user_id\nu1,i1,{BOTH[0]},u2\n", "user_id", "more than once"
    ),
    "no column for the user": refused(
        f"customer,item_id,timestamp\nu1,i1,{BOTH[0]}\n", "user_id", "customer", "--columns"
    ),
    "lists": refused(lines(json_row(1, EPOCH) | {"item_id": ["i2", "i9"]}), '["i2","i9"]', "explode = true"),
    "objects": refused(lines(json_row(1, EPOCH) | {"user_id": {"id": "u7"}}), '{"id":"u7"}', "the field 'id'"),
    "inexact numbers": refused(lines(json_row(1, EPOCH) | {"user_id": 1e300}), "inexact"),
    "a quote that swallows lines": refused(
        f'{HEADER}u1,"i1,{BOTH[0]}\nu2,i2,{BOTH[1]}\nu3,i3",{BOTH[0]}\n', "--quote none"
    ),
    "a header that is not UTF-8": refused(
        f"user_id,item_id,timestamp,größe\nu1,i1,{BOTH[0]},3\n".encode("latin-1"), "line 1", "--encoding latin-1"
    ),
    "a flipped byte": refused(flipped(gzip.compress(CSV)), "gzip", name="log.csv.gz"),
    "a file cut in its packing": refused(gzip.compress(CSV)[:-9], "gzip", name="log.csv.gz"),
    "an archive of several files": refused(zipped("a.csv", "b.csv"), "2 files (a.csv, b.csv)", name="log.zip"),
    "a spreadsheet": refused(zipped("[Content_Types].xml"), "Excel", "CSV", name="log.xlsx"),
    "a web page": refused("<!DOCTYPE html>\n<html></html>\n", "web page"),
    "an empty file": refused("", "empty"),
    "a header alone": refused(HEADER, "no rows"),
    "a damaged Parquet file": refused(parquet("x").files["x"][:-20], "cannot be read", name="log.parquet"),
    "all in the future": refused(at("2026-07-22T10:00:00Z"), "cutoff", "--date"),
}  # fmt: skip


def given(folder: Path, odd: Odd) -> TableInput:
    """The files, written; their folder is given where they are several."""
    for name, contents in odd.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(contents)
    name = next(iter(odd.files))
    return TableInput(path=str(folder / name if len(odd.files) == 1 else (folder / name).parent), **odd.settings)


def rows_of(out: Path) -> Counter[Row]:
    log = read(out)
    times = [time and f"{time:%Y-%m-%d %H:%M:%S}" for time in log["timestamp"].to_pylist()]
    users, items = (log[key].cast(pa.string()).to_pylist() for key in ("user_id", "item_id"))
    return Counter(zip(users, items, times, strict=True))


@pytest.mark.parametrize("odd", (READ | SET).values(), ids=(READ | SET).keys())
def test_an_odd_file_is_read_to_the_row(tmp_path: Path, odd: Odd) -> None:
    summary, out = ingest(tmp_path, given(tmp_path, odd), CUTOFF, NOW)
    assert rows_of(out) == Counter(odd.rows)
    assert summary["rejects"] == odd.rejects


@pytest.mark.parametrize("odd", REFUSED.values(), ids=REFUSED.keys())
def test_what_could_only_be_guessed_is_refused_in_one_sentence(tmp_path: Path, odd: Odd) -> None:
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, given(tmp_path, odd), CUTOFF, NOW)
    sentence = str(refused.value)
    assert [words for words in odd.says if words not in sentence] == [], sentence
    assert "\n" not in sentence


@pytest.mark.slow
def test_all_that_are_read_stand_in_one_folder_and_every_row_is_there(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    for place, odd in enumerate(READ.values()):
        for name, contents in odd.files.items():
            (tmp_path / "all" / f"{place} {name}").write_bytes(contents)
    assert len(list((tmp_path / "all").iterdir())) >= 40
    summary, out = ingest(tmp_path, TableInput(path=str(tmp_path / "all")), CUTOFF, NOW)
    assert rows_of(out) == sum((Counter(odd.rows) for odd in READ.values()), Counter())
    assert summary["rejects"] == sum(odd.rejects for odd in READ.values())
    rejected = Counter(Path(path).name for path in read(out, "rejects")["source_file"].to_pylist())
    assert sum(rejected.values()) == summary["rejects"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"timezone": "posixrules"}, "time zone 'posixrules'"),
        ({"timezone": "EST"}, "time zone 'EST'"),
        ({"encoding": "utf-7"}, "unknown encoding 'utf-7'"),
        ({"delimiter": ";", "quote": ";"}, "both ;"),
        ({"timestamp_format": "%d %H:%M"}, "no whole day"),
    ],
)
def test_settings_that_would_guess_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TableInput(path="log.csv", **settings)
