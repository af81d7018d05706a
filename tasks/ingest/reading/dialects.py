"""How a CSV file is written: the delimiter, the quote, the header."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from recmodels.errors import DataRefused
from tasks.ingest.reading import headers
from tasks.ingest.reading.delimiters import DELIMITERS, as_meant, as_written
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.packing import head
from tasks.ingest.reading.remedies import listed, remedy, shortened

_SAMPLE = 1 << 18
_LINES = 100  # that tell the delimiter
_BEFORE = 20  # lines before a header that are looked at
_COMMENT = "#"
_NAMES_DELIMITER = re.compile(r'"?sep=([^"]|\\t)"?', re.IGNORECASE)  # the first line of some spreadsheets
_PRIVATE = "\ue000"


class Wanted(NamedTuple):
    """The names that a table looks for in a header."""

    table: str
    names: Collection[str]


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written. `skip`: the lines up to and including the header; `notes`: what is remarkable."""

    delimiter: str
    quote: str
    columns: tuple[str, ...]
    skip: int
    escape: str = ""  # before a quote inside a quoted value; none: the quote itself
    notes: tuple[str, ...] = ()


class _Line(NamedTuple):
    number: int
    text: str


def dialect(path: Path, readable: Path, table: TableInput, wanted: Wanted) -> Dialect | None:
    """The dialect of a file, None for an empty one. `readable`: it, or a copy of it in UTF-8.

    Raises:
        DataRefused: the file has no header and none is given, or the columns cannot be told apart.
    """
    lines = _lines(readable)
    return _File(path, table, wanted, lines).dialect() if lines else None


def one_column(path: Path) -> Dialect | None:
    """The dialect of a file whose lines are taken as they are, None for an empty one."""
    return Dialect("\x01", "", ("line",), 0) if _lines(path) else None


def split(line: str, delimiter: str, quote: str, escape: str = "") -> list[str]:
    """The values of a line."""
    if not quote or quote not in line or len(line) > csv.field_size_limit():
        return line.split(delimiter)
    if len(delimiter) > 1:
        line, delimiter = line.replace(delimiter, _PRIVATE), _PRIVATE
    doubled = escape in ("", quote)
    reader = csv.reader(
        [line],
        delimiter=delimiter,
        quotechar=quote,
        doublequote=doubled,
        escapechar=None if doubled else escape,
        skipinitialspace=delimiter != " ",
    )
    return next(reader, [])


def _lines(path: Path) -> list[_Line]:
    """The first lines that are not blank."""
    start = head(path, _SAMPLE)
    text = start.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    texts = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # splitlines ends a line at \x1e, too
    if len(start) == _SAMPLE and len(texts) > 1:
        texts.pop()  # it may be cut
    return [_Line(number, text) for number, text in enumerate(texts, 1) if text.strip()]


class _File:
    """The first lines of a file, looked at."""

    def __init__(self, path: Path, table: TableInput, wanted: Wanted, lines: Sequence[_Line]) -> None:
        self.path, self.table, self.wanted, self.lines = path, table, wanted, lines
        self.notes: list[str] = []
        self.quote = table.quote or ""

    def dialect(self) -> Dialect:
        given = self._told_by_first_line()
        first = self._first(given)
        self.rows = [line.text for line in self.lines[self.lines.index(first) + 1 :][:_LINES]]
        delimiter = given or self._delimiter(first.text)
        if "quote" not in self.table.model_fields_set and self._all_in(first, delimiter, "'"):
            self.quote = "'"
            delimiter = given or self._delimiter(first.text)
        found = Dialect(delimiter, self.quote, (), 0, self._escape(delimiter))
        self._refuse_aligned(first, found)
        below = [self._split(row, found) for row in self.rows]
        names = self._split(first.text, found)
        self._refuse_single_quotes(first, names, below, found)
        if self.table.header:
            found = self._with_given_header(first, names, below, found, self.table.header)
        else:
            found = self._with_own_header(first, names, below, found)
        return replace(found, notes=tuple(self.notes))

    def _split(self, line: str, how: Dialect) -> list[str]:
        return split(line, how.delimiter, how.quote, how.escape)

    def _told_by_first_line(self) -> str | None:
        """The delimiter that is given, by a setting or by the file itself."""
        told = _NAMES_DELIMITER.fullmatch(self.lines[0].text)
        if not told or len(self.lines) < 2:
            return self.table.delimiter
        self.lines = self.lines[1:]
        return self.table.delimiter or as_meant(told[1])

    def _first(self, given: str | None) -> _Line:
        """The line that is the header, or the first row: comments before it are passed over."""
        comments = 0
        while comments < len(self.lines) - 1 and self.lines[comments].text.startswith(_COMMENT):
            comments += 1
        if not comments:
            return self.lines[0]
        first = self.lines[comments]
        if self.table.header:
            n = len(self.table.header)
            rows = [line for line in self.lines[:comments] if self._fields_at_best(line.text, given) == n]
            first = rows[0] if rows else first
        else:
            marked = [*self.lines[:comments], *(self._unmarked(line) for line in self.lines[:comments])]
            best = max(marked, key=lambda line: self._found(line.text, given))
            if self._found(best.text, given) > self._found(first.text, given):
                self.lines = [best if line.number == best.number else line for line in self.lines]
                first = best
        before = self.lines.index(first)
        if before:
            lines = "line" if before == 1 else "lines"
            self.notes.append(f"{before} {lines} of comments ({_COMMENT} …) before the first row are passed over")
        return first

    @staticmethod
    def _unmarked(line: _Line) -> _Line:
        return _Line(line.number, line.text.lstrip(_COMMENT).lstrip())

    def _fields_at_best(self, line: str, given: str | None) -> int:
        assert self.table.header
        counts = [len(split(line, d, self.quote)) for d in _candidates(line, given)]
        return len(self.table.header) if len(self.table.header) in counts else max(counts)

    def _found(self, line: str, given: str | None) -> int:
        """How many of the names that are wanted the best delimiter finds."""
        return max(self._hits(split(line, delimiter, self.quote)) for delimiter in _candidates(line, given))

    def _hits(self, names: Sequence[str]) -> int:
        return len({headers.clean(name) for name in names} & set(self.wanted.names))

    def _delimiter(self, first: str) -> str:
        """The delimiter that finds most of the names; else the one that parts the rows into as many columns.

        In files without a header it is the one that makes as many columns as were named.
        """
        split_by = {delimiter: split(first, delimiter, self.quote) for delimiter in _candidates(first, None)}
        known = {d.text: d for d in DELIMITERS}
        if header := self.table.header:
            return max(
                split_by,
                key=lambda d: (self._share(d, len(header), [first, *self.rows]), d in known, len(split_by[d])),
            )
        hits = {delimiter: self._hits(names) for delimiter, names in split_by.items()}
        most = max(hits.values())
        if most:
            best = [d for d, n in hits.items() if n == most and (d in known or n > 1 or len(split_by[d]) == 1)]
            return max(best, key=lambda d: (-split_by[d].count(""), d in known, len(split_by[d])))
        parts = [d for d, names in split_by.items() if d in known and len(names) > 1]
        share = {d: self._share(d, len(split_by[d]), self.rows) for d in parts}
        common = [d for d in parts if known[d].common]
        if sure := [d for d in common if share[d] >= 0.5] or common:
            return max(sure, key=lambda d: (share[d] >= 0.5, -split_by[d].count(""), len(split_by[d])))
        rare = [d for d in parts if share[d] >= 0.9]
        return max(rare, key=lambda d: share[d], default=DELIMITERS[0].text)

    def _share(self, delimiter: str, columns: int, rows: Sequence[str]) -> float:
        """The share of some lines that have so many columns."""
        return sum(len(split(row, delimiter, self.quote)) == columns for row in rows) / max(1, len(rows))

    def _escape(self, delimiter: str) -> str:
        """What stands before a quote inside a quoted value: a backslash where it plainly does, or the quote itself."""
        if self.table.escape is not None or not self.quote:
            return (self.table.escape or "") if self.quote else ""
        text = "\n".join(line.text for line in self.lines)
        if f"\\{self.quote}" not in text:
            return ""
        end = rf"(?!\s*(?:{re.escape(delimiter)}|\n|$))"
        backslashed = re.search(rf"(?<!\\)(?:\\\\)*\\{self.quote}(?!{self.quote}){end}", text)
        doubled = re.search(rf"[^\\\n{re.escape(delimiter[0])}]{self.quote}{self.quote}{end}", text)
        opened = re.search(rf"(?:^|{re.escape(delimiter)})\s*{self.quote}", text, re.MULTILINE)
        if not (backslashed and opened) or doubled:
            return ""
        self.notes.append(
            f"quotes inside values stand after a backslash (\\{self.quote}): in quoted values a backslash gives the "
            f"character after it; {remedy(self.wanted.table, 'escape', self.quote)} reads backslashes as text"
        )
        return "\\"

    def _all_in(self, first: _Line, delimiter: str, quote: str) -> bool:
        names = [name.strip() for name in split(first.text, delimiter, self.quote)]
        return all(_is_in(name, quote) for name in names if name) and any(names)

    def _with_own_header(self, first: _Line, names: list[str], below: Sequence[Sequence[str]], how: Dialect) -> Dialect:
        self._refuse_open_quote(first, how)
        if headers.looks_like_row(names, below, self.wanted.names):
            raise self._refusal(
                first,
                f"looks like a row and not like a header ('{shortened(first.text, 60)}'); name the columns, as they "
                f"follow one another, with {remedy(self.wanted.table, 'header', self._example(len(names)))}.",
            )
        columns = [headers.clean(name) for name in names]
        if not self._hits(columns):
            self._refuse_elsewhere(first, how.delimiter)
            if len(columns) == 1:
                self._refuse_undivided(first)
        self._refuse_other_count(first, len(columns), below, "the header has")
        self._look_at_repeated(first, columns)
        return replace(how, columns=headers.distinct(columns), skip=first.number)

    def _with_given_header(
        self, first: _Line, names: Sequence[str], below: Sequence[Sequence[str]], how: Dialect, given: list[str]
    ) -> Dialect:
        columns = [headers.clean(name) for name in given]
        skip = first.number - 1
        if headers.named_by(names, given):
            self.notes.append(f"line {first.number} is a header; the names that are given are taken instead")
            skip, rows = first.number, below
        elif headers.looks_like_header(names, below):
            raise self._refusal(
                first,
                f"looks like a header ('{shortened(first.text, 60)}'), although one is given; leave the given one out "
                "and map the names of the file, or remove the line.",
            )
        else:
            rows = [names, *below]
        self._refuse_other_count(first, len(given), rows, "the header that is given has")
        return replace(how, columns=headers.distinct(columns), skip=skip)

    def _refuse_other_count(self, first: _Line, named: int, rows: Sequence[Sequence[str]], who: str) -> None:
        """Raise DataRefused where the rows, all alike, have another number of columns than there are names."""
        counts = Counter(len(row) for row in rows)
        usual, times = counts.most_common(1)[0] if counts else (named, 0)
        if named in counts or times < max(2, 0.8 * len(rows)):
            return
        row = next(row for row in rows if len(row) == usual)
        raise self._refusal(
            first,
            f"does not fit the rows: {who} {_count(named, 'name')} and they have {_count(usual, 'value')} "
            f"({listed(row)}); name every column with "
            f"{remedy(self.wanted.table, 'header', self._example(usual))}, or check the delimiter.",
        )

    def _refuse_aligned(self, first: _Line, how: Dialect) -> None:
        if how.delimiter == " " and re.search(r"\S {2,}\S", first.text) and not (how.quote and how.quote in first.text):
            raise self._refusal(
                first,
                "has several blanks between columns, so that missing values could not be told; write one character "
                "between columns, such as a tab (`tr -s ' ' '\\t' < FILE` does, if no value has blanks).",
            )

    def _refuse_undivided(self, first: _Line) -> None:
        """Raise DataRefused where a header is one column, but something regular stands in each line."""
        if "  " in first.text.strip() and all("  " in row.strip() for row in self.rows):
            self._refuse_aligned(first, Dialect(" ", "", (), 0))
        for character in dict.fromkeys(first.text.strip()):
            if character.isalnum() or character in "_-.'\"":
                continue
            counts = {line.count(character) for line in [first.text, *self.rows]}
            if len(counts) == 1 and self.rows:
                raise self._refusal(
                    first,
                    f"is one column to every delimiter that is known; '{as_written(character)}' seems to stand between "
                    f"its columns: give it with {remedy(self.wanted.table, 'delimiter', character)}.",
                )

    def _refuse_elsewhere(self, first: _Line, delimiter: str) -> None:
        """Raise DataRefused where a line further down has the names of a header."""
        below = [line for line in self.lines if first.number < line.number <= first.number + _BEFORE]
        for line in below:
            if self._found(line.text, self.table.delimiter) > 1:
                raise self._refusal(
                    first,
                    f"is no header ('{shortened(first.text)}'), and line {line.number} seems to be one; remove the "
                    "lines before it.",
                )

    def _refuse_open_quote(self, first: _Line, how: Dialect) -> None:
        """Raise DataRefused where a quote in the header is not closed on its line."""
        if not how.quote or len(how.delimiter) > 1 or first.text.count(how.quote) % 2 == 0:
            return
        if any(part.lstrip().startswith(how.quote) for part in first.text.split(how.delimiter)):
            raise self._refusal(
                first,
                "has a quote that is not closed before the line ends; write the header on one line and close its "
                f"quotes, or read the table without quotes: {remedy(self.wanted.table, 'quote', None)}.",
            )

    def _refuse_single_quotes(
        self, first: _Line, names: Sequence[str], below: Sequence[Sequence[str]], how: Dialect
    ) -> None:
        """Raise DataRefused where all values of a column stand in single quotes, and nothing says what these are."""
        if "quote" in self.table.model_fields_set or how.quote == "'":
            return
        given = self.table.header or []
        rows = [names, *below] if given else below
        for place, name in enumerate(names):
            values = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
            if len(values) > 1 and all(_is_in(value, "'") for value in values):
                raise self._refusal(
                    first,
                    f"has a column '{shortened(given[place] if len(given) > place else name.strip())}' "
                    f"whose values stand in single quotes, such as {shortened(values[0])}; give "
                    f"{remedy(self.wanted.table, 'quote', chr(39))} if these are quotes, or "
                    f"{remedy(self.wanted.table, 'quote', chr(34))} if they belong to the values.",
                )

    def _look_at_repeated(self, first: _Line, columns: Sequence[str]) -> None:
        for name, places in headers.repeated(columns).items():
            at = " and ".join(str(place) for place in places)
            if name in self.wanted.names:
                raise self._refusal(
                    first,
                    f"names the column '{shortened(name)}' more than once (columns {at}); rename all but one of them.",
                )
            self.notes.append(f"column '{shortened(name)}' is named more than once (columns {at}); only the first "
                              "keeps its name, the others are numbered")  # fmt: skip

    def _example(self, columns: int) -> list[str]:
        """Names for so many columns, to show how a header is given."""
        known = _EXAMPLES[self.wanted.table]
        return [*known[:columns], *(f"column_{place}" for place in range(len(known) + 1, columns + 1))]

    def _refusal(self, line: _Line, what: str) -> DataRefused:
        return DataRefused(f"{self.wanted.table}: {self.path}, line {line.number} {what}")


_EXAMPLES = {
    "interactions": ("user_id", "item_id", "timestamp"),
    "items": ("item_id", "title"),
    "users": ("user_id",),
    "tags": ("item_id", "tag"),
}


def _candidates(line: str, given: str | None) -> Iterator[str]:
    """Delimiters that may stand in a line: the known ones, and any mark that is there."""
    if given:
        yield given
        return
    known = [delimiter.text for delimiter in DELIMITERS]
    yield from known
    for character in dict.fromkeys(line):
        if not character.isalnum() and character not in "_-.'\"#" and character not in known:
            yield character


def _is_in(text: str, quote: str) -> bool:
    return len(text) > 1 and text.startswith(quote) and text.endswith(quote)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
