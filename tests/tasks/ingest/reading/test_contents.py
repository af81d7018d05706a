"""What files hold, in whatever encoding, and what those are that are no data."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading.contents import UNREAD, contents, encoding_of
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.packed import parquet
from tests.tasks.raw import CSV, HEADER, ROWS, column, ingest, read, write

pytestmark = pytest.mark.slow

JSON_LINES = [f'{{"user_id": {user}, "item_id": {item}, "timestamp": "{when}"}}' for user, item, when, _ in ROWS]
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")


def ids_of(folder: Path, table: TableInput) -> dict[str, list[tuple[int, int]]]:
    """The users and lines of the rows of each file of a table, by its name."""
    _, out = ingest(folder, table)
    found = dict[str, list[tuple[int, int]]]()
    for row in read(out).select(["source_file", "user_id", "source_row"]).to_pylist():
        found.setdefault(Path(row["source_file"]).name, []).append((row["user_id"], row["source_row"]))
    return found


@pytest.mark.parametrize("given", ["utf-8", "utf-16", "latin-1"])
@pytest.mark.parametrize("form", ["csv", "tabs", "json"])
def test_an_encoding_that_a_mark_or_the_bytes_tell_is_found(tmp_path: Path, given: str, form: str) -> None:
    text = {"csv": CSV, "tabs": CSV.replace(",", "\t").replace("\n", "\r\n"), "json": "\n".join(JSON_LINES)}[form]
    folder = tmp_path / "log"
    folder.mkdir()
    names = [f"{encoding}.txt" for encoding in (*WIDE, "utf-8-sig")]
    for name in names:
        write(folder / name, text.encode(name.removesuffix(".txt")))
    rows = [(1, 1), (2, 2)] if form == "json" else [(1, 2), (2, 3)]
    assert ids_of(tmp_path, TableInput(path=str(folder), encoding=given)) == dict.fromkeys(sorted(names), rows)


@pytest.mark.parametrize("text", [CSV, "юзер,item_id\nю,ж\n" * 9, "id\n" * 9])
def test_plain_text_is_taken_for_what_is_given(text: str) -> None:
    for encoding in ("utf-8", "cp1251", "shift_jis"):
        assert encoding_of(text.encode(encoding), encoding) == encoding


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_mark_is_no_part_of_the_first_value(tmp_path: Path, header: bool, packed: type[bytes]) -> None:
    text = HEADER * header + "u1,i1,2023-01-01\n"
    path = str(tmp_path / "log.csv")
    Path(path).write_bytes(packed(codecs.BOM_UTF8 + text.encode()))
    names = None if header else ["user_id", "item_id", "timestamp"]
    _, out = ingest(tmp_path, TableInput(path=path, header=names))
    assert column(out, "user_id") == ["u1"]


def test_text_without_a_mark_is_read_in_the_encoding_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("юзер,штука,время\nю,ж,2023-01-01\n".encode("utf-16-be"))
    names: dict[str, str | list[str]] = {"user_id": "юзер", "item_id": "штука", "timestamp": "время"}
    with pytest.raises(DataRefused, match=r"is binary and of no known kind; .* or name the encoding if it is text"):
        ingest(tmp_path, TableInput(path=str(path), columns=names))
    _, out = ingest(tmp_path, TableInput(path=str(path), columns=names, encoding="utf-16-be"))
    assert (column(out, "user_id"), column(out, "item_id")) == (["ю"], ["ж"])


NAME_IT = 'name it (encoding = "latin-1" or --encoding latin-1, for example), or repair it.'


@pytest.mark.parametrize(
    ("contents", "encoding", "sentence"),
    [
        (
            "user_id,item_id,timestamp,été\n1,2,2023-01-01,x\n".encode("latin-1"),
            "utf-8",
            f"line 1: the text is not UTF-8; if it is of another encoding, {NAME_IT}",
        ),
        (
            CSV.encode("utf-16")[:-1],
            "utf-8",
            f"line 3: the text is not utf-16 (truncated data); if it is of another encoding, {NAME_IT}",
        ),
        (
            CSV.encode("utf-16") + b"\0\xd8\0\xd8",
            "utf-8",
            f"line 4: the text is not utf-16 (illegal UTF-16 surrogate); if it is of another encoding, {NAME_IT}",
        ),
        (
            (HEADER + "1,").encode() + b"\xff,2023-01-01\n",
            "shift_jis",
            f"line 2: the text is not shift_jis (illegal multibyte sequence); if it is of another encoding, {NAME_IT}",
        ),
    ],
)
def test_text_of_another_encoding_is_refused(tmp_path: Path, contents: bytes, encoding: str, sentence: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(contents)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, TableInput(path=str(path), encoding=encoding))
    assert str(refused.value) == f"{path}, {sentence}"


def test_lines_of_another_encoding_keep_their_bytes(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", (HEADER + "1,2,2023-01-01\n3,café,2023-01-01\r\n").encode("latin-1"))
    summary, out = ingest(tmp_path, log)
    (reject,) = read(out, "rejects").to_pylist()
    assert (reject["source_row"], reject["reason"], reject["text"]) == (3, "not valid UTF-8", r"3,caf\xe9,2023-01-01")
    assert summary["notes"] == [
        "interactions: log.csv: 1 of its lines are no UTF-8; if it is of another encoding, "
        'name it (encoding = "latin-1" or --encoding latin-1, for example)'
    ]


LAID_OUT = [
    (f"[{','.join(JSON_LINES)}]", [1, 2]),
    ("[\n" + ",\n".join(JSON_LINES) + "\n]\n", [1, 2]),
    ("[" + ",".join(JSON_LINES).replace(",", ",\r\n  ") + "]", [1, 2]),
    ("\n".join(JSON_LINES).replace(",", ",\n  "), [1, 2]),
    (f"\n\n{JSON_LINES[0]}\n\n{JSON_LINES[1]}", [3, 5]),
    (f'{{"not": whole\n{JSON_LINES[0]}\n{JSON_LINES[1]}', [2, 3]),
]


@pytest.mark.parametrize("ending", [".json", ".txt", ".csv", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_however_it_is_laid_out(tmp_path: Path, ending: str, encoding: str) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    expected = {}
    for place, (laid_out, rows) in enumerate(LAID_OUT):
        if ending == ".csv" and "not" in laid_out:
            continue  # the first line is no JSON, and so the name decides
        write(folder / f"{place}{ending}", laid_out.encode(encoding))
        expected[f"{place}{ending}"] = [(1, rows[0]), (2, rows[1])]
    assert ids_of(tmp_path, TableInput(path=str(folder))) == expected


def test_values_of_a_json_array_stay_as_they_are_written(tmp_path: Path) -> None:
    objects = (
        '[{"user_id": 123456789012345678901234567890, "item_id": "a\\nb\u2028\\u00e9", "timestamp": "2023-01-01"}]'
    )
    _, out = ingest(tmp_path, write(tmp_path / "log.json", objects))
    assert (column(out, "user_id"), column(out, "item_id")) == (["123456789012345678901234567890"], ["a\nb\u2028é"])


@pytest.mark.parametrize(
    ("name", "contents", "sentence"),
    [
        ("a.csv", b"<!DOCTYPE html><html>", "is a web page (HTML); download the file of data itself."),
        ("a.xml", b"<?xml version='1.0'?>", "is an XML file; export the table as CSV or Parquet and give that file."),
        (
            "a.parquet",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "is a Git LFS pointer and not the data; fetch the file with 'git lfs pull'.",
        ),
        ("a.parquet", b"hello", "is named as a Parquet file and is none; copy or write it again, or set format to "),
        ("a.csv", bytes(range(256)) * 20, "is binary and of no known kind; "),
        ("a.csv", bytes(5000), "is binary and of no known kind; "),
    ],
)  # fmt: skip
def test_what_is_no_data_is_called_by_its_name(tmp_path: Path, name: str, contents: bytes, sentence: str) -> None:
    log = write(tmp_path / name, contents)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, log)
    assert str(refused.value).startswith(f"{log.path} {sentence}")


@pytest.mark.parametrize("kind", UNREAD, ids=lambda kind: kind.what)
def test_every_known_kind_is_refused_with_what_to_do(tmp_path: Path, kind: object) -> None:
    assert kind in UNREAD
    known = next(other for other in UNREAD if other == kind)
    log = write(tmp_path / "log.csv", b"\0" * known.at + known.magic + b"\0\x01\x02" * 99)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, log)
    assert str(refused.value) == f"{log.path} is {known.what}; {known.advice}."


@pytest.mark.parametrize("first", ["ORCID", "user_id,DUCK", "PAR1", "GIF8", "RDX", "PARE"])
def test_text_that_begins_as_a_binary_file_does_is_text(tmp_path: Path, first: str) -> None:
    log = write(tmp_path / "log.csv", f"{first},{CSV}")
    assert contents(Path(log.path), log).format == "csv"


@pytest.mark.parametrize(
    ("made", "claimed", "sentence"),
    [
        (CSV.encode(), "parquet", "is a text file, and its format is set to 'parquet'; leave the format out."),
        (parquet(), "csv", "is a Parquet file, and its format is set to 'csv'; leave the format out."),
    ],
)  # fmt: skip
def test_a_format_that_is_not_that_of_the_file_is_refused(
    tmp_path: Path, made: bytes, claimed: str, sentence: str
) -> None:
    (tmp_path / "log").write_bytes(made)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, TableInput.model_validate({"path": str(tmp_path / "log"), "format": claimed}))
    assert str(refused.value) == f"{tmp_path}/log {sentence}"
