"""Texts and bytes as nobody expects them."""

import bz2
import gzip
import lzma
import zlib
from random import Random

ODD = [
    '', ' ', '\t', '\x00', '\x1b[31mred\x1b[0m', '\x9b2J', '\u202egnp.exe', '\ufeff', '�', 'é', '日本',
    '\U0001f469\u200d\U0001f469\u200d\U0001f467', "a" * 5000, "'", '"', '""', '`', '\\', '\r', '\n', '\r\n',
    '\x85', '\u2028', ',', ';', '|', '%s', '{}', '${HOME}', '$(id)', '../..', '/dev/null', '~', '*', '[', ']',
    'null', 'NULL', 'none', 'None', 'nan', 'inf', '-inf', 'true', 'false', '0', '-0', '-1', '1e400', '1e-400', "9"
    * 30, '9223372036854775808', '-9223372036854775809', '0x10', '1_000', '1,5', '2023-02-30', '0000-00-00',
    '9999-12-31T23:59:60+14:00', '2023-01-01T00:00:00Z', '1e10', '1672531200', '16725312000000', 'user_id',
    'item_id', 'timestamp', 'rating', '[bold]x[/bold]', '<script>', 'DROP TABLE x;', 'ftp://h/p', 'http://[::1',
    '\udc80', "\uff11\uff12",
]  # fmt: skip
PACKED = (gzip.compress, bz2.compress, lzma.compress, zlib.compress)
MARKS = (
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"PAR1",
    b"\x28\xb5\x2f\xfd",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"{",
    b"[",
    b'"',
)


def text(chance: Random) -> str:
    """A text: odd, or some characters of any kind."""
    if chance.random() < 0.8:
        return chance.choice(ODD)
    ranges = [(0, 32), (32, 127), (128, 0xD800)]
    return "".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(8))


def damaged(chance: Random, data: bytes, times: int = 3) -> bytes:
    """Bytes with some changes: flipped, cut, doubled, moved, filled with something odd."""
    for _ in range(chance.randint(1, times)):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.choice((1, 1, 4, 40, 4000)))
        part = data[at:to]
        kind = chance.randrange(9)
        if kind == 0 and part:
            data = data[:at] + bytes([part[0] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[to:]
        elif kind == 2:
            data = data[:to] + part * chance.choice((1, 2, 50)) + data[to:]
        elif kind == 3:
            data = data[:at]
        elif kind == 4:
            data = data[:at] + text(chance).encode("utf-8", "surrogateescape") + data[to:]
        elif kind == 5:
            data = data[:at] + chance.randbytes(chance.choice((1, 8, 300))) + data[at:]
        elif kind == 6:
            data = chance.choice(MARKS) + data
        elif kind == 7:
            lines = data.split(b"\n")
            chance.shuffle(lines)
            data = b"\n".join(lines)
        else:
            data = data[:at] + text(chance).encode("utf-8", "surrogateescape") + data[at:]
    return data


def packed(chance: Random, data: bytes) -> bytes:
    """Bytes that are compressed, and now and then cut or damaged then."""
    data = chance.choice(PACKED)(data)
    return damaged(chance, data, 1) if chance.random() < 0.3 else data
