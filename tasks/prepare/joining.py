"""Parquet files joined to one, without reading their rows: the pages follow one another, and the footers are one.

A footer is a structure of Thrift's compact protocol (https://parquet.apache.org/docs/file-format/metadata/). It is read
field by field whatever the fields mean, and only what depends on the place in the file is changed. So the file is, to
the byte, what a writer would have written that was given all row groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

MAGIC = b"PAR1"

_TRUE, _FALSE, _I16, _I64, _LIST, _STRUCT = 1, 2, 4, 6, 9, 12  # types; also 3: byte, 5: i32, 7: double, 8: binary
Struct: TypeAlias = dict[int, tuple[int, Any]]
"""Fields by their numbers: the type, and the value."""

_NUM_ROWS, _ROW_GROUPS = 3, 4  # of the footer
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7  # of a row group
_CHUNK_OFFSETS, _META_DATA = (2, 4, 6), 3  # of a column in it: also those of the pages' index
_PAGE_OFFSETS = (9, 10, 11, 14)  # of its data: pages, index, dictionary, Bloom filter


def join(files: Sequence[Path], to: Path) -> None:
    """Write the row groups of some Parquet files, in their order, as one file.

    Args:
        files: at least one; all have been written with the same schema and options.
        to: the file.
    """
    footers = [_footer(file) for file in files]
    first, _ = footers[0]
    groups: list[Struct] = []
    with to.open("wb") as target:
        target.write(MAGIC)
        for file, (footer, end) in zip(files, footers, strict=True):
            shift = target.tell() - len(MAGIC)
            with file.open("rb") as source:
                source.seek(len(MAGIC))
                _copy(source, target, end - len(MAGIC))
            for group in footer[_ROW_GROUPS][1][1]:
                groups.append(_moved(group, shift, len(groups)))
        n_rows = sum(footer[_NUM_ROWS][1] for footer, _ in footers)
        joined = first | {_NUM_ROWS: (_I64, n_rows), _ROW_GROUPS: (_LIST, (_STRUCT, groups))}
        written = bytearray()
        _write_struct(written, joined)
        target.write(written + len(written).to_bytes(4, "little") + MAGIC)


def _copy(source: Any, target: Any, n: int) -> None:
    while n:
        chunk = source.read(min(n, 1 << 22))
        target.write(chunk)
        n -= len(chunk)


def _footer(file: Path) -> tuple[Struct, int]:
    """The footer of a file, and where it begins."""
    with file.open("rb") as source:
        source.seek(-8, 2)
        size = int.from_bytes(source.read(4), "little")
        source.seek(-8 - size, 2)
        begin = source.tell()
        return _Reader(source.read(size)).struct(), begin


def _moved(group: Struct, shift: int, ordinal: int) -> Struct:
    """A row group that lies elsewhere."""
    kind, columns = group[_COLUMNS][1]
    moved = [
        _shifted(column, _CHUNK_OFFSETS, shift)
        | {_META_DATA: (_STRUCT, _shifted(column[_META_DATA][1], _PAGE_OFFSETS, shift))}
        for column in columns
    ]
    changed = _shifted(group, (_GROUP_OFFSET,), shift) | {_COLUMNS: (_LIST, (kind, moved))}
    return changed | {_ORDINAL: (_I16, ordinal)} if _ORDINAL in group else changed


def _shifted(struct: Struct, offsets: Sequence[int], shift: int) -> Struct:
    """A structure with some of its fields, where they are there and not 0, larger by so much."""
    there = {name: struct[name] for name in offsets if name in struct and struct[name][1]}
    return struct | {name: (kind, value + shift) for name, (kind, value) in there.items()}


@dataclass
class _Reader:
    """Reads values one after the other."""

    data: bytes
    at: int = 0

    def struct(self) -> Struct:
        fields: Struct = {}
        name = 0
        while head := self._byte():
            name = name + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[name] = kind, None if kind in (_TRUE, _FALSE) else self._value(kind)
        return fields

    def _value(self, kind: int) -> Any:
        match kind:
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._number())
            case 9 | 10:
                head = self._byte()
                n = head >> 4 if head >> 4 < 15 else self._number()
                within = head & 15
                boolean = within in (_TRUE, _FALSE)  # a byte each
                return within, [self._byte() if boolean else self._value(within) for _ in range(n)]
            case 12:
                return self.struct()
            case _:
                raise ValueError(f"a Parquet footer has no fields of the type {kind}")

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _bytes(self, n: int) -> bytes:
        self.at += n
        return self.data[self.at - n : self.at]

    def _number(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 128:
            number |= (byte & 127) << shift
            shift += 7
        return number | byte << shift

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)


def _write_struct(to: bytearray, struct: Struct) -> None:
    before = 0
    for name, (kind, value) in struct.items():
        if 0 < name - before < 16:
            to.append((name - before) << 4 | kind)
        else:
            to.append(kind)
            _write_signed(to, name)
        before = name
        if kind not in (_TRUE, _FALSE):
            _write_value(to, kind, value)
    to.append(0)


def _write_value(to: bytearray, kind: int, value: Any) -> None:
    match kind:
        case 3:
            to.append(value)
        case 4 | 5 | 6:
            _write_signed(to, value)
        case 7:
            to += value
        case 8:
            _write_number(to, len(value))
            to += value
        case 9 | 10:
            within, items = value
            to.append(min(len(items), 15) << 4 | within)
            if len(items) >= 15:
                _write_number(to, len(items))
            for item in items:
                if within in (_TRUE, _FALSE):
                    to.append(item)
                else:
                    _write_value(to, within, item)
        case _:
            _write_struct(to, value)


def _write_number(to: bytearray, number: int) -> None:
    while number > 127:
        to.append(number & 127 | 128)
        number >>= 7
    to.append(number)


def _write_signed(to: bytearray, number: int) -> None:
    _write_number(to, number << 1 ^ number >> 63)
