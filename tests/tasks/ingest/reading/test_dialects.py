"""How CSV files are written: delimiters, quotes, headers; what cannot be told is refused, saying what gives it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused
from recmodels.messages import short
from tasks.ingest.reading.delimiters import DELIMITERS, as_meant, as_written
from tasks.ingest.reading.headers import distinct
from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import CSV, column, ingest, read, some_log, write

ROWS = [(7, 1, "2023-01-01"), (8, 2, "2023-01-02"), (8, 3, "2023-01-03")]
WANTED = "user_id,item_id,timestamp\n7,1,2023-01-01\n8,2,2023-01-02\n8,3,2023-01-03\n"
NO_HEADER = WANTED.split("\n", 1)[1]


def _rows(out: Path) -> list[tuple[Any, ...]]:
    table = read(out).select(["user_id", "item_id", "timestamp"]).to_pylist()
    return [(row["user_id"], row["item_id"], str(row["timestamp"].date())) for row in table]


def _given(path: Path, contents: str | bytes, **options: Any) -> TableInput:
    return TableInput(path=write(path, contents).path, **options)


@pytest.mark.parametrize("delimiter", [*(delimiter.text for delimiter in DELIMITERS), "§", "!", "/", "&", "*"])
def test_a_delimiter_is_found_by_the_names_of_the_header(tmp_path: Path, delimiter: str) -> None:
    _, out = ingest(tmp_path, write(tmp_path / "log.csv", WANTED.replace(",", delimiter)))
    assert _rows(out) == ROWS


def test_a_mark_beside_one_name_is_the_delimiter_if_each_row_has_it(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id§preis\n1§2\n2§3\n")
    _, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))
    assert (column(out, "item_id", "items"), column(out, "preis", "items")) == ([1, 2], [2.0, 3.0])


@pytest.mark.parametrize("delimiter", [delimiter.text for delimiter in DELIMITERS])
def test_a_delimiter_is_found_by_the_number_of_names_that_are_given(tmp_path: Path, delimiter: str) -> None:
    table = _given(tmp_path / "log.csv", NO_HEADER.replace(",", delimiter), header=["user_id", "item_id", "timestamp"])
    summary, out = ingest(tmp_path, table)
    assert _rows(out) == ROWS
    assert (read(out)["source_row"].to_pylist(), summary["notes"]) == ([1, 2, 3], [])


@pytest.mark.parametrize("text", [*(delimiter.text for delimiter in DELIMITERS), "€", "\x00", "<->", "\\"])
def test_a_delimiter_is_meant_as_it_is_written(text: str) -> None:
    assert as_meant(as_written(text)) == text
    assert as_written(text).isprintable()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("tab", "\t"), ("Semicolon", ";"), (r"\t", "\t"), (r"\x01", "\x01"), (r"\u0001", "\x01"), ("||", "||")],
)
def test_a_delimiter_can_be_given_by_name_or_by_number(written: str, meant: str) -> None:
    assert TableInput(path="", delimiter=written).delimiter == meant


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("sep.csv", "sep=;\n" + WANTED.replace(",", ";")),
        ("sep-quoted.csv", '"sep=;"\r\n' + WANTED.replace(",", ";").replace("\n", "\r\n")),
        ("sep-utf16.csv", ("SEP=\t\n" + WANTED.replace(",", "\t")).encode("utf-16")),
        ("comments.csv", "# made by hand\n# on 3 May, at 7\n\n" + WANTED),
        ("comment-in-quotes.csv", "# it's \"open\n" + WANTED),
        ("marked-header.csv", "#" + WANTED),
        ("marked-header-blank.csv", "# a log\n# " + WANTED),
        ("blanks.csv", WANTED.replace("user_id,item_id", " user_id , item_id\t")),
        ("bom.csv", "\ufeff" + WANTED),
        ("invisible.csv", "\u200b" + WANTED.replace("timestamp", "timestamp\u00a0")),
        ("single-quoted.csv", "'user_id','item_id','timestamp'\n'7','1','2023-01-01'\n8,'2','2023-01-02'\n"
         "8,3,2023-01-03\n"),
        ("quoted.csv", '"user_id","item_id","timestamp"\n"7","1","2023-01-01"\n8, "2","2023-01-02"\n8,3,2023-01-03\n'),
        ("quoted-long-delimiter.csv", '"user_id"||"item_id"||"timestamp"\n7||"1"||2023-01-01\n8||2||2023-01-02\n'
         "8||3||2023-01-03\n"),
        ("quoted-commas.csv", 'user_id,"a,b;c;d;e",item_id,timestamp\n7,"x;y,z",1,2023-01-01\n8,,2,2023-01-02\n'
         "8,,3,2023-01-03\n"),
        ("many-semicolons.csv", "user_id,item_id,timestamp,a;b;c;d;e\n7,1,2023-01-01,\n8,2,2023-01-02,1;2;3;4;5\n"
         "8,3,2023-01-03,\n"),
        ("other-case.csv", "USER_ID,user_id,item_id,timestamp\n1,7,1,2023-01-01\n1,8,2,2023-01-02\n1,8,3,2023-01-03\n"),
        ("nameless.csv", ",user_id,item_id,timestamp,\n0,7,1,2023-01-01,\n1,8,2,2023-01-02,\n2,8,3,2023-01-03,\n"),
        ("twice.csv", "user_id,x,x,item_id,timestamp\n7,a,b,1,2023-01-01\n8,,,2,2023-01-02\n8,,,3,2023-01-03\n"),
        ("joined.csv", WANTED + "\n\n"),
    ],
)  # fmt: skip
def test_the_same_rows_come_from_every_dialect(tmp_path: Path, name: str, contents: str | bytes) -> None:
    summary, out = ingest(tmp_path, write(tmp_path / name, contents))
    assert _rows(out) == ROWS
    assert summary["rejects"] == 0


@pytest.mark.parametrize(
    ("contents", "options", "parts"),
    [
        (NO_HEADER, {}, ("line 1 looks like a row", "'7,1,2023-01-01'", "--header user_id,item_id,timestamp (or header"
         ' = ["user_id", "item_id", "timestamp"] under [inputs.interactions])')),
        (NO_HEADER, {"columns": {"user_id": "7"}}, ("line 1 looks like a row", "--header")),
        ("8,3,1771903479\n9,4,1771903480\n", {}, ("line 1 looks like a row", "--header user_id,item_id,timestamp")),
        ("8,3,1771903479\n9,4,1771903480\n", {"columns": {"user_id": "8", "item_id": "3", "timestamp": "1771903479"}},
         ("line 1 looks like a row", "--header user_id,item_id,timestamp")),
        ("u1\ti5\tclick\t2023-01-01T10:00:00Z\nu2\ti7\tview\t2023-01-01T10:00:00Z\n", {},
         ("'u1�i5�click�2023-01-01T10:00:00Z'", "--header user_id,item_id,timestamp,column_4")),
        ("u1 i5 5\nu2 i6 6\n", {}, ("line 1 looks like a row", "--header user_id,item_id,timestamp")),
        (WANTED, {"header": ["u", "i", "t"]}, ("line 1 looks like a header ('user_id,item_id,timestamp')",
         "leave the given one out")),
        (WANTED, {"header": ["item_id", "user_id", "timestamp"]}, ("line 1 looks like a header",)),
        (",user_id,item_id,timestamp\n0,7,1,2023-01-01\n", {"header": ["user_id", "x", "item_id", "timestamp"]},
         ("line 1 looks like a header",)),
        (NO_HEADER, {"header": ["user_id", "item_id"]}, ("the given header has 2 names and they have 3 values",
         "(7, 1, 2023-01-01)", "--header user_id,item_id,timestamp")),
        (WANTED.replace("timestamp", "timestamp,rating"), {}, ("the header has 4 names and they have 3 values",)),
        (WANTED.replace("\n", ",\n").replace("timestamp,", "timestamp"), {}, ("has 3 names and they have 4 values",)),
        (WANTED.replace(",", "\t", 2), {}, ("the header has 3 names and they have 1 value (7,1,2023-01-01)",
         r"write one delimiter in all lines, where this one has '\t'")),
        (WANTED.replace(",", " ").replace("2023-01-0", "10:00 2023-01-0"), {}, ("3 names and they have 4 values",
         "'space' also stands in values: quote these")),
        (NO_HEADER.replace(",", " ").replace("\n", " 10:00:00\n"), {}, ("line 1 looks like a row",
         "; a time that stands apart from its date is not read.")),
        (" user_id | item_id | timestamp \n---------+---------+-----------\n 7       | 1       | 2023-01-01\n", {},
         ("line 2 is a rule ('---------+", "export the table as CSV")),
        ("+---------+\n| user_id |\n+---------+\n| 7       |\n+---------+\n", {}, ("line 1 is a rule",)),
        ("user_id,user_id,item_id,timestamp\n7,7,1,2023-01-01\n", {}, ("names the column 'user_id' more than once "
         "(columns 1 and 2); rename all but one",)),
        (WANTED.replace(",", "   "), {}, ("has several blanks between columns", "tr -s")),
        ("kunde¦artikel¦zeit\n7¦1¦2023-01-01\n8¦2¦2023-01-02\n", {}, ("line 1 is one column to every delimiter that is "
         "known; '¦' seems to stand", "--delimiter '¦'", "delimiter = \"¦\" under [inputs.interactions]")),
        ("kunde\x1dartikel\x1dzeit\n7\x1d1\x1d2023-01-01\n", {}, (r"'\x1d' seems", r"--delimiter '\x1d'",
         r"(or delimiter = '\x1d'")),
        ("user_id,item_id,timestamp\n'7','1','2023-01-01'\n'8','2','2023-01-02'\n", {}, ("column 'user_id' whose "
         "values stand in single quotes, such as '7'", "quote = \"'\"", "--quote '\"'")),
        ("Events of the shop\nMay, June\n" + WANTED, {}, ("line 1 is no header ('Events of the shop')",
         "line 3 seems to be one")),
        ('"user\n_id",item_id,timestamp\n1,2,2023-01-01\n', {}, ("has a quote that is not closed before the line ends",
         "--quote none")),
        ("\x01kunde;" + ";".join(f"c{'x' * 50}{n}" for n in range(40)) + "\n" + ";".join("ab" * 41) + "\n", {},
         ("its columns are �kunde, cxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", " and 37 more")),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused_with_what_tells_it(
    tmp_path: Path, contents: str, options: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, _given(tmp_path / "log.csv", contents, **options))
    rest = str(refused.value)
    path = str(tmp_path / "log.csv")
    assert rest.startswith((f"interactions: {path}", f"interactions: {short(path)}")) and rest.isprintable()
    for part in parts:
        assert part in rest
        rest = rest.partition(part)[2]


@pytest.mark.parametrize(
    "contents",
    [
        "0,1,2\n" + NO_HEADER,
        "2023,2024,2025\n" + NO_HEADER,
        "kunde,artikel,zeit\n" + NO_HEADER,
        "u1,i1,t1\n" + NO_HEADER,
    ],
)
def test_names_that_are_mapped_are_a_header(tmp_path: Path, contents: str) -> None:
    names = contents.split("\n", maxsplit=1)[0].split(",")
    columns = dict(zip(("user_id", "item_id", "timestamp"), names, strict=True))
    _, out = ingest(tmp_path, _given(tmp_path / "log.csv", contents, columns=columns))
    assert _rows(out) == ROWS


def test_a_header_is_passed_over_where_the_same_names_are_given(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    first, second = NO_HEADER.split("\n", 1)
    write(tmp_path / "log" / "1.csv", f"userId,itemId,Timestamp\n{first}\n")
    write(tmp_path / "log" / "2.csv", second)
    table = TableInput(path=str(tmp_path / "log"), header=["user_id", "item_id", "timestamp"])
    summary, out = ingest(tmp_path, table)
    assert _rows(out) == ROWS
    assert summary["notes"] == ["interactions: 1.csv: line 1 is a header; the names that are given are taken instead"]


def test_a_given_header_can_name_more_columns_than_the_files(tmp_path: Path) -> None:
    numbered = "".join(f"{n},{row}\n" for n, row in enumerate(NO_HEADER.splitlines()))
    table = _given(
        tmp_path / "log.csv",
        "user_id,item_id,timestamp\n" + numbered,
        header=["row", "user_id", "item_id", "timestamp"],
    )
    _, out = ingest(tmp_path, table)
    assert _rows(out) == ROWS


def test_files_without_a_header_are_read_by_the_names_given(tmp_path: Path) -> None:
    table = write(tmp_path / "log.csv", "7 1600000000 8\n").model_copy(
        update={"header": ["user_id", "timestamp", "item_id"], "delimiter": " "}
    )
    _, out = ingest(tmp_path, table)
    assert read(out).select(["user_id", "item_id", "source_row"]).to_pylist() == [
        {"user_id": 7, "item_id": 8, "source_row": 1}
    ]


def test_a_comment_mark_may_begin_an_id(tmp_path: Path) -> None:
    table = _given(
        tmp_path / "log.csv", "#7,1,2023-01-01\n#8,2,2023-01-02\n", header=["user_id", "item_id", "timestamp"]
    )
    _, out = ingest(tmp_path, table)
    assert column(out, "user_id") == ["#7", "#8"]


def test_quotes_are_text_where_there_is_no_quoting(tmp_path: Path) -> None:
    items = TableInput(path=str(tmp_path / "items.dat"), quote=None, encoding="latin-1", delimiter="::")
    (tmp_path / "items.dat").write_bytes('item_id::title\n1::"Caf\xe9\n2::a"b\n'.encode("latin-1"))
    _, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))
    assert column(out, "title", "items") == ['"Café', 'a"b']


@pytest.mark.parametrize(
    ("lines", "titles", "noted"),
    [
        (['1,"a \\"quoted\\" title",x', '2,"one; \\", two",y'], ['a "quoted" title', 'one; ", two'], True),
        (['1,"a \\"quoted\\" title",x', '2,"a \\\\ b",y'], ['a "quoted" title', "a \\ b"], True),
        (['1,plain \\" text,x', '2,"C:\\dir",y'], ['plain \\" text', "C:\\dir"], False),
        (['1,"ends in \\",x', '2,"a ""b""",y'], ["ends in \\", 'a "b"'], False),
        (['1,15" screen,x', '2,say "a" or "b",y'], ['15" screen', 'say "a" or "b"'], False),
        (['1,plain \\" text,x', "2,b,y"], ['plain \\" text', "b"], False),
    ],
)
def test_quotes_inside_values_are_read_as_they_are_written(
    tmp_path: Path, lines: list[str], titles: list[str], noted: bool
) -> None:
    items = write(tmp_path / "items.csv", "item_id,title,more\n" + "".join(f"{line}\n" for line in lines))
    summary, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))
    assert (column(out, "title", "items"), column(out, "more", "items")) == (titles, ["x", "y"])
    assert any('--item-escape \'"\' (or escape = "\\""' in note for note in summary["notes"]) == noted


def test_lines_with_backslashed_quotes_that_are_found_too_late_are_refused_with_what_reads_them(tmp_path: Path) -> None:
    plain = "".join(f'{n},"a title ""of"" its own",{"x" * 90}\n' for n in range(3000))
    contents = f'item_id,title,more\n{plain}9000,"a \\"quoted\\" title",x\n'
    log = write(tmp_path / "log.csv", CSV)
    summary, _ = ingest(tmp_path, Inputs(interactions=log, items=write(tmp_path / "items.csv", contents)))
    assert summary["tables"]["items"]["rejects"] == 1
    assert any("--item-escape '\\' (or escape = '\\' under [inputs.items]) reads them" in n for n in summary["notes"])


def test_repeated_and_nameless_columns_of_items_are_kept_with_a_note(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id,colour,colour,\n1,red,blue,x\n")
    summary, out = ingest(tmp_path, Inputs(interactions=some_log(tmp_path), items=items))
    kept = read(out, "items").select(["item_id", "colour", "colour_2", "column_4"]).to_pylist()
    assert kept == [{"item_id": 1, "colour": "red", "colour_2": "blue", "column_4": "x"}]
    assert any("column 'colour' is named more than once (columns 2 and 3)" in note for note in summary["notes"])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("x,x,x_2", "x,x_3,x_2"),
        ("x,x_2,x", "x,x_2,x_3"),
        (",a,column_1,", "column_1_2,a,column_1,column_4"),
        ("a,A,a ", "a,A,a "),
    ],
)
def test_a_name_is_never_given_to_another_column(names: str, found: str) -> None:
    assert ",".join(distinct(names.split(","))) == found


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"delimiter": "a\n"}, "none of them ends a line"),
        ({"delimiter": "€€"}, "up to four bytes"),
        ({"delimiter": '"'}, "both"),
        ({"quote": "«"}, "ASCII"),
        ({"header": ["a", " a "]}, "named twice"),
    ],
)
def test_settings_that_no_file_can_have_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TableInput(path="log.csv", **options)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8)


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6),
    delimiter=st.sampled_from([d.text for d in DELIMITERS if len(d.text) == 1]),
    quote=st.sampled_from(['"', "'"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    extra=st.booleans(),
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    quote: str,
    end: str,
    quoting: Any,
    extra: bool,
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=quoting)
    names = ["item_id", "title", *(["more; or | less, or not"] if extra else [])]
    writer.writerows([names, *[(f"i{n}", *row)[: len(names)] for n, row in enumerate(rows)]])
    items = _given(folder / "items.csv", text.getvalue(), quote=quote)
    _, out = ingest(folder, Inputs(interactions=some_log(folder), items=items))
    assert column(out, "item_id", "items") == [f"i{n}" for n in range(len(rows))]
    assert column(out, "title", "items") == [row[0] for row in rows]
