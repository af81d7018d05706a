"""Whether a file of any kind has a user: what is not ours to change is searched."""

import gzip
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.forgetting.person import LONG, Person

BLOCK = 16 * 2**20  # bytes of a file that are searched at a time
OVERLAP = 2_000  # bytes of a block that are searched with the next one


def holds(path: Path, person: Person, among_all: bool = False) -> bool:
    """Whether a file has the user: as a value of a table, or as a word anywhere.

    A whole number is the user in columns about users; with `among_all` in any column.
    """
    if path.suffix == ".parquet":
        return _in_table(path, person, among_all)
    forms = [form.encode("utf-8", "surrogatepass") for form in person.forms]
    number = [struct.pack("<q", person.number)] if _is_long(person) else []
    opened, rest = gzip.open if path.suffix == ".gz" else open, b""
    with opened(path, "rb") as file:
        while block := file.read(BLOCK):
            part = rest + block
            if any(one in part for one in number):
                return True
            if any(form in part for form in forms) and person.in_text(part.decode("utf-8", "replace")):
                return True
            rest = part[-OVERLAP:]
    return False


def _is_long(person: Person) -> bool:
    return person.number is not None and len(person.user_id) >= LONG and -(2**63) <= person.number < 2**63


def _in_table(path: Path, person: Person, among_all: bool) -> bool:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for field, column in zip(batch.schema, batch.columns, strict=True):
                about_users = any(word in field.name.lower() for word in ("user", "customer", "visitor", "person"))
                if (among_all or about_users or not pa.types.is_integer(field.type)) and person.rows_of(column).any():
                    return True
    return False


def files_in(folder: Path) -> list[Path]:
    """All files of a folder, in order; links are not followed."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
