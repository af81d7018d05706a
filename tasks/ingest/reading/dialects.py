"""How a CSV file is written: the delimiter, the quote, the header."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tasks.ingest.reading import headers
from tasks.ingest.reading.delimiters import as_meant, by_names, by_number, candidates
from tasks.ingest.reading.header_checks import Checks, counted
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.records import Line, first_lines, split, stands_in, start_of
from tasks.ingest.reading.remedies import remedy, shortened

_LINES = 100  # that tell the delimiter
_BEFORE = 20  # lines before a header that are looked at
_COMMENT = "#"
_NAMES_DELIMITER = re.compile(r'"?sep=([^"]|\\t)"?', re.IGNORECASE)  # the first line of some spreadsheets


class Wanted(NamedTuple):
    """The names that a table looks for in a header."""

    table: str
    names: Collection[str]

    def hits(self, names: Sequence[str]) -> int:
        """How many of some names are looked for."""
        return len({headers.clean(name) for name in names} & set(self.names))


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    `skip`: the lines up to and including the header; `header`: what stands in that line, or would, by column;
    `notes`: what is remarkable.
    """

    delimiter: str
    quote: str
    columns: tuple[str, ...]
    skip: int
    escape: str = ""  # before a quote inside a quoted value; none: the quote itself
    notes: tuple[str, ...] = ()
    header: tuple[str, ...] = ()


def dialect(path: Path, readable: Path, table: TableInput, wanted: Wanted) -> Dialect | None:
    """The dialect of a file, None for an empty one. `readable`: it, or a copy of it in UTF-8.

    Raises:
        DataRefused: the file has no header and none is given, or the columns cannot be told apart.
    """
    text = start_of(readable)
    return _Look(path, table, wanted, text).dialect() if text.strip() else None


def one_column(path: Path) -> Dialect | None:
    """The dialect of a file whose lines are taken as they are, None for an empty one."""
    return Dialect("\x01", "", ("line",), 0) if start_of(path).strip() else None


class _Look:
    """A look at the beginning of a file, and at those of its lines that are not blank."""

    def __init__(self, path: Path, table: TableInput, wanted: Wanted, text: str) -> None:
        self.table, self.wanted, self.text = table, wanted, text
        self.lines = first_lines(text)
        self.checks = Checks(wanted.table, path, table)
        self.notes: list[str] = []
        self.quote = table.quote or ""

    def dialect(self) -> Dialect:
        given = self._told_by_first_line()
        first = self._first(given)
        self.checks.refuse_drawn(self.lines)
        rows = [line.text for line in self.lines[self.lines.index(first) + 1 :][:_LINES]]
        delimiter = given or self._delimiter(first.text, rows)
        quote_given = "quote" in self.table.model_fields_set
        names = [name.strip() for name in split(first.text, delimiter, self.quote)]
        if not quote_given and any(names) and all(stands_in(name, "'") for name in names if name):
            self.quote = "'"
            delimiter = given or self._delimiter(first.text, rows)
        how = Dialect(delimiter, self.quote, (), 0, self._escape(delimiter))
        self.checks.refuse_aligned(first, delimiter, self.quote)
        names, *below = [split(line, delimiter, self.quote, how.escape) for line in (first.text, *rows)]
        if not quote_given and self.quote != "'":
            self.checks.refuse_single_quotes(first, names, below)
        if self.table.header:
            how = self._with_given_header(first, names, below, how, self.table.header)
        else:
            self.checks.refuse_open_quote(first, delimiter, self.quote)
            if headers.looks_like_row(names, below, self.wanted.names):
                self.checks.refuse_row(first, names)
            if not self.wanted.hits(names):
                self._refuse_unnamed(first, len(names), rows)
            how = self._with_own_header(first, names, below, how)
        return replace(how, notes=tuple(self.notes))

    def _told_by_first_line(self) -> str | None:
        """The delimiter that is given, by a setting or by the file itself."""
        told = _NAMES_DELIMITER.fullmatch(self.lines[0].text)
        if not told or len(self.lines) < 2:
            return self.table.delimiter
        self.lines = self.lines[1:]
        return self.table.delimiter or as_meant(told[1])

    def _first(self, given: str | None) -> Line:
        """The line that is the header, or the first row: comments before it are passed over."""
        marked = 0
        while marked < len(self.lines) - 1 and self.lines[marked].text.startswith(_COMMENT):
            marked += 1
        comments, first = self.lines[:marked], self.lines[marked]
        if header := self.table.header:
            first = next((line for line in comments if self._may_part(line.text, len(header), given)), first)
        elif comments:
            bare = [Line(line.number, line.text.lstrip(_COMMENT).lstrip()) for line in comments]
            best = max([*comments, *bare], key=lambda line: self._found(line.text, given))
            if self._found(best.text, given) > self._found(first.text, given):
                self.lines = [best if line.number == best.number else line for line in self.lines]
                first = best
        if before := self.lines.index(first):
            passed = f"{counted(before, 'line')} of comments ({_COMMENT} …)"
            self.notes.append(f"{passed} before the first row {'is' if before == 1 else 'are'} passed over")
        return first

    def _may_part(self, line: str, columns: int, given: str | None) -> bool:
        return any(len(split(line, delimiter, self.quote)) == columns for delimiter in candidates(line, given))

    def _found(self, line: str, given: str | None) -> int:
        """How many of the names that are wanted the best delimiter finds."""
        return max(self.wanted.hits(split(line, delimiter, self.quote)) for delimiter in candidates(line, given))

    def _delimiter(self, first: str, rows: Sequence[str]) -> str:
        if self.table.header:
            return by_number(first, rows, self.quote, len(self.table.header))
        return by_names(first, rows, self.quote, self.wanted.hits)

    def _escape(self, delimiter: str) -> str:
        """What stands before a quote inside a quoted value: a backslash where it plainly does, or the quote itself."""
        if self.table.escape is not None or not self.quote:
            return (self.table.escape or "") if self.quote else ""
        quote, between = self.quote, re.escape(delimiter)
        if f"\\{quote}" not in self.text:
            return ""
        goes_on = rf"(?!\s*(?:{between}|\n|$))"  # unlike a quote that ends a value
        opened = rf"(?:^|{between})\s*{quote}[^{quote}\n]*"
        backslashed = re.search(rf"{opened}(?<!\\)(?:\\\\)*\\{quote}(?!{quote}){goes_on}", self.text, re.MULTILINE)
        doubled = re.search(rf"[^\\\n{re.escape(delimiter[0])}]{quote}{quote}{goes_on}", self.text)
        if not backslashed or doubled:
            return ""
        self.notes.append(
            f"quotes inside values stand after a backslash (\\{quote}): in quoted values a backslash gives the "
            f"character after it; {remedy(self.wanted.table, 'escape', quote)} reads backslashes as text"
        )
        return "\\"

    def _refuse_unnamed(self, first: Line, columns: int, rows: Sequence[str]) -> None:
        """Refuse a first line without any name that is looked for, where the reason is plain."""
        below = [line for line in self.lines if first.number < line.number <= first.number + _BEFORE]
        if header := next((line for line in below if self._found(line.text, self.table.delimiter) > 1), None):
            self.checks.refuse_preamble(first, header)
        if columns == 1:
            self.checks.refuse_undivided(first, rows)

    def _with_own_header(
        self, first: Line, names: Sequence[str], below: Sequence[Sequence[str]], how: Dialect
    ) -> Dialect:
        columns = [headers.clean(name) for name in names]
        self.checks.refuse_other_count(first, len(columns), below, how.delimiter, "the header")
        for name, places in headers.repeated(columns).items():
            if name in self.wanted.names:
                self.checks.refuse_twice(first, name, places)
            at = " and ".join(map(str, places))
            self.notes.append(
                f"column '{shortened(name)}' is named more than once (columns {at}); only the first keeps its name, "
                "the others are numbered"
            )
        return replace(how, columns=headers.distinct(columns), skip=first.number, header=tuple(names))

    def _with_given_header(
        self, first: Line, names: Sequence[str], below: Sequence[Sequence[str]], how: Dialect, given: Sequence[str]
    ) -> Dialect:
        skip, rows, header = first.number - 1, [names, *below], given
        if headers.named_by(names, given):
            self.notes.append(f"line {first.number} is a header; the names that are given are taken instead")
            skip, rows, header = first.number, list(below), names
        elif headers.among(names, given) or headers.looks_like_header(names, below):
            self.checks.refuse_header(first)
        self.checks.refuse_other_count(first, len(given), rows, how.delimiter, "the given header")
        columns = headers.distinct([headers.clean(name) for name in given])
        return replace(how, columns=columns, skip=skip, header=tuple(header))
