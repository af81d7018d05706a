"""What of a table elsewhere is not asked for: columns that no night uses, and rows that come after its cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from tasks.ingest.landing.landed import source_of
from tasks.ingest.reading import schema
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.our_columns import OPTIONAL, REQUIRED

CUT = ("interactions", "tags")
"""Tables of which a night reads what is before its cutoff alone."""
_SLACK = timedelta(days=1)  # for what a time without a zone may mean; the ingest cuts to the microsecond


@dataclass(frozen=True)
class Before:
    """Rows of which a column has an earlier time; the instant is aware if those of the column are, else naive."""

    column: str
    type: pa.DataType
    instant: datetime

    @property
    def day(self) -> date | datetime:
        """The instant as values of the column are compared with it."""
        return self.instant.date() if pa.types.is_date(self.type) else self.instant


def before(name: str, table: TableInput, there: pa.Schema, cutoff: datetime | None) -> Before | None:
    """The condition that rows before the cutoff meet, beside those without a time, which the quarantine is for.

    None where all rows are read: of tables that are not in `CUT`, and where the timestamps are numbers or texts, which
    the ingest alone reads. Where a zone has to be assumed, it lets a day more through.

    Args:
        name: of the table.
        table: its settings.
        there: its columns.
        cutoff: aware.
    """
    column = next((one for one in schema.names(table, "timestamp") if one in there.names), None)
    if cutoff is None or name not in CUT or column is None:
        return None
    kind = there.field(column).type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return Before(column, kind, cutoff.astimezone(UTC))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Before(column, kind, (cutoff.astimezone(ZoneInfo(table.timezone)) + _SLACK).replace(tzinfo=None))
    return None


def found(name: str, table: TableInput, there: Sequence[str]) -> list[str]:
    """Which of some columns are ours: all where any may be of use."""
    if name in schema.OPEN:
        return list(there)
    ours = dict.fromkeys((*REQUIRED[name], *OPTIONAL[name], *table.columns))
    options = {one for each in ours for one in schema.names(table, each)}
    roots = {one.split(".")[0] for one in options}
    return [column for column in there if column in options | roots]


def needed(name: str, table: TableInput, there: Sequence[str]) -> list[str]:
    """Which of a table's columns are read: those of ours, or all where any may be of use.

    Raises:
        DataRefused: one that is required, or that is mapped, is not there.
    """
    schema.refuse_missing(name, table, there, source_of(table))
    return found(name, table, there)
