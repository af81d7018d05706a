"""Why a file of a folder, or among the matches of a glob, is not read: by its name, or by what it is."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recmodels.errors import ConfigError
from tasks.ingest.reading.contents import ENDINGS, contents
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.packing import DOCUMENTS, beside_the_data, extension

HIDDEN = "its name, or that of its folder, begins with '.' or '_'"
DOCUMENT = "a document by its name"
_DELIMITERS = (",", "\t", ";", "|", "^", "\x01")  # of lines that look like rows
_LINES = 20  # that are looked at
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What is no file, by the type of its inode."""


def by_name(inside: Sequence[str], pattern: Path | None) -> str | None:
    """Why a file is left out by its name, unless the pattern asks for such names."""
    asked = pattern.parts[-len(inside) :] if pattern else ()
    for mark in "._":
        if any(part.startswith(mark) for part in inside) and not any(part.startswith(mark) for part in asked):
            return HIDDEN
    if pattern and pattern.name.lower().endswith(DOCUMENTS["endings"]):
        return None
    return DOCUMENT if beside_the_data(inside[-1:]) and not inside[-1].startswith((".", "_")) else None


def by_contents(name: str, path: Path, table: TableInput) -> str | None:
    """Why a file is left out by what it is; a name that ends as those of data is always read, or refused."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if not path.is_symlink():
            return f"it cannot be opened: {error.strerror}"
        why = f"a link to '{path.readlink()}', which is not there"
        raise ConfigError(f"{name}: '{path}' is {why}; remove it, or leave it out with a glob.") from None
    if kind := KINDS.get(stat.S_IFMT(mode)):
        return kind
    refuse_undecodable(name, path)
    if extension(path) in ENDINGS or not path.stat().st_size:
        return None
    found = contents(path, table)
    if found.unread:
        return found.unread.what
    if found.format == "csv" and not _rows(found.text, table):
        return "its lines do not look like the rows of a table"
    return None


def _rows(text: str, table: TableInput) -> bool:
    """Whether a text looks like a table: its first line has a name that is looked for, or its lines equal commas."""
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[: _LINES + 1] if line.strip()]
    if not lines:
        return False
    names = {"user_id", "item_id", *(table.header or ())}
    for theirs in table.columns.values():
        names.update([theirs] if isinstance(theirs, str) else theirs)
    if any(name in lines[0] for name in names):
        return True
    whole = lines[:-1] if len(lines) > 2 else lines  # the last may be cut
    for delimiter in [table.delimiter] if table.delimiter else _DELIMITERS:
        count, lines_with = Counter(line.count(delimiter) for line in whole).most_common(1)[0]
        if count >= (1 if len(whole) > 1 else 2) and lines_with >= 0.7 * len(whole):
            return True
    return "::" in lines[0]


def refuse_undecodable(name: str, path: Path) -> None:
    """Raise ConfigError where a name is not UTF-8: no record could name the file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{name}: the name of the file {os.fsencode(path)!r} is not UTF-8; rename it.") from None
