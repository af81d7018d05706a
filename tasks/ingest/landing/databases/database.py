"""What every kind of database can do: say a table's columns, and give rows in batches that see one state of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.addresses import DATABASES, scheme
from tasks.ingest.reading.remedies import listed

Trouble = Literal[
    "unreachable", "lost", "address", "login", "database", "table", "column", "permission", "reading", "syntax",
    "timeout", "other",
]  # fmt: skip
"""What a database may say instead of giving rows. `reading`: it begins no transaction that only reads."""


class Database(ABC):
    """An open connection, all of whose statements see the same state of the database.

    `marks` is what names are quoted with, `catalog` a query of the names of the tables that the user may see.
    """

    marks = ('"', '"')
    catalog = (
        "SELECT table_schema || '.' || table_name FROM information_schema.tables "
        "WHERE lower(table_schema) NOT IN ('information_schema', 'pg_catalog') ORDER BY 1"
    )

    @abstractmethod
    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The rows of a query, some thousands at a time."""

    @abstractmethod
    def schema(self, relation: str) -> pa.Schema:
        """The columns of a relation, and their types."""

    def quoted(self, name: str) -> str:
        """A name as SQL."""
        first, last = self.marks
        return f"{first}{name.replace(last, last * 2)}{last}"

    def tables(self) -> list[str]:
        """The names of the tables that the user may see, as `table` gives them."""
        _, batches = self.stream(self.catalog)
        return [str(name.as_py()) for batch in batches for name in batch[0]]

    def value(self, field: pa.Field, *, exact: bool = False) -> str:
        """A column as SQL, in a type that Arrow has. `exact`: numbers keep all their digits, as ids must."""
        return self.quoted(field.name)

    def instant(self, when: datetime, kind: pa.DataType) -> str:
        """A time as SQL to compare a column of that type with: aware for instants, naive for times without a zone."""
        if pa.types.is_date(kind):
            return f"DATE '{when:%Y-%m-%d}'"
        if kind.tz is None:
            return f"TIMESTAMP '{when:%Y-%m-%d %H:%M:%S.%f}'"
        return f"TIMESTAMP WITH TIME ZONE '{when:%Y-%m-%d %H:%M:%S.%f+00:00}'"

    def first(self, sql: str) -> Any:
        """The only value of a query."""
        _, batches = self.stream(sql)
        return pa.Table.from_batches(list(batches))[0][0].as_py()


Opener = Callable[[str], AbstractContextManager[Database]]
"""What opens the database at an address, with its secrets filled in."""


class Refused(Exception):
    """What a database refuses, in one of a few words that the message for people is made of."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(trouble)
        self.trouble, self.detail = trouble, detail


_SENTENCES: dict[Trouble, tuple[type[Exception], str]] = {
    "unreachable": (ConnectionError, "{place} cannot be reached{why}: check its address, and whether it runs."),
    "lost": (
        ConnectionError,
        "{place}: the connection was lost while {what} was read{why}, and nothing of that is kept: see the server's "
        "log.",
    ),
    "address": (ConfigError, "{place}: its driver does not take the address{why}; correct it."),
    "login": (
        ConfigError,
        "{place} does not let this user in{why}; check the user and the password's variable{variable}.",
    ),
    "database": (ConfigError, "{place}: there is no such database{why}; check its name."),
    "table": (ConfigError, "{place} has no table {what}{why}; {known}."),
    "column": (ConfigError, "{place}, {what}: a column does not exist{why}; check the query."),
    "permission": (ConfigError, "{place}: this user may not read {what}{why}; grant SELECT on it."),
    "reading": (
        ConfigError,
        "{place} begins no transaction that only reads and sees one state{why}; give a server that does, or write the "
        "table to Parquet files and give these.",
    ),
    "syntax": (ConfigError, "{place}: the query is not valid{why}; try it in the database's own client."),
    "timeout": (TimeoutError, "{place}: reading {what} took too long{why}; raise its limit, or ask less."),
    "other": (DataRefused, "{place}: {what} cannot be read{why}."),
}
"""What people read. What cannot be reached may be there in a minute: that is a ConnectionError, and is tried again."""
_OF_A_QUERY = "{place}: the query names a table that is not there{why}; check its names."


def in_words(refused: Refused, name: str, place: str, table: str | None, there: Sequence[str] = ()) -> Exception:
    """A sentence about what a database refuses, and what to do.

    Args:
        refused: what it was.
        name: of the table of ours.
        place: the database's address, without its user.
        table: of the database; None for a query.
        there: the tables that there are, where they could be asked for.
    """
    error, sentence = _SENTENCES[refused.trouble]
    if refused.trouble == "table" and table is None:
        sentence = _OF_A_QUERY
    variable = DATABASES.get(scheme(place))
    said = sentence.format(
        place=f"{name}: {place}",
        what=table or "the query",
        why=f" ({refused.detail})" if refused.detail else "",
        variable=f" ({variable})" if variable else "",
        known=f"there are {listed(there)}" if there else "check its name, with its schema if it has one",
    )
    return error(said)
