"""Small logs that must be refused, in one sentence: each could only be read by a guess, or is damaged."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator

from recmodels.demo.dirt import File, Written

_HEADER = "user_id,item_id,timestamp"


def files() -> Iterator[Written]:
    """The files, each with words that its refusal must have."""
    for name, (what, contents, *says) in _TEXTS.items():
        yield File(f"refused/{name}", what, says=tuple(says)), contents.encode()
    packed = bytearray(gzip.compress(f"{_HEADER}\n".encode() + b"u1,i1,2026-07-20T10:00:00Z\n" * 500, mtime=0))
    packed[len(packed) // 2] ^= 255
    yield File("refused/damaged.csv.gz", "a flipped byte", says=("gzip",)), bytes(packed)
    latin = f"{_HEADER},größe\nu1,i1,2026-07-20T10:00:00Z,3\n".encode("latin-1")
    yield File("refused/latin-1.csv", "a header that is not UTF-8", says=("not UTF-8", "encoding")), latin
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("[Content_Types].xml", (2026, 1, 1, 0, 0, 0)), b"<Types/>")
    yield File("refused/workbook.xlsx", "a spreadsheet", says=("Excel", "CSV")), out.getvalue()


def _log(*times: str) -> str:
    return f"{_HEADER}\n" + "".join(f"u{place},i1,{time}\n" for place, time in enumerate(times, 1))


_TEXTS: dict[str, tuple[str, ...]] = {
    "abbreviation.csv": ("a time zone with more than one meaning", _log("2026-07-20 10:00:00 BST"), "BST", "timezone"),
    "month-first.csv": (
        "month and day that could be each other", _log("07/08/2026 10:00"), "07/08/2026", "timestamp_format"
    ),
    "half-day.csv": ("a clock of twelve hours", _log("2026-07-20 10:00 PM"), "10:00 PM", "timestamp_format"),
    "no-day.csv": ("times without a day", _log("10:00:00", "11:30:00"), "10:00:00"),
    "day-numbers.csv": ("a spreadsheet's day numbers", _log("46000.5", "46001.25"), "46000.5", "spreadsheet"),
    "two-forms.csv": (
        "two forms of timestamps in one file", _log("2026-07-20T10:00:00Z", "1784541600"),
        "2026-07-20T10:00:00Z", "1784541600",
    ),
    "no-header.csv": ("no header", "8,3,1771903479\n8,5,1771903480\n9,3,1771903481\n", "header"),
    "twice.csv": (
        "a column that is named twice", "user_id,item_id,timestamp,user_id\nu1,i1,2026-07-20,u2\n",
        "user_id", "more than once",
    ),
    "lists.jsonl": (
        "lists of items", '{"user_id": "u1", "item_id": ["i2", "i9"], "timestamp": "2026-07-20T10:00:00Z"}\n', "explode"
    ),
    "objects.jsonl": (
        "an object for an id", '{"user_id": {"id": "u7"}, "item_id": "i1", "timestamp": "2026-07-20T10:00:00Z"}\n',
        "'id'",
    ),
    "page.csv": ("a web page", "<!DOCTYPE html>\n<html><body>Please log in</body></html>\n", "web page"),
}  # fmt: skip
