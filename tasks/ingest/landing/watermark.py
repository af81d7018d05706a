"""Reading what is new in a table that grows: by a column with the time at which each row was written.

    |—— read for good, by earlier nights ——|—— read again each night ——|
                                           mark                        now

The mark lies an overlap before the newest row: what a transaction that began earlier has written meanwhile is read by
the next night, in place of what was read from the mark on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing.databases.database import Database
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.remedies import listed


@dataclass(frozen=True)
class Watermark:
    """The column, the mark that the last reading has left, and the one that this reading leaves. `of`: which table."""

    of: str
    field: pa.Field
    since: datetime | None
    mark: datetime | None

    def condition(self, db: Database) -> str | None:
        """The rows from the last mark on, as SQL; None for all. Those without a time are among them, to be refused."""
        if self.since is None:
            return None
        column = db.quoted(self.field.name)
        return f"({column} >= {db.instant(self.since, self.field.type)} OR {column} IS NULL)"

    def split(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """The rows before the new mark, which are read for good, and the others.

        Raises:
            DataRefused: a row has no time, and would not be found again.
        """
        times = batch[self.field.name]
        if times.null_count:
            raise DataRefused(
                f"{self.of}: the watermark '{self.field.name[:40]}' is missing in some rows, which no later night "
                "would find; name a column that every row has."
            )
        if self.mark is None:
            return batch.slice(0, 0), batch
        before = pc.less(times, pa.scalar(self.mark).cast(times.type))
        return batch.filter(before), batch.filter(pc.invert(before))


def watermark(
    db: Database,
    relation: str,
    there: pa.Schema,
    name: str,
    table: TableInput,
    since: str | None,
    until: datetime | None,
) -> Watermark:
    """The mark of a table as it is now.

    Args:
        db: the database.
        relation: the table or query, as SQL.
        there: its columns.
        name: of the table.
        table: its settings.
        since: the mark that the last reading has left.
        until: aware; rows at or after it are not read.

    Raises:
        ConfigError: there is no such column, or it is none of times.
    """
    of, asked = f"{name}, {table.table or 'the query'}", str(table.watermark)
    if asked not in there.names:
        raise ConfigError(f"{of} has no column '{asked[:40]}' for the watermark; there are {listed(there.names)}.")
    field = there.field(asked)
    if not pa.types.is_timestamp(field.type) and not pa.types.is_date(field.type):
        raise ConfigError(
            f"{of}: the watermark '{asked[:40]}' is no date or time in the database ({field.type}); name a column with "
            "the time at which a row is written, or leave it out, and the table is read whole."
        )
    column = db.quoted(asked)
    newest = _as_time(db.first(f"SELECT max({column}) AS {column} FROM {relation}"))
    last = None if since is None else datetime.fromisoformat(since)
    if newest is None:
        return Watermark(of, field, last, last)
    now = datetime.now(UTC) if until is None else min(datetime.now(UTC), until)
    if newest.tzinfo is None:
        now = now.astimezone(ZoneInfo(table.timezone)).replace(tzinfo=None)
    mark = min(newest, now) - timedelta(hours=table.overlap_hours)
    if pa.types.is_date(field.type):
        mark = datetime.combine(mark.date(), time())
    return Watermark(of, field, last, mark if last is None else max(mark, last))


def _as_time(value: date | datetime | None) -> datetime | None:
    return value if value is None or isinstance(value, datetime) else datetime.combine(value, time())
