"""Where a user is left in a folder, by a search of every byte that knows nothing of how forgetting works."""

import gzip
import html
import json
import re
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq


def traces(root: Path, user_id: str) -> list[str]:
    """The files that have a user, within `root`: as text in any escape, as a value, or as a number of eight bytes."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    user = _written(user_id)
    return [
        str(path.relative_to(root))
        for path in files
        if any(map(user.search, _contents(path.read_bytes(), path.suffix)))
    ]


@cache
def _contents(raw: bytes, suffix: str) -> tuple[bytes, ...]:
    """A file's bytes; and unpacked, what a Parquet file has in its pages, dictionaries, statistics and metadata."""
    unpacked = {".gz": _unzipped, ".parquet": _of_parquet}.get(suffix)
    return (raw, *(unpacked(raw) if unpacked else ()))


def _unzipped(raw: bytes) -> Iterator[bytes]:
    yield gzip.decompress(raw)


def _of_parquet(raw: bytes) -> Iterator[bytes]:
    file = pq.ParquetFile(pa.BufferReader(raw))
    yield str(file.metadata.metadata).encode() + str(file.schema_arrow.metadata).encode()
    for group in range(file.num_row_groups):
        about = file.metadata.row_group(group)
        for column in range(about.num_columns):
            found = about.column(column).statistics
            if found is not None and found.has_min_max:
                yield _as_bytes([found.min, found.max])
    texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
    yield from _values(file.read())
    encoded = pq.ParquetFile(pa.BufferReader(raw), read_dictionary=texts)  # with dictionaries as they are in the file
    for column in encoded.read().columns:
        for chunk in column.chunks:
            if pa.types.is_dictionary(chunk.type):
                yield _as_bytes(chunk.dictionary.to_pylist())


def _values(table: pa.Table) -> Iterator[bytes]:
    for column in table.columns:
        yield _as_bytes(column.to_pylist())


def _as_bytes(values: list[object]) -> bytes:
    return b"\n".join(str(value).encode("utf-8", "surrogatepass") for value in values)


@cache
def _written(user_id: str) -> re.Pattern[bytes]:
    """What a user is found by."""
    forms = {user_id, html.escape(user_id), quote(user_id), html.escape(user_id).replace("&#x27;", "&#39;")}
    forms.add(html.escape(user_id).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"))
    forms |= {json.dumps(form, ensure_ascii=pure)[1:-1] for form in tuple(forms) for pure in (True, False)}
    found = [rb"(?<!\w)(?:" + b"|".join(re.escape(form.encode()) for form in forms) + rb")(?!\w)"]
    if user_id.isdigit() and len(user_id) > 6:
        found.append(re.escape(struct.pack("<q", int(user_id))))
    return re.compile(b"|".join(found))
