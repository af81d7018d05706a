"""Which files a table names, whatever they are called, and what is said of the others."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.files import check_inputs, find, input_fingerprint, refuse_changed, resolve
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.left_out import HIDDEN
from tests.tasks.packed import parquet, zipped
from tests.tasks.raw import CSV, column, ingest, read, write

NOBODY = 65534


def test_a_folder_and_a_glob_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    write(folder / "b.csv", "user_id,item_id,timestamp\n2,1,2023-01-01\n")
    write(folder / "a.csv", "item_id,timestamp,user_id\n1,2023-01-01,1\n")  # another order of columns
    write(folder / "README.md", "not data")
    write(folder / "_SUCCESS.csv", "")
    write(folder / "c.jsonl", '{"user_id": 3, "item_id": 1, "timestamp": "2023-01-01", "rating": 2}\n')
    _, whole = ingest(tmp_path, TableInput(path=str(folder)))
    assert column(whole, "user_id") == [1, 2, 3]
    assert column(whole, "rating") == [None, None, 2.0]
    _, some = ingest(tmp_path, TableInput(path=str(folder / "*.csv")))
    assert column(some, "user_id") == [1, 2]


def test_the_fingerprint_names_each_file_that_is_read(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", CSV)
    (entry,) = input_fingerprint(Inputs(interactions=log))
    stat = (tmp_path / "log.csv").stat()
    assert entry == {"path": str(tmp_path / "log.csv"), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def test_a_folder_without_data_files_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(
        ConfigError,
        match=r"has no data files \(there is README.md: a document by its name\); give a folder with .csv, ",
    ):
        input_fingerprint(Inputs(interactions=TableInput(path=str(tmp_path))))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("{folder}/missing.csv", "items: there is no file or folder '{folder}/missing.csv'; check the path."),
        ("{folder}/no*.csv", "items: no file matches '{folder}/no*.csv'; check the pattern."),
        (
            "https://host/items.csv",
            "items: 'https://host/items.csv' is not on this machine; copy it here and give the local path.",
        ),
    ],
)
def test_inputs_are_checked_without_being_read(tmp_path: Path, path: str, sentence: str) -> None:
    log = write(tmp_path / "log.csv", b"\x00 nothing that could be read")
    check_inputs(Inputs(interactions=log))
    with pytest.raises(ConfigError) as refused:
        check_inputs(Inputs(interactions=log, items=TableInput(path=path.format(folder=tmp_path))))
    assert str(refused.value) == sentence.format(folder=tmp_path)


def rows(user: int, n: int = 2) -> str:
    return "user_id,item_id,timestamp\n" + "".join(f"{user},{i},2023-01-01\n" for i in range(n))


@pytest.mark.parametrize("name", ["b.txt", "b.dat", "b.data", "part-00000", "b", "b.csv.bak", "b.LOG", "b c.x y"])
def test_a_file_of_a_folder_is_read_whatever_its_ending(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "log"
    (folder / "deep" / "er").mkdir(parents=True)
    write(folder / "a.csv", rows(1))
    write(folder / "deep" / "er" / name, rows(2, 28))
    summary, out = ingest(tmp_path, TableInput(path=str(folder)))
    assert summary["rows"] == 30
    assert set(column(out, "source_file")) == {str(folder / "a.csv"), str(folder / "deep" / "er" / name)}


def test_files_of_a_folder_that_are_not_read_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    write(folder / "a.csv", rows(1))
    for name in ("_SUCCESS", ".a.csv.crc", ".hidden.csv"):
        write(folder / name, rows(9))
    (folder / "_logs").mkdir()
    write(folder / "_logs" / "0.json", '{"user_id": 9}')
    write(folder / "README", rows(9))
    write(folder / "chart.png", b"\x89PNG\r\n\x1a\n\0\0")
    write(folder / "empty.dat", b"")
    write(folder / "letter.txt", "Dear colleague,\nhere is the data. It is big, wide, and deep,\nand yours.\nBye\n")
    write(folder / "sheet.xlsx", zipped({"[Content_Types].xml": b"<x/>"}))
    os.mkfifo(folder / "pipe")
    (folder / "same.csv").symlink_to("a.csv")
    (folder / "loop").symlink_to(".")
    table = TableInput(path=str(folder))
    summary, out = ingest(tmp_path, table)
    assert set(column(out, "user_id")) == {1}
    assert summary["notes"] == [
        "interactions: files that are not read: README (a document by its name); chart.png (an image (PNG)); "
        "letter.txt (its lines do not look like the rows of a table); pipe (a named pipe); "
        "same.csv (a link to a.csv, which is read itself) and 1 more",
        f"interactions: {folder}/empty.dat is empty",
    ]
    named = {skipped.path.name: skipped.reason for skipped in find("interactions", table).skipped}
    assert named["sheet.xlsx"] == "an Office document, such as an Excel workbook (.xlsx)"
    assert named["_SUCCESS"] == named["0.json"] == named[".hidden.csv"] == HIDDEN


def test_folders_that_are_links_are_read_once(tmp_path: Path) -> None:
    for day in ("2026-07-20", "2026-07-21"):
        (tmp_path / "log" / day).mkdir(parents=True)
        write(tmp_path / "log" / day / "a.csv", rows(int(day[-2:])))
    (tmp_path / "log" / "0-latest").symlink_to("2026-07-21")
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "b.csv", rows(1))
    (tmp_path / "log" / "more").symlink_to(tmp_path / "elsewhere")
    _, out = ingest(tmp_path, TableInput(path=str(tmp_path / "log")))
    assert column(out, "user_id") == [20, 20, 21, 21, 1, 1]


@pytest.mark.parametrize("broken", ["missing", "itself.csv"])
def test_a_link_to_nothing_is_refused(tmp_path: Path, broken: str) -> None:
    write(tmp_path / "a.csv", rows(1))
    (tmp_path / "itself.csv").symlink_to(broken)
    for path in (tmp_path, tmp_path / "itself.csv"):
        with pytest.raises(ConfigError, match=rf"itself.csv' is a link to '{broken}', which is not there; "):
            find("interactions", TableInput(path=str(path)))


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder of a user who is not root, who may read everything; the test runs as this user."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.geteuid()
        if before == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(before)


def test_a_file_that_may_not_be_read_is_refused(as_nobody: Path) -> None:
    log = write(as_nobody / "a", rows(1))
    (as_nobody / "a").chmod(0)
    for path in (log.path, str(as_nobody)):
        with pytest.raises(DataRefused, match="a may not be read by this user; change its permissions"):
            ingest(as_nobody, TableInput(path=path))


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_never_blocks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        server = socket.socket(socket.AF_UNIX)
        server.bind(os.path.relpath(path))
        server.close()
    with pytest.raises(ConfigError, match=f"log' is a .*{kind}, and a night reads its inputs more than once; write"):
        find("interactions", TableInput(path=str(path)))
    with pytest.raises(ConfigError, match=rf"has no data files \(there is log: a .*{kind}\)"):
        find("interactions", TableInput(path=str(tmp_path)))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "csv.gz", "csv.bz2"])
def test_names_are_literal(tmp_path: Path, ending: str) -> None:
    """Each character that a file system allows, beside the files that a pattern would match; of packed files and of
    other formats, which are named to DuckDB in the same way, those that mean something to it."""
    folder = tmp_path / "[a]*?{b,c}\\x"
    folder.mkdir()

    def contents(user: int) -> bytes:
        row = {"user_id": user, "item_id": 1, "timestamp": 1_672_531_200}  # the query for a number is a short one
        if ending == "jsonl":
            return json.dumps(row).encode()
        if ending == "parquet":
            return parquet(pa.Table.from_pylist([row]))
        packed = {"csv": bytes, "csv.gz": gzip.compress, "csv.bz2": bz2.compress}
        return packed[ending](f"{','.join(row)}\n{','.join(map(str, row.values()))}\n".encode())

    characters = list("'\"\n\\*?[]{}%$a\u2028é")
    if ending == "csv":
        characters = ["".join(map(chr, range(1, 32)))]  # in one name
        characters += [c for c in map(chr, range(32, 129)) if c != "/" and not c.isalnum()]
        characters += ["a", "\u2028", "\u202e", "é", "日", "😀"]
    names = [f"a{c}1.{ending}" for c in characters] + [
        *(f"a[1]{c}].{ending}" for c in "'\"\n\\*?[]{}"),
        *(f"{{a,b}}.{ending}", f"~.{ending}", f"a1.{ending}", f"ab.{ending}", f"-.{ending}", f" .{ending} "),
    ]
    for i, name in enumerate(names):
        write(folder / name, contents(i))
    _, out = ingest(tmp_path, TableInput(path=str(folder)))
    assert sorted(column(out, "user_id")) == list(range(len(names)))
    assert set(column(out, "source_file")) == {str(folder / name) for name in names}
    for name in [f"a[1]\\].{ending}", f"a*1.{ending}", f"a?1.{ending}"]:
        _, out = ingest(tmp_path, TableInput(path=str(folder / name)))
        assert column(out, "user_id") == [names.index(name)]


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.csv")).write_text(rows(1))
    with pytest.raises(ConfigError, match=r"a\\xff.csv' is not UTF-8; rename it"):
        find("interactions", TableInput(path=str(tmp_path)))


def test_a_path_may_be_written_in_many_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a b.csv", rows(7))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    url = (tmp_path / "a b.csv").as_uri()
    for path in (
        "a b.csv",
        "./a b.csv",
        "~/a b.csv",
        "a b.csv/",
        "~/a*.csv",
        url,
        url.replace("//", "//localhost"),
        "./",
    ):
        assert [file.resolve() for file in resolve("interactions", TableInput(path=path))] == [tmp_path / "a b.csv"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "the path is empty; give a file, a folder or a glob"),
        ("a\0b", r"'a\\x00b' is no path"),
        ("~nobody-of-this-name/a.csv", "there is no file or folder '~nobody-of-this-name/a.csv'"),
        ("x" * 300, "there is no file or folder"),
        ("file://server/a.csv", "'file://server/a.csv' is not on this machine"),
    ],
)
def test_a_path_that_is_none_is_refused(path: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        find("interactions", TableInput(path=path))


def test_a_glob_may_match_folders(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        (tmp_path / "log" / f"dt=2023-01-0{day}").mkdir(parents=True)
        table = pa.table({"user_id": [day], "item_id": [1]})
        write(tmp_path / "log" / f"dt=2023-01-0{day}" / "part-0.parquet", parquet(table))
        write(tmp_path / "log" / f"dt=2023-01-0{day}" / "_SUCCESS", b"")
    for path in ("dt=*", "dt=*/*", "**"):
        _, out = ingest(tmp_path, TableInput(path=str(tmp_path / "log" / path), columns={"timestamp": "dt"}))
        assert column(out, "user_id") == [1, 2, 3]
        assert [when.day for when in column(out, "timestamp")] == [1, 2, 3]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_folders_are_called_are_columns(tmp_path: Path, form: str) -> None:
    for event, part in (("view", "event=view"), ("a/b", "event=a%2Fb"), (None, "event=__HIVE_DEFAULT_PARTITION__")):
        (tmp_path / "log" / part).mkdir(parents=True)
        row = {"user_id": len(event or ""), "item_id": 1, "timestamp": "2023-01-01"}
        contents = {
            "csv": ",".join(row) + "\n" + ",".join(map(str, row.values())),
            "jsonl": json.dumps(row),
            "parquet": parquet(pa.table({name: [value] for name, value in row.items()})),
        }
        write(tmp_path / "log" / part / f"part-0.{form}", contents[form])
    inputs = Inputs(interactions=TableInput(path=str(tmp_path / "log")))
    _, out = ingest(tmp_path, inputs)
    assert sorted(zip(column(out, "user_id"), column(out, "event"), strict=True)) == [
        (0, None),
        (3, "a/b"),
        (4, "view"),
    ]
    items = TableInput(path=str(tmp_path / "log"), columns={"item_id": "user_id", "kind": "event"})
    _, out = ingest(tmp_path, Inputs(interactions=inputs.interactions, items=items))
    assert sorted(map(str, column(out, "kind", "items"))) == ["None", "a/b", "view"]


def test_the_names_of_other_folders_are_no_columns(tmp_path: Path) -> None:
    (tmp_path / "event=x").mkdir()
    write(
        tmp_path / "event=x" / "a.parquet",
        parquet(pa.table({"user_id": [1], "item_id": [1], "timestamp": ["2023-01-01"]})),
    )
    _, out = ingest(tmp_path / "event=x", TableInput(path=str(tmp_path / "event=x" / "a.parquet")))
    assert "event" not in read(out).schema.names


def test_a_file_that_changes_while_it_is_read_stops_the_night(tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv", rows(1))
    before = input_fingerprint(Inputs(interactions=log))
    refuse_changed(before)
    write(tmp_path / "a.csv", rows(1, 3))
    with pytest.raises(DataRefused, match=r"a.csv changed while it was read \(56 and then 71 bytes\); start the night"):
        refuse_changed(before)
    (tmp_path / "a.csv").unlink()
    with pytest.raises(DataRefused, match=r"a.csv disappeared while it was read; start the night again"):
        refuse_changed(before)


def test_a_file_of_another_table_in_the_folder_is_named_with_a_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder / "items.csv", "item_id,title\n1,One\n")
    write(folder / "ratings-1.csv", rows(1))
    write(folder / "ratings-2.csv", rows(2))
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, TableInput(path=str(folder)))
    assert str(refused.value).endswith(
        f". If items.csv is of another table than ratings-1.csv, leave it out: give the path '{folder}/ratings*'."
    )
    _, out = ingest(tmp_path, TableInput(path=str(folder / "ratings*")))
    assert column(out, "user_id") == [1, 1, 2, 2]


@pytest.mark.parametrize(("log", "kind"), [("_delta_log", "Delta"), (".hoodie", "Hudi")])
def test_a_folder_with_earlier_versions_of_its_table_is_refused(tmp_path: Path, log: str, kind: str) -> None:
    folder = tmp_path / "lake" / "log"
    (folder / log).mkdir(parents=True)
    write(folder / "part-0.csv", rows(1))
    with pytest.raises(ConfigError, match=f"is a {kind} table, and its folder may also hold rows that were deleted or"):
        find("interactions", TableInput(path=str(tmp_path / "lake")))


@pytest.mark.parametrize("path", ["", "*", "**/*.csv"])
def test_a_store_among_the_inputs_is_not_read(tmp_path: Path, path: str) -> None:
    store = tmp_path / "site" / "store"
    for folder in ("exports/manifests", "history", "nights/2023-01-01/raw"):
        (store / folder).mkdir(parents=True)
        write(store / folder / "part.csv", CSV)
    write(tmp_path / "site" / "log.csv", CSV)
    write(store / "mine.csv", CSV)
    found = find("interactions", TableInput(path=str(tmp_path / "site" / path)))
    assert [file.path.name for file in found.read] == ["log.csv", "mine.csv"]
    store_is = "a store of nightrec: its exports, nights and so on are no inputs"
    assert found.notes("interactions") == [f"interactions: files that are not read: store ({store_is})"]
    assert [file.name for file in resolve("interactions", TableInput(path=str(store / "history")))] == ["part.csv"]
