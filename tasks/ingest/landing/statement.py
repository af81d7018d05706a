"""The one query that a table of a database is read by: the columns that are needed, and the rows before the cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases.database import Database
from tasks.ingest.landing.pushdown import before, needed
from tasks.ingest.landing.watermark import Watermark, watermark
from tasks.ingest.reading import headers, schema
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.our_columns import KEYS


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


def described(db: Database, name: str, table: TableInput) -> tuple[str, pa.Schema]:
    """The table or the query as something to select from, and its columns.

    Raises:
        ConfigError: two columns have one name.
    """
    source = relation(db, table)
    fields = db.schema(source)
    if twice := headers.repeated(fields.names):
        column = next(iter(twice))[:40]
        raise ConfigError(f"{name}: the query gives two columns the name '{column}'; name one of them otherwise (AS).")
    return source, fields


def statement(
    db: Database, name: str, table: TableInput, cutoff: datetime | None, since: str | None = None
) -> Statement:
    """The query for a table.

    Args:
        db: the database.
        name: of the table.
        table: where it is.
        cutoff: aware; see `pushdown.before`. By a watermark that is another column than the timestamps rows after it
            are read, too: others that belong to the night may have been written after them.
        since: the mark that the last reading of a table with a watermark has left.
    """
    source, fields = described(db, name, table)
    end, conditions = before(name, table, fields, cutoff), []
    if end is not None and table.watermark in (None, end.column):
        column = db.quoted(end.column)
        conditions.append(f"({column} < {db.instant(end.instant, end.type)} OR {column} IS NULL)")
    columns, mark = needed(name, table, fields.names), None
    if table.watermark is not None:
        mark = watermark(db, source, fields, name, table, since, cutoff if conditions else None)
        columns = [column for column in fields.names if column in {*columns, table.watermark}]
        conditions += [condition for condition in [mark.condition(db)] if condition]
    ids = {theirs for ours in KEYS[name] for theirs in schema.names(table, ours)}
    values = [db.value(fields.field(column), exact=column in ids) for column in columns]
    return Statement(source, values, conditions, mark)
