"""Packed files: whatever they are packed with, the same rows; damaged ones are refused in one sentence."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused, NightrecError
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.packing import PACKINGS, chunks, extension, look
from tests.tasks.packed import arrow, arrow_file, avro_file, orc_file, parquet, zipped
from tests.tasks.raw import CSV, column, ingest, read, write

LONG = "user_id,item_id,timestamp\n" + "".join(f"{i},{i % 7},2023-01-01\n" for i in range(500))


PACK = {
    "gzip": lambda contents: gzip.compress(contents, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda contents: arrow("zstd", contents),
    "lz4": lambda contents: arrow("lz4", contents),
    "zip": lambda contents: zipped({"data/log.csv": contents, "README.md": b"of the data", "__MACOSX/._log.csv": b"x"}),
}


def test_every_way_to_pack_is_tried() -> None:
    assert set(PACK) == {packing.name for packing in PACKINGS}


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("ending", [".csv", ".txt", ""])
def test_packed_files_have_the_same_rows(tmp_path: Path, name: str, ending: str) -> None:
    log = write(tmp_path / f"log{ending}", PACK[name](CSV.encode()))
    summary, out = ingest(tmp_path, log)
    assert (summary["rows"], summary["rejects"], summary["notes"]) == (2, 0, [])
    assert column(out, "user_id") == [1, 2]
    assert column(out, "source_row") == [2, 3]
    assert set(column(out, "source_file")) == {log.path}


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("of several members", gzip.compress(CSV[:30].encode()) + gzip.compress(CSV[30:].encode())),
        ("of a member a byte", b"".join(gzip.compress(bytes([byte])) for byte in CSV.encode()) + gzip.compress(b"")),
        ("with zeros at its end.gz", gzip.compress(CSV.encode()) + bytes(50)),
        ("twice.csv.bz2.gz", gzip.compress(bz2.compress(CSV.encode()))),
        ("twice.csv.gz.gz", gzip.compress(gzip.compress(CSV.encode()))),
        ("frames.zst", arrow("zstd", CSV[:30].encode()) + arrow("zstd", CSV[30:].encode())),
        ("streams.bz2", bz2.compress(CSV[:30].encode()) + bz2.compress(CSV[30:].encode())),
        ("log.parquet.gz", gzip.compress(parquet())),
        ("parquet.zip", zipped({"part-0": parquet()})),
        ("part-00000", parquet()),
        ("log.orc", orc_file()),
        ("log.feather", arrow_file()),
        ("log.arrow.zst", arrow("zstd", arrow_file())),
        ("log.avro", avro_file(codec="deflate")),
        ("part-0.gz", gzip.compress(avro_file())),
        ("log.orc.bz2", bz2.compress(orc_file())),
    ],
)
def test_what_lies_within_is_found(tmp_path: Path, name: str, contents: bytes) -> None:
    _, out = ingest(tmp_path, write(tmp_path / name, contents))
    assert read(out).select(["user_id", "item_id", "rating"]).to_pylist() == [
        {"user_id": 1, "item_id": 10, "rating": 4.5},
        {"user_id": 2, "item_id": 20, "rating": 3.0},
    ]


def _encrypted() -> bytes:
    contents = bytearray(zipped({"log.csv": CSV.encode()}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        contents[contents.index(signature) + at] |= 1
    return bytes(contents)


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (
            zipped({"a.csv": b"x", "b.csv": b"y"}),
            "is a zip archive with 2 files (a.csv, b.csv); unpack it and give the folder or the file.",
        ),
        (
            zipped({"README.txt": b"x"}),
            "is a zip archive with no data file; unpack it and give the folder or the file.",
        ),
        (_encrypted(), "is a zip archive with a password; unpack it and give the file."),
        (
            zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}),
            "is an Office document, such as an Excel workbook (.xlsx); "
            "save the sheet as CSV (UTF-8) and give that file.",
        ),
        (
            zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}),
            "is an OpenDocument file, such as a spreadsheet (.ods); save the sheet as CSV (UTF-8) and give that file.",
        ),
    ],
)
def test_an_archive_that_is_no_one_table_is_refused(tmp_path: Path, contents: bytes, sentence: str) -> None:
    log = write(tmp_path / "log.zip", contents)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, log)
    assert str(refused.value) == f"{log.path} {sentence}"


def test_nothing_is_written_under_a_name_from_an_archive(tmp_path: Path) -> None:
    log = write(tmp_path / "log.zip", zipped({"../../evil.csv": CSV.encode()}))
    _, out = ingest(tmp_path, log)
    assert column(out, "user_id") == [1, 2]
    assert not list(tmp_path.rglob("evil*")) + list(tmp_path.parent.parent.glob("evil*"))


MANY = pa.table({"user_id": range(500), "item_id": range(500), "timestamp": range(500)})
DAMAGED = {
    **{name: (f"log.csv.{name}", pack(LONG.encode())) for name, pack in PACK.items()},
    "parquet": ("log.parquet", parquet(MANY)),
    "orc": ("log.orc", orc_file(MANY)),
    "arrow": ("log.arrow", arrow_file(MANY)),
    "avro": ("log.avro", avro_file(codec="deflate")),
}
CHECKED = ("gzip", "bzip2", "xz", "zip")  # with sums that find every change


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGED)
@settings(max_examples=25)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    name, whole = DAMAGED[kind]
    damaged = bytearray(whole)
    if data.draw(st.booleans(), "cut"):
        del damaged[data.draw(st.integers(0, len(whole) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    folder = tmp_path_factory.mktemp("damaged")
    log = write(folder / name, bytes(damaged))
    try:
        _, out = ingest(folder, log)
    except NightrecError as refused:
        assert "\n" not in str(refused)
        assert "Traceback" not in str(refused)
    else:
        assert kind not in CHECKED or column(out, "user_id") == list(range(500))


@pytest.mark.parametrize("name", CHECKED)
def test_a_file_that_was_cut_short_says_so(tmp_path: Path, name: str) -> None:
    whole = PACK[name](LONG.encode())
    log = write(tmp_path / "log.csv.x", whole[: len(whole) - 9])
    with pytest.raises(DataRefused, match=rf"log.csv.x is not a whole {name} file \(.*\); copy or write it again\.$"):
        ingest(tmp_path, log)


def test_contents_pass_in_pieces(tmp_path: Path) -> None:
    log = write(tmp_path / "zeros.csv.gz", gzip.compress(bytes(5 << 20)))
    assert max(len(chunk) for chunk in chunks(Path(log.path))) <= 1 << 20


def test_an_extension_lies_below_that_of_the_packing() -> None:
    assert [extension(Path(name)) for name in ("a.CSV.GZ", "b.jsonl.zst", "c.parquet", "part-0", "d.tar.gz")] == [
        *(".csv", ".jsonl", ".parquet", "", ".tar")
    ]
    assert TableInput(path="a").format == "auto"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FileNotFoundError(2, "gone"), "is gone; it disappeared while the files were read."),
        (PermissionError(13, "no"), "may not be read by this user; change its permissions."),
        (OSError(5, "Input/output error"), "cannot be read ([Errno 5] Input/output error); copy or write it again."),
    ],
)
def test_a_file_that_cannot_be_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, sentence: str
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", failing)
    for read_it in (lambda path: look(path, 9), lambda path: next(chunks(path))):
        with pytest.raises(DataRefused) as refused:
            read_it(tmp_path / "log.csv")
        assert str(refused.value) == f"{tmp_path}/log.csv {sentence}"
