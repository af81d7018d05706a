"""What a header may not be, beside the rows below it: each refusal says what tells it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recmodels.errors import DataRefused
from tasks.ingest.reading.delimiters import as_written
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.records import Line, stands_in
from tasks.ingest.reading.remedies import listed, remedy, shortened

_EXAMPLES = {
    "interactions": ("user_id", "item_id", "timestamp"),
    "items": ("item_id", "title"),
    "users": ("user_id",),
    "tags": ("item_id", "tag"),
    "exposures": ("user_id", "item_id", "rank", "timestamp"),
}
_IN_TIMES = (" ", ":")
_RULE = re.compile(r"[\s|+:=-]*--[\s|+:=-]*")


@dataclass(frozen=True)
class Checks:
    """The checks of a file of the table `name`."""

    name: str
    path: Path
    table: TableInput

    def refuse_row(self, first: Line, values: Sequence[str]) -> None:
        """Raise DataRefused for a first line that is a row, where no header is given."""
        apart = "; a time that stands apart from its date is not read" if any(map(_is_clock, values)) else ""
        raise self.refusal(
            first,
            f"looks like a row and not like a header ('{shortened(first.text, 60)}'); name the columns, as they follow "
            f"one another, with {remedy(self.name, 'header', self.example(len(values)))}{apart}.",
        )

    def refuse_header(self, first: Line) -> None:
        """Raise DataRefused for a first line that is a header, where another one is given."""
        raise self.refusal(
            first,
            f"looks like a header ('{shortened(first.text, 60)}'), although one is given; leave the given one out and "
            "map the names of the file, or remove the line.",
        )

    def refuse_twice(self, first: Line, name: str, places: Sequence[int]) -> None:
        """Raise DataRefused for a column that is used and named several times."""
        at = f"{places[0]} and {places[1]}" if len(places) == 2 else f"{places[0]} and {len(places) - 1:,} others"
        raise self.refusal(
            first, f"names the column '{shortened(name)}' more than once (columns {at}); rename all but one of them."
        )

    def refuse_preamble(self, first: Line, header: Line) -> None:
        """Raise DataRefused where a line further down has the names of a header."""
        raise self.refusal(
            first,
            f"is no header ('{shortened(first.text)}'), and line {header.number} seems to be one; remove the lines "
            "before it.",
        )

    def refuse_other_count(
        self, first: Line, named: int, rows: Sequence[Sequence[str]], delimiter: str, whose: str
    ) -> None:
        """Raise DataRefused where the rows, all alike, have another number of columns than there are names."""
        counts = Counter(len(row) for row in rows)
        usual, times = counts.most_common(1)[0] if counts else (named, 0)
        if named in counts or times < max(2, 0.8 * len(rows)):
            return
        row = next(row for row in rows if len(row) == usual)
        if usual == 1:
            advice = f"write one delimiter in all lines, where this one has '{as_written(delimiter)}'."
        elif delimiter in _IN_TIMES:
            advice = f"'{as_written(delimiter)}' also stands in values: quote these, or write another delimiter."
        else:
            advice = f"name every column with {remedy(self.name, 'header', self.example(usual))}."
        has = f"{whose} has {counted(named, 'name')} and they have {counted(usual, 'value')} ({listed(row)})"
        raise self.refusal(first, f"does not fit the rows: {has}; {advice}")

    def refuse_drawn(self, lines: Sequence[Line]) -> None:
        """Raise DataRefused for a table that is drawn, as terminals and Markdown do: its values have blanks added."""
        if rule := next((line for line in lines[:2] if _RULE.fullmatch(line.text)), None):
            raise self.refusal(
                rule, f"is a rule ('{shortened(rule.text)}'), as in tables that are drawn; export the table as CSV."
            )

    def refuse_aligned(self, first: Line, delimiter: str, quote: str) -> None:
        """Raise DataRefused where several blanks stand between two columns."""
        quoted = quote and quote in first.text
        if delimiter == " " and not quoted and re.search(r"\S {2,}\S", first.text):
            raise self.refusal(
                first,
                "has several blanks between columns, so that missing values could not be told; write one character "
                "between columns, such as a tab (`tr -s ' ' '\\t' < FILE` does, if no value has blanks).",
            )

    def refuse_undivided(self, first: Line, rows: Sequence[str]) -> None:
        """Raise DataRefused where a header is one column, but something regular stands in each line."""
        if all("  " in line.strip() for line in (first.text, *rows)):
            self.refuse_aligned(first, " ", "")
        for character in dict.fromkeys(first.text.strip()):
            if character.isalnum() or character in "_-.'\"":
                continue
            if rows and len({line.count(character) for line in (first.text, *rows)}) == 1:
                raise self.refusal(
                    first,
                    f"is one column to every delimiter that is known; '{as_written(character)}' seems to stand between "
                    f"its columns: give it with {remedy(self.name, 'delimiter', character)}.",
                )

    def refuse_open_quote(self, first: Line, delimiter: str, quote: str) -> None:
        """Raise DataRefused where a quote in the header is not closed on its line."""
        if not quote or len(delimiter) > 1 or first.text.count(quote) % 2 == 0:
            return
        if any(part.lstrip().startswith(quote) for part in first.text.split(delimiter)):
            raise self.refusal(
                first,
                "has a quote that is not closed before the line ends; write the header on one line and close its "
                f"quotes, or read the table without quotes: {remedy(self.name, 'quote', None)}.",
            )

    def refuse_single_quotes(self, first: Line, names: Sequence[str], below: Sequence[Sequence[str]]) -> None:
        """Raise DataRefused where all values of a column stand in single quotes, and nothing says what these are."""
        given = self.table.header or []
        rows = [names, *below] if given else below
        for place, name in enumerate(names):
            values = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
            if len(values) > 1 and all(stands_in(value, "'") for value in values):
                raise self.refusal(
                    first,
                    f"has a column '{shortened(given[place] if len(given) > place else name.strip())}' "
                    f"whose values stand in single quotes, such as {shortened(values[0])}; give "
                    f"{remedy(self.name, 'quote', chr(39))} if these are quotes, or "
                    f"{remedy(self.name, 'quote', chr(34))} if they belong to the values.",
                )

    def example(self, columns: int) -> list[str]:
        """Names for so many columns, to show how a header is given."""
        known = _EXAMPLES[self.name]
        return [*known[:columns], *(f"column_{place}" for place in range(len(known) + 1, columns + 1))]

    def refusal(self, line: Line, what: str) -> DataRefused:
        """A refusal for what a line is or has."""
        return DataRefused(f"{self.name}: {self.path}, line {line.number} {what}")


def counted(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _is_clock(value: str) -> bool:
    return re.fullmatch(r"\d{1,2}:\d\d(:\d\d\S*)?", value.strip()) is not None
