"""What stands between the columns of a CSV file: what is known, how it is given, and how it is shown."""

from __future__ import annotations

import re
from typing import NamedTuple


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
