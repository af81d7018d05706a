"""Text for people: on one line, short, and with nothing that commands a terminal."""

import re

LONGEST = 400  # characters of a message
SHOWN = 40  # characters of a value within one
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, marks of direction, other ends of lines, and the bytes of an argument that are no text."""
_HIDDEN_IN_LINES = re.compile(_HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


_LONG_PATH = re.compile(r"(?:/[^/\s'\",;:()]+){2,}")


def visible(text: str, *, lines: bool = False) -> str:
    """The text with what hides or commands escaped, such as `\\x1b`; `lines`: it may have several."""
    return (_HIDDEN_IN_LINES if lines else _HIDDEN).sub(_escaped, text)


def in_json(text: str) -> str:
    """JSON in lines, escaped likewise as JSON has it."""
    return _HIDDEN_IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def sentence(text: str) -> str:
    """A message on a line, of at most `LONGEST` characters; in one that is too long, a path is cut before words."""
    line = visible(" ".join(text.split()))
    if len(line) > LONGEST:  # the first path says where; a later one may be what to give instead
        line = _LONG_PATH.sub(lambda path: short(path[0]), line, count=1)
    return short(line, LONGEST)


def short(text: str, limit: int = SHOWN) -> str:
    """The begin and the end of a text that is longer than `limit`."""
    if len(text) <= limit:
        return text
    end = (limit - 1) // 2
    return f"{text[: limit - 1 - end]}…{text[-end:]}"


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `1 row`, `2,000 rows`."""
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of an argument
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
