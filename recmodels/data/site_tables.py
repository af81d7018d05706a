"""A site's own tables of items and users, in the order of a dataset's indices."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.layout import ITEMS, PREPARED, USERS, existing
from recmodels.errors import DataRefused


@dataclass(frozen=True, eq=False)
class SiteTables:
    """What a site knows of its items and users: row i is that of index i.

    Attributes:
        items: `item_id` and the site's own columns, [n_items].
        users: `user_id` and the site's own columns, [n_users].
    """

    items: pa.Table
    users: pa.Table

    def check(self, n_users: int, n_items: int) -> None:
        """Raise DataRefused unless there is a row for each user and each item, with an id."""
        for kind, table, n in (("user", self.users, n_users), ("item", self.items, n_items)):
            if table.num_rows != n or f"{kind}_id" not in table.column_names:
                raise DataRefused(
                    f"The table of {kind}s has {table.num_rows} rows and the columns {', '.join(table.column_names)}; "
                    f"it takes {n} rows in the order of their indices, with {kind}_id."
                )


class StoredTables(SiteTables):
    """Those of a features folder, read when they are asked for."""

    def __init__(self, features: Path) -> None:
        object.__setattr__(self, "_folder", features / PREPARED)

    @cached_property
    def items(self) -> pa.Table:
        return _without_index(vars(self)["_folder"] / ITEMS)

    @cached_property
    def users(self) -> pa.Table:
        return _without_index(vars(self)["_folder"] / USERS)


def _without_index(path: Path) -> pa.Table:
    table = pq.read_table(existing(path))
    return table.drop_columns([name for name in ("item_index", "user_index") if name in table.column_names])


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column with values of its own, as one of categories has places among them."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
