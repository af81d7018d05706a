"""What an inspection finds, as data: files, columns, tables, and what a night would say of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tasks.ingest.reading.inputs import TableInput

Certainty = Literal["given", "sure", "likely", "unsure"]


@dataclass(frozen=True)
class FileFound:
    """A file. `table`: what it is read as; `not_read`: why it is not, in which case the rest may be unknown."""

    path: str
    bytes: int
    table: str | None = None
    format: str | None = None
    packed: str = ""
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    not_read: str = ""


@dataclass(frozen=True)
class ColumnFound:
    """A column of some files, by their first rows.

    `distinct` is an estimate; `used_as`: one of our columns or what the site's own is kept as, `sure` and `why`: of
    that guess.
    """

    name: str
    type: str
    examples: tuple[str, ...]
    missing: int
    distinct: int
    used_as: str = ""
    sure: Certainty | None = None
    why: str = ""


@dataclass(frozen=True)
class TableFound:
    """Files of one layout. `table`: which of ours they are, if any; `looked_at`: the rows that tell of the columns.

    `rows` are all of them, `rejects` the lines that are no rows, where the table was read whole.
    """

    table: str | None
    sure: Certainty
    why: str
    path: str | None
    files: tuple[str, ...]
    columns: tuple[ColumnFound, ...]
    looked_at: int
    rows: int | None = None
    rejects: int = 0
    blank_lines: int = 0


@dataclass(frozen=True)
class Times:
    """When the interactions were, in ISO; `written`: the form of the timestamps; `zone`: what is taken for theirs."""

    oldest: str
    newest: str
    written: str
    zone: str


@dataclass(frozen=True)
class Events:
    """What the interactions hold. `repeated`: rows whose user, item and time an earlier row has."""

    rows: int
    users: int
    items: int
    repeated: int
    kinds: dict[str, Kind]
    times: Times | None
    known_items: float | None = None


@dataclass(frozen=True)
class Kind:
    """The interactions of one kind of event."""

    rows: int
    users: int
    items: int


@dataclass(frozen=True)
class Refusal:
    """Why a night would stop, or leave something out: a sentence that says what to do."""

    about: str
    sentence: str
    stops: bool = True


@dataclass(frozen=True)
class Inspection:
    """All of it.

    `inputs`: the settings that the tables are read with; `preset`: instead of them, if one fits. `sampled`: a table
    that is elsewhere has more rows than were looked at, and perhaps newer ones.
    """

    files: tuple[FileFound, ...]
    tables: tuple[TableFound, ...]
    inputs: dict[str, TableInput] = field(default_factory=dict)
    preset: str | None = None
    preset_path: str | None = None
    events: Events | None = None
    date: str | None = None
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    sampled: bool = False

    @property
    def fit(self) -> bool:
        """Whether a night could run."""
        return self.events is not None and not any(refusal.stops for refusal in self.refusals)
