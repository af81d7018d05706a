"""What stands between the columns of a CSV file: what is known, how it is given, and how it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from tasks.ingest.reading.records import split


class Delimiter(NamedTuple):
    """A delimiter, and the word for it in settings. `common`: it is found without the help of names or of rows."""

    text: str
    name: str
    common: bool = False


DELIMITERS = (
    Delimiter(",", "comma", common=True),
    Delimiter("\t", "tab", common=True),
    Delimiter(";", "semicolon", common=True),
    Delimiter("|", "pipe", common=True),
    Delimiter("::", "two colons", common=True),
    Delimiter("||", "two pipes", common=True),
    Delimiter("^", "caret"),
    Delimiter("~", "tilde"),
    Delimiter("\x01", r"\x01"),
    Delimiter("\x02", r"\x02"),
    Delimiter("\x1f", r"\x1f"),
    Delimiter(":", "colon"),
    Delimiter(" ", "space"),
)
"""Delimiters that are found, the likelier ones first."""
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([tsn0\\]))")
_LETTERS = {"t": "\t", "s": " ", "n": "\n", "0": "\0", "\\": "\\"}


def as_meant(text: str) -> str:
    r"""The text that a setting means: `tab`, `\t` and `\x09` mean a tab; any other text means itself."""
    named = next((known.text for known in DELIMITERS if known.name == text.strip().lower()), None)
    if named is not None:
        return named
    if len(text) < 2:
        return text
    return _ESCAPED.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _LETTERS[m[3]], text)


def as_written(text: str) -> str:
    r"""A text as a setting can give it, in characters that can be seen: `\t`, `\x01`, `space`."""
    if text == " ":
        return "space"
    if text == "\t":
        return r"\t"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def candidates(line: str, given: str | None = None) -> Iterator[str]:
    """Delimiters that may stand in a line: the one that is given, or the known ones and any mark that is there."""
    if given:
        yield given
        return
    yield from _KNOWN
    for character in dict.fromkeys(line):
        if not character.isalnum() and character not in "_-.'\"#" and character not in _KNOWN:
            yield character


_KNOWN = {delimiter.text: delimiter for delimiter in DELIMITERS}


def by_number(first: str, rows: Sequence[str], quote: str, columns: int) -> str:
    """The delimiter that parts most lines into so many columns, the first among them."""
    found = list(candidates(first))
    return max(
        found,
        key=lambda d: (_share(d, columns, [first, *rows], quote), d in _KNOWN, len(split(first, d, quote))),
    )


def by_names(first: str, rows: Sequence[str], quote: str, hits: Callable[[Sequence[str]], int]) -> str:
    """The delimiter that finds most names in a header; else the one that parts the rows into as many columns.

    `hits`: how many of some names are looked for.
    """
    names = {delimiter: split(first, delimiter, quote) for delimiter in candidates(first)}

    @cache
    def share(delimiter: str) -> float:
        return _share(delimiter, len(names[delimiter]), rows, quote)

    found = {d: n for d, parts in names.items() if (n := hits(parts)) and (d in _KNOWN or n > 1 or share(d) >= 0.9)}
    if found:
        best = [delimiter for delimiter, n in found.items() if n == max(found.values())]
        return max(best, key=lambda d: (-names[d].count(""), d in _KNOWN, len(names[d])))
    parting = [delimiter for delimiter, parts in names.items() if delimiter in _KNOWN and len(parts) > 1]
    if common := [delimiter for delimiter in parting if _KNOWN[delimiter].common]:
        return max(common, key=lambda d: (share(d) >= 0.5, -names[d].count(""), len(names[d])))
    rare = [delimiter for delimiter in parting if share(delimiter) >= 0.9]
    return max(rare, key=lambda d: (share(d), len(names[d])), default=DELIMITERS[0].text)


def _share(delimiter: str, columns: int, rows: Sequence[str], quote: str) -> float:
    """The share of some lines that have so many columns."""
    return sum(len(split(row, delimiter, quote)) == columns for row in rows) / max(1, len(rows))
