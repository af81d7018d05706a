"""The reference page of what is read: made from the reader's own tables, and from examples that a test reads."""

from collections.abc import Iterable
from typing import NamedTuple

from docs.site.tables import markdown
from tasks.ingest.reading import columns, contents, ids, numbers, packing, schema, time_formats
from tasks.ingest.reading.delimiters import DELIMITERS, as_written
from tasks.ingest.reading.misread import COUNTED, FOREIGN
from tasks.ingest.reading.time_examples import ACCEPTED


class Example(NamedTuple):
    """A text as it stands in a file, what is read from it, and what there is to say."""

    text: str
    read: str
    remark: str = ""


COUNTED_TIMES = (
    Example("1784541600", "2026-07-20 10:00:00", "seconds since 1970"),
    Example("1784541600.5", "2026-07-20 10:00:00.5", "seconds with decimals"),
    Example("1.7845416e9", "2026-07-20 10:00:00", "as programs write large numbers"),
    Example("1784541600000", "2026-07-20 10:00:00", "milliseconds since 1970"),
    Example("1784541600000000", "2026-07-20 10:00:00", "microseconds since 1970"),
    Example("1784541600000000000", "2026-07-20 10:00:00", "nanoseconds since 1970"),
)
"""Numbers that are read as timestamps, and the time in UTC; the written ones are `time_examples.ACCEPTED`."""

NOT_TIMES = (
    Example("2026-07-20 10:00:00 BST", "BST", "a zone's abbreviation: BST is in London and in Bangladesh"),
    *(Example(foreign.example, "timestamp_format", foreign.what) for foreign in FOREIGN),
    Example("10:00:00", "without a day", "a time without a day"),
    Example("46000.5", "spreadsheet", "a spreadsheet's day number; also any other of the ways to count below"),
)
"""Timestamps that are refused, and words of the refusal."""

RATINGS = (
    Example("4.5", "4.5"),
    Example("4,5", "4.5", "a decimal comma, if not three digits follow it"),
    Example("1e1", "10.0"),
    Example("-1", "-1.0"),
)
"""Ratings that are read, and the number."""
NOT_RATINGS = (
    Example("4,500", "", "four and a half, or some thousands"),
    Example("inf", "", "not finite"),
    Example("★★★★", "", "no number"),
)

NUMBERS = (
    Example("1299.5", "1299.5"),
    Example("$1,299.50", "1299.5", "the same currency in the whole column, before or after the number"),
    Example("1 299,50 €", "1299.5", "a decimal comma, if the column has more of them than of points"),
    Example("1.299,50 EUR", "1299.5"),
    Example("1'299.50", "1299.5", "blanks and apostrophes between thousands"),
    Example("1,00,000", "100000.0", "thousands as in India"),
    Example("1e5", "100000.0"),
    Example("(none)", "", "no number: counts as missing where nine of ten values are numbers"),
)
"""Values of a column of prices, and the number: each in a column of its kind."""

IDS = (
    Example("7", "7", "a number if every id of the table is written so"),
    Example("007", "007", "with one such id all are text"),
    Example("+7", "+7"),
    Example("7.0", "7.0"),
    Example("1e5", "1e5"),
    Example("9007199254740993", "9007199254740993", "exact beyond 2^53"),
    Example("18446744073709551615", "18446744073709551615", "beyond 2^63: text"),
    Example(" a ", " a ", "blanks belong to the id, and are noted if `a` is there, too"),
    Example("A", "A", "`A` and `a` are two ids, which is noted"),
    Example("NULL", "NULL", 'an id, and noted; none with `missing = ["NULL"]`'),
)
"""Ids of CSV files, and what leaves the pipeline."""


def inputs() -> str:
    """Which files are read, and which forms of values, by the tables of the reader."""
    parts = [
        "# What is read",
        "The forms of files and values that the reader knows, from its own tables; every example is a test. What is "
        "not here is refused in a sentence, or its rows are quarantined with the value as it was. [Data](../data.md) "
        "says what becomes of each row.",
        *_files(),
        *_timestamps(),
        *_values(),
    ]
    return "\n\n".join(parts) + "\n"


def _files() -> list[str]:
    by_format = {kind: [e for e, named in contents.BY_NAME.items() if named == kind] for kind in _FORMATS}
    rows = [[what, _codes(by_format.get(kind, ()))] for kind, what in _FORMATS.items()]
    return [
        "## Files",
        "A file is read by its contents. The ending decides only where these leave it open, and may be any or none.",
        markdown(["format", "usual endings"], rows),
        "**Packed** with " + ", ".join(f"{p.name} ({_codes(p.endings)})" for p in packing.PACKINGS) + ": one data file "
        "in an archive, up to three layers.",
        "**Encodings**: UTF-8, and UTF-16 and UTF-32 with or without a byte order mark. Any other is named with "
        '`encoding = "latin-1"`.',
        "### CSV",
        "**Delimiters** that are known: "
        + ", ".join(f"{known.name} ({_code(known.text)})" for known in DELIMITERS)
        + ". Any other mark that stands between the names which are looked for is found, too; all can be given with "
        '`delimiter`, also by their names here or as `\\t` and `\\x01`. **Quotes** are `"` or, where the whole header '
        "stands in them, `'`; inside a value they are doubled, or stand after a backslash.",
        "### Other files",
        "**Beside the data** lie files that are left out: those whose name, or a folder's, begins with `.` or `_`; "
        f"empty ones; documents by their names ({_codes(packing.DOCUMENTS['names'])}) or endings "
        f"({_codes(packing.DOCUMENTS['endings'])}); texts in a folder whose lines do not look like rows.",
        "Files that are known and refused:",
        markdown(["what", "what to do"], _distinct([[kind.what, kind.advice] for kind in contents.UNREAD])),
    ]


def _code(delimiter: str) -> str:
    return "one blank" if delimiter == " " else f"`{as_written(delimiter)}`"


_FORMATS = {
    "csv": "CSV, and any text with a delimiter between columns",
    "jsonl": "JSON: an object a line, an array of objects, or objects over several lines",
    "parquet": "Parquet",
    "arrow": "Arrow, Feather and ORC files; Avro with `pip install 'nightrec[avro]'`",
}


def _timestamps() -> list[str]:
    counted = "; ".join(counted.what for counted in COUNTED)
    return [
        "## Timestamps",
        "The form is found for each file; a file that mixes forms is refused.",
        markdown(["what", "for example"], _written_times()),
        markdown(["number", "in UTC", "which is"], [[f"`{e.text}`", e.read, e.remark] for e in COUNTED_TIMES]),
        "In Parquet also dates and timestamps of any unit, with or without a zone, whole numbers and doubles; 32-bit "
        "floats are refused, since they are exact to two minutes only.",
        "Refused, because they could mean something else:",
        markdown(["in the file", "which is"], [[f"`{e.text}`", e.remark] for e in NOT_TIMES]),
        f"Numbers that are far from any time since 1990 are refused, too, such as {counted}.",
        "`timestamp_format` reads any of them as you say. Its letters:",
        markdown(["letter", "meaning"], [[f"`{letter}`", what] for letter, what in time_formats.DIRECTIVES.items()]),
    ]


def _written_times() -> list[list[str]]:
    """The written forms, those of a kind together; blanks around them do not show, and are left out."""
    found: dict[str, list[str]] = {}
    for accepted in ACCEPTED:
        found.setdefault(accepted.what, []).append(accepted.example.strip())
    return [[what, _codes(dict.fromkeys(examples))] for what, examples in found.items()]


def _values() -> list[str]:
    return [
        "## Ids",
        markdown(["in a text file", "the id", ""], [[f"`{e.text}`", f"`{e.read}`", e.remark] for e in IDS]),
        markdown(["column of Parquet or Arrow", "the id"], [[what, id_] for what, (_, id_) in ids.TYPES.items()]),
        "JSON: texts and whole numbers; lists, objects, true and false, and inexact numbers are refused.",
        "## Ratings",
        markdown(
            ["in the file", "the rating", ""],
            [[f"`{e.text}`", e.read or "refused", e.remark] for e in (*RATINGS, *NOT_RATINGS)],
        ),
        "## Numbers in the tables of items and users",
        f"A column of texts is numeric if {columns.NUMERIC_SHARE:.0%} of its values are numbers, those that mean no "
        "value aside. The others count as missing; they are counted, and one is shown. A column in which currencies "
        "differ, or whose values have leading zeros, stays text.",
        markdown(["in the file", "the number", ""], [[f"`{e.text}`", e.read, e.remark] for e in NUMBERS]),
        f"Currencies: the signs of Unicode (`$`, `€`, `US$`), {_codes(numbers.CURRENCIES)}; also `%`.",
        "## Yes and no",
        f"`available` and `opted_out`, in any case: {_codes(schema.YES)}; {_codes(schema.NO)}. Any other text "
        "stops the night.",
        "## Missing values",
        "An empty value is missing everywhere. In any case of letters:",
        markdown(
            ["where", "texts that mean no value"],
            [
                ["ids", "none but those that `missing` names; an id such as `NULL` is noted"],
                ["timestamps", "none: the row is quarantined, with the text"],
                ["ratings, yes and no", _codes(_null(text) for text in numbers.NULLS if text)],
                ["numbers of items and users", _codes(_null(text) for text in numbers.MISSING if text)],
                ["any column", "those that `missing` names, as they are written there"],
            ],
        ),
    ]


def _null(text: str) -> str:
    """A text for a missing value as programs write it: `\\N`."""
    return text.upper() if text.startswith("\\") else text


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _distinct(rows: list[list[str]]) -> list[list[str]]:
    return [list(row) for row in dict.fromkeys(map(tuple, rows))]
