"""Output in encodings of few characters, such as Latin-1 and ASCII: what they lack is written with what they have.

Python would end with a UnicodeEncodeError in the middle of a table, and click would write UTF-8 instead of ASCII.
"""
# ruff: noqa: RUF001 - the characters that look like others are the point

import codecs
import sys
import unicodedata
from io import TextIOWrapper

READABLE = "nightrec-readable"
ASCII = "nightrec_ascii"  # click takes an encoding called ascii for a mistake, and writes UTF-8

REPLACEMENTS = {
    "…": "...", "–": "-", "—": "-", "−": "-", "→": "->", "≥": ">=", "≤": "<=", "≈": "~", "±": "+/-", "·": ".",
    "×": "x", "✓": "+", "✗": "x", "★": "*", "’": "'", "‘": "'", "“": '"', "”": '"', "√": "sqrt", "Σ": "sum",
    "²": "^2", "³": "^3", "⁻": "^-", "ᵀ": "^T", "ß": "ss", "€": "EUR", "─": "-", "│": "|", "α": "alpha", "β": "beta",
    "λ": "lambda", "µ": "u", "π": "pi",
}  # fmt: skip


def speak_the_terminals_encoding() -> None:
    """Make standard output and error write what their encoding lacks in a readable way."""
    codecs.register_error(READABLE, _readable)
    codecs.register(_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not unicode(stream.encoding):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ASCII if ascii_only else None, errors=READABLE)


def unicode(encoding: str | None) -> bool:
    """Whether an encoding has all characters; a stream without one takes text as it is."""
    return encoding is None or codecs.lookup(encoding).name.startswith("utf")


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Each character that cannot be encoded as its replacement, without its accents, or as a number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = [_replaced(character) for character in error.object[error.start : error.end]]
    return "".join(found), error.end


def _replaced(character: str) -> str:
    if character in REPLACEMENTS:
        return REPLACEMENTS[character]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or character.encode("ascii", "backslashreplace").decode()


class _Ascii(codecs.IncrementalEncoder):
    def encode(self, text: str, final: bool = False) -> bytes:
        return text.encode("ascii", self.errors)


def _ascii(name: str) -> codecs.CodecInfo | None:
    if name != ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(plain.encode, plain.decode, None, None, _Ascii, plain.incrementaldecoder, ASCII)
