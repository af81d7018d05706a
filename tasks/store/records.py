"""The JSON files of a store, read by what they must hold: a damaged one is told from one that says something.

A file that is absent, cut short, no JSON, of another shape, or may not be read, reads as None, and its reader goes on
without it, or makes it again.
"""

import json
from collections.abc import Hashable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NotRequired, TypeVar, cast

from pydantic import AfterValidator, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from tasks.store.files import Json, digest, read_json
from tasks.store.ids import is_export_id, night_of


def _export_id(text: str) -> str:
    if not is_export_id(text):
        raise ValueError("is no name of an export")
    return text


def _day(text: str) -> str:
    if night_of(text) is None:
        raise ValueError("is no date")
    return text


def _instant(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("has no time zone")
    return text


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError("is outside its folder")
    return text


ExportId = Annotated[str, AfterValidator(_export_id)]
Day = Annotated[str, AfterValidator(_day)]
Instant = Annotated[str, AfterValidator(_instant)]
Inside = Annotated[str, AfterValidator(_inside)]
"""A path within the folder that is spoken of."""


class FileEntry(TypedDict):
    """A file as a manifest names it; rows and column types for Parquet."""

    path: Inside
    bytes: int
    sha256: str
    rows: NotRequired[int]
    schema: NotRequired[dict[str, str]]


class Pointer(TypedDict):
    """`latest.json`."""

    export_id: ExportId
    run_date: Day
    path: Inside
    manifest: Inside
    manifest_sha256: str
    published_at: Instant
    withdrawn: NotRequired[list[ExportId]]


class Switch(TypedDict):
    """A line of `published.jsonl`: readers were pointed to another export, by a night, a rollback or `refilter`."""

    at: Instant
    export_id: ExportId
    instead_of: str | None
    by: str


class Lease(TypedDict):
    """`.lease.json`: who holds the store."""

    token: Annotated[str, AfterValidator(_inside)]
    machine: str
    host: str
    pid: int
    since: str
    flow_run: str


Kind = TypeVar("Kind")
SEAL = "seal"


def read(path: Path, kind: type[Kind]) -> Kind | None:
    """The content of a JSON file of a kind; None where it is absent or damaged.

    Fields that the kind does not name are left as they are: a later version may have written them.
    """
    return fitting(read_json(path), kind)


def fitting(content: object, kind: type[Kind]) -> Kind | None:
    """Something read from JSON as what it must be, and None where it is not."""
    try:
        _adapter(cast(Hashable, kind)).validate_python(content, strict=True)
    except (ValidationError, RecursionError):
        return None
    return cast(Kind, content)


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, kind))


def sealed(content: Mapping[str, Any]) -> Json:
    """A record as it will be read back from JSON, with a digest of all the rest of it as its `seal`."""
    plain = {name: value for name, value in json.loads(json.dumps(content, default=str)).items() if name != SEAL}
    return plain | {SEAL: digest(plain)}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """A record that was changed, sealed anew if it was whole; one that was damaged goes on saying so."""
    return sealed(after) if SEAL in before and is_whole(before) else dict(after)


def is_whole(content: Mapping[str, Any]) -> bool:
    """Whether a record says what it was written to say; those of earlier releases have no seal, and pass."""
    rest = {name: value for name, value in content.items() if name != SEAL}
    return SEAL not in content or content[SEAL] == digest(rest)
