"""Numbers by user and item: what a query gives for pairs, and where it stands for each user and each item."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Floats, Ints, Longs
from recmodels.data.site_tables import SiteTables, plain
from recmodels.ensemble.columns import MISSING, as_numbers
from recmodels.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Lookup:
    """The c numbers that a table gives for a pair, by a code of the user and a code of the item.

    Attributes:
        users: int32 [n_users], the code of each user, -1 where the table has nothing of them; empty where it says of no
            user in particular: then all have the code 0, whoever comes later, too.
        items: int32 [n_items], likewise, but never empty.
        keys: int64 [n], code of the user · number of codes of items + code of the item, ascending.
        values: float32 [n, c].
    """

    users: Ints
    items: Ints
    keys: Longs
    values: Floats

    def of(self, user: Ints, item: Ints) -> Floats:
        """The numbers of some pairs: float32 [m, c], `MISSING` where there are none."""
        found = np.full((len(user), self.values.shape[1]), MISSING, np.float32)
        if not len(self.keys):
            return found
        of_users = self.users[user] if len(self.users) else np.zeros(len(user), np.int32)
        codes = of_users.astype(np.int64), self.items[item].astype(np.int64)
        key = codes[0] * self._n_codes + codes[1]
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        there = (codes[0] >= 0) & (codes[1] >= 0) & (self.keys[place] == key)
        found[there] = self.values[place[there]]
        return found

    @property
    def _n_codes(self) -> int:
        return int(self.items.max(initial=-1)) + 1

    def for_users(self, users: Ints) -> "Lookup":
        """The same for data whose user i was `users`[i], or nobody (-1)."""
        if not len(self.users):
            return self
        return replace(self, users=np.where(users >= 0, self.users[users], np.int32(-1)))


def lookup_of(
    found: pa.Table, tables: SiteTables, end: int, what: str, categories: dict[str, pa.Array] | None = None
) -> tuple[Lookup, list[str]]:
    """A table with a row for each user, item, group of them, or pair of these, as something to look up.

    Its columns that the tables of users or items have too (`user_id`, `item_id`, a category) say whom a row is about;
    the others are numbers, whose names are returned. `categories` are those of an earlier answer, which are numbered as
    they were there (`as_numbers`).

    Raises:
        ConfigError: no column says whom a row is about, or none is a number, or two have the same name, or two rows are
            about the same.
    """
    if twice := [name for name, times in Counter(found.column_names).items() if times > 1]:
        raise ConfigError(
            f"{what} gives several columns {twice[0]}; name them apart, or leave all but one of them out."
        )
    keys: dict[str, list[str]] = {"user": [], "item": []}
    numbers = []
    for name in found.column_names:
        kinds = [kind for kind, table in (("user", tables.users), ("item", tables.items)) if name in table.column_names]
        if len(kinds) > 1:
            raise ConfigError(f"{what}: the tables of users and of items both have a column {name}; name it otherwise.")
        if kinds:
            keys[kinds[0]].append(name)
        else:
            numbers.append(name)
    if not numbers or not (keys["user"] or keys["item"]):
        raise ConfigError(
            f"{what} gives the columns {', '.join(found.column_names)}; it takes user_id, item_id or other columns of "
            "their tables, and numbers under names that these do not have."
        )
    users, user = _codes(tables.users, found, keys["user"], what)
    items, item = _codes(tables.items, found, keys["item"], what)
    rows = np.flatnonzero((user >= 0) & (item >= 0))
    key = user[rows] * (int(items.max(initial=-1)) + 1) + item[rows]
    order = np.argsort(key, kind="stable")
    key = key[order]
    if (key[1:] == key[:-1]).any():
        raise ConfigError(
            f"{what} gives several rows for the same {', '.join(keys['user'] + keys['item'])}; group them."
        )
    values = [as_numbers(found[name], end, f"{what}: {name}", categories) for name in numbers]
    return Lookup(users if keys["user"] else users[:0], items, key, np.column_stack(values)[rows[order]]), numbers


def _codes(table: pa.Table, found: pa.Table, names: Sequence[str], what: str) -> tuple[Ints, Longs]:
    """Dense codes of the rows of a table and of what was found by some columns, -1 where a value is null or unknown.

    Without columns all rows have the code 0.
    """
    rows, of_found = np.zeros(table.num_rows, np.int64), np.zeros(found.num_rows, np.int64)
    for name in names:
        column = plain(table[name])
        kind = column.type
        if pa.types.is_nested(kind):
            raise ConfigError(f"{what}: {name} has lists of values, which say of nobody whom a row is about.")
        values = pc.unique(column).drop_null()
        try:
            sought = plain(found[name]).cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise ConfigError(f"{what}: {name} is {found[name].type}, in the site's table {kind}.") from None
        rows = _joined(rows, _places(column, values), len(values))
        of_found = _joined(of_found, _places(sought, values), len(values))
        dense = np.unique(rows[rows >= 0])  # so that several columns do not overflow
        rows, of_found = _dense(rows, dense), _dense(of_found, dense)
    return rows.astype(np.int32), of_found


def _places(column: pa.ChunkedArray, values: pa.Array) -> Longs:
    places: Longs = pc.fill_null(pc.index_in(column, value_set=values), -1).to_numpy().astype(np.int64)
    return places


def _joined(first: Longs, second: Longs, n: int) -> Longs:
    return np.where((first >= 0) & (second >= 0), first * n + second, -1)


def _dense(codes: Longs, known: Longs) -> Longs:
    if not len(known):
        return np.full(len(codes), -1, np.int64)
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[place] == codes, place, -1).astype(np.int64)
