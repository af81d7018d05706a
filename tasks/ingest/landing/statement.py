"""The one query that a table of a database is read by: the columns that are needed, and the rows before the cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases.database import Database
from tasks.ingest.landing.landed import source_of
from tasks.ingest.landing.watermark import Watermark, watermark
from tasks.ingest.reading import headers, schema
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.our_columns import KEYS, OPTIONAL, REQUIRED

CUT = ("interactions", "tags")
"""Tables of which a night reads what is before its cutoff alone."""
_SLACK = timedelta(days=1)  # for what a time without a zone may mean; the ingest cuts to the microsecond


@dataclass(frozen=True)
class Statement:
    """What is read of a table: its columns, and the conditions that its rows meet, as SQL; its watermark, if any."""

    relation: str
    columns: Sequence[str]
    conditions: Sequence[str] = ()
    watermark: Watermark | None = None

    @property
    def sql(self) -> str:
        """The query."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"SELECT {', '.join(self.columns)} FROM {self.relation}{where}"


def relation(db: Database, table: TableInput) -> str:
    """The table or the query as something to select from."""
    if table.query is not None:
        return f"({table.query.strip().rstrip(';')}\n) AS source"
    assert table.table is not None
    return ".".join(map(db.quoted, table.table.split(".")))


def statement(
    db: Database, name: str, table: TableInput, cutoff: datetime | None, since: str | None = None
) -> Statement:
    """The query for a table.

    Args:
        db: the database.
        name: of the table.
        table: where it is.
        cutoff: aware. Of the tables in `CUT` rows at or after it are not asked for, if their timestamps are times; by a
            watermark that is another column they are: others that belong to the night may have been written after them.
        since: the mark that the last reading of a table with a watermark has left.
    """
    source = relation(db, table)
    fields = db.schema(source)
    if twice := headers.repeated(fields.names):
        column = next(iter(twice))[:40]
        raise ConfigError(f"{name}: the query gives two columns the name '{column}'; name one of them otherwise (AS).")
    time = _time_of(table, fields) if cutoff is not None and name in CUT else None
    conditions = []
    if time is not None and cutoff is not None and table.watermark in (None, time.name):
        column = db.quoted(time.name)
        conditions.append(
            f"({column} < {db.instant(_as_there(cutoff, time.type, table), time.type)} OR {column} IS NULL)"
        )
    columns, mark = needed(name, table, fields.names), None
    if table.watermark is not None:
        mark = watermark(db, source, fields, name, table, since, cutoff if conditions else None)
        columns = [column for column in fields.names if column in {*columns, table.watermark}]
        conditions += [condition for condition in [mark.condition(db)] if condition]
    ids = {theirs for ours in KEYS[name] for theirs in schema.names(table, ours)}
    values = [db.value(fields.field(column), exact=column in ids) for column in columns]
    return Statement(source, values, conditions, mark)


def needed(name: str, table: TableInput, there: Sequence[str]) -> list[str]:
    """Which of a table's columns are read: those of ours, or all where any may be of use.

    Raises:
        DataRefused: one that is required, or that is mapped, is not there.
    """
    schema.refuse_missing(name, table, there, source_of(table))
    if name in schema.OPEN:
        return list(there)
    found: set[str] = set()
    for ours in dict.fromkeys((*REQUIRED[name], *OPTIONAL[name], *table.columns)):
        found |= {part for one in schema.names(table, ours) for part in (one, one.split(".")[0])} & set(there)
    return [column for column in there if column in found]


def _time_of(table: TableInput, fields: pa.Schema) -> pa.Field | None:
    """The column of the timestamps, if it is one of times: numbers and texts are read by the ingest alone."""
    there = next((one for one in schema.names(table, "timestamp") if one in fields.names), None)
    field = None if there is None else fields.field(there)
    is_time = field is not None and (pa.types.is_timestamp(field.type) or pa.types.is_date(field.type))
    return field if is_time else None


def _as_there(when: datetime, kind: pa.DataType, table: TableInput) -> datetime:
    """An instant as a column of that type is compared with it, or a day later where a zone has to be assumed."""
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return when.astimezone(UTC)
    return (when.astimezone(ZoneInfo(table.timezone)) + _SLACK).replace(tzinfo=None)
