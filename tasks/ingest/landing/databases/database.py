"""What every kind of database can do: say a table's columns, and give rows in batches that see one state of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from recmodels.errors import ConfigError, DataRefused

Trouble = Literal["unreachable", "login", "database", "table", "column", "permission", "syntax", "timeout", "other"]
"""What a database may say instead of giving rows."""


class Database(ABC):
    """An open connection, all of whose statements see the same state of the database.

    `marks` is what names are quoted with.
    """

    marks = ('"', '"')

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

    def value(self, field: pa.Field) -> str:
        """A column as SQL, in a type that Arrow has."""
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


def in_words(refused: Refused, place: str, table: str) -> Exception:
    """A sentence about what a database refuses: where it is, which table, and what to do.

    What cannot be reached may be there in a minute: that is a ConnectionError, and is tried again.
    """
    why = f" ({refused.detail})" if refused.detail else ""
    match refused.trouble:
        case "unreachable":
            return ConnectionError(f"{place} cannot be reached{why}: check its address, and whether it runs.")
        case "login":
            return ConfigError(f"{place} does not let this user in{why}; check the user and the password's variable.")
        case "database":
            return ConfigError(f"{place}: there is no such database{why}; check its name.")
        case "table":
            return ConfigError(f"{place} has no table {table}{why}; check its name, with its schema if it has one.")
        case "column":
            return ConfigError(f"{place}, {table}: a column does not exist{why}; check the query.")
        case "permission":
            return ConfigError(f"{place}: this user may not read {table}{why}; grant SELECT on it.")
        case "syntax":
            return ConfigError(f"{place}: the query is not valid{why}; try it in the database's own client.")
        case "timeout":
            return TimeoutError(f"{place}: reading {table} took too long{why}; raise its limit, or ask less.")
        case _:
            return DataRefused(f"{place}: {table} cannot be read{why}.")
