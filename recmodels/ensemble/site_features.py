"""What an ensemble's trees see of a site's own columns: those of its tables, and what its queries say of pairs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.site_tables import SiteTables
from recmodels.ensemble.columns import MISSING, numbers_of
from recmodels.ensemble.lookups import Lookup, lookup_of
from recmodels.ensemble.pair_query import Limits, answer, tables_of

PARTS = ("users", "items", "keys", "values")


@dataclass(frozen=True, eq=False)
class SiteFeatures:
    """A site's own columns as of the end of a split, under the indices of its users and items.

    Attributes:
        names: of the columns: `items.price`, `users.age`, `pairs.bought`.
        items: float32 [n_items, a].
        users: float32 [n_users, b].
        lookups: what each query says.
        categories: those that queries give, in the order of their numbers, by the name of their column; not saved.
    """

    names: list[str]
    items: Floats
    users: Floats
    lookups: list[Lookup]
    categories: dict[str, pa.Array] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: Dataset,
        tables: SiteTables,
        item_columns: Sequence[str],
        user_columns: Sequence[str],
        queries: Sequence[str],
        limits: Limits,
        categories: Mapping[str, pa.Array] = MappingProxyType({}),
    ) -> "SiteFeatures":
        """The columns of the tables, and the queries answered from the interactions of `data` alone.

        Categories that trees have learned from an earlier answer keep their numbers where its `categories` are given.
        """
        tables.check(data.n_users, data.n_items)
        names = [f"items.{name}" for name in item_columns] + [f"users.{name}" for name in user_columns]
        items = numbers_of(tables.items, item_columns, data.end, "ensemble: item_columns")
        users = numbers_of(tables.users, user_columns, data.end, "ensemble: user_columns")
        lookups, known = [], dict(categories)
        if queries:
            with tables_of(data, tables, limits) as connection:
                for number, sql in enumerate(queries, start=1):
                    what = "features.pairs.sql" if len(queries) == 1 else f"features.pairs.sql, query {number}"
                    lookup, columns = lookup_of(answer(connection, sql, limits, what), tables, data.end, what, known)
                    lookups.append(lookup)
                    names += [f"pairs.{name}" for name in columns]
        return cls(names, items, users, lookups, known)

    def rows(self, user: Ints, item: Ints) -> Floats:
        """The columns of some pairs of user and item: float32 [m, len(names)]."""
        return np.column_stack(
            [self.items[item], self.users[user], *(lookup.of(user, item) for lookup in self.lookups)]
        )

    def for_users(self, users: Ints) -> "SiteFeatures":
        """The same for data whose user i was `users`[i], or nobody (-1)."""
        known = np.where((users >= 0)[:, None], self.users[users], MISSING)
        return replace(self, users=known, lookups=[lookup.for_users(users) for lookup in self.lookups])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As they are saved; `restored` reads them."""
        found: dict[str, NDArray[Any]] = {"items": self.items, "users": self.users}
        for number, lookup in enumerate(self.lookups):
            found |= {f"{number}.{part}": getattr(lookup, part) for part in PARTS}
        return found

    @classmethod
    def restored(cls, names: Iterable[str], arrays: dict[str, NDArray[Any]]) -> "SiteFeatures":
        n_queries = (len(arrays) - 2) // len(PARTS)
        lookups = [Lookup(*(arrays[f"{number}.{part}"] for part in PARTS)) for number in range(n_queries)]
        return cls(list(names), arrays["items"], arrays["users"], lookups)
