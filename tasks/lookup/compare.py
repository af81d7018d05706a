"""Two nights, or two models of a night, beside each other: whose lists changed and how, which items rose and fell."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import ConfigError
from tasks.export.tally import Tally, most_of
from tasks.lookup.catalogue import Catalogue
from tasks.lookup.sides import Place, Side
from tasks.store.paths import Store

ROWS = 200_000  # of lists that are looked at: of more than that, those of a sample of the users
EXAMPLES = 4
SHOWN = 10  # items that rose, and that fell


@dataclass(frozen=True)
class Example:
    """A user's lists beside each other; `kept` is the share of the longer one that is in both."""

    user_id: Any
    kept: float
    old: list[Place]
    new: list[Place]


@dataclass(frozen=True)
class Moved:
    """An item, and in how many lists it is in the one and in the other."""

    item_id: Any
    title: str | None
    before: int
    after: int


@dataclass(frozen=True)
class Compared:
    """What differs.

    Attributes:
        old: the one side.
        new: the other one.
        tally: the counts of users.
        sampled: whether only some users were looked at.
        examples: lists beside each other, from the most changed to the least.
        rose: items that are in more lists, those that gained most first.
        fell: items that are in fewer.
        entered: how many items came into lists.
        left: how many left them all.
        exact: whether the numbers of items are of all lists, and not of the sample.
    """

    old: Side
    new: Side
    tally: Tally
    sampled: bool
    examples: list[Example]
    rose: list[Moved]
    fell: list[Moved]
    entered: int
    left: int
    exact: bool


def compared(store: Store, old: Side, new: Side, rows: int = ROWS) -> Compared:
    """Compare the lists of two sides; of many users, those of a sample.

    Raises:
        ConfigError: their ids are of different types.
    """
    if old.id_types() != new.id_types():
        raise ConfigError(f"The ids of {old.name} and {new.name} are of different types, and cannot be compared.")
    ranges = new.some_users(rows)
    before, after = old.table(ranges), new.table(ranges)
    tally = Tally()
    tally.add(before, after)
    counts = _counts_of_all(old, new)
    lists = tally.lists if counts is None else counts
    assert lists is not None
    change = lists["after"].to_numpy() - lists["before"].to_numpy()
    catalogues = (old.catalogue, new.catalogue)
    return Compared(
        old=old,
        new=new,
        tally=tally,
        sampled=ranges is not None,
        examples=_examples(store, tally, (old, new), (before, after), catalogues),
        rose=[_moved(row, new, catalogues) for row in most_of(lists, change > 0, change, SHOWN)],
        fell=[_moved(row, new, catalogues) for row in most_of(lists, change < 0, -change, SHOWN)],
        entered=int((pc.equal(lists["before"], 0).to_numpy() & (change > 0)).sum()),
        left=int((pc.equal(lists["after"], 0).to_numpy() & (change < 0)).sum()),
        exact=counts is not None or ranges is None,
    )


def _counts_of_all(old: Side, new: Side) -> pa.Table | None:
    """In how many of all lists each item is, before and after, as the exports have counted them; None where not."""
    found = []
    for side, name, other in ((old, "before", "after"), (new, "after", "before")):
        files = side.files_of("listed")
        if not files:
            return None
        table = pa.concat_tables([pq.read_table(path, columns=["item_id", "lists"]) for path in files])
        none = pa.array(np.zeros(len(table), np.int64))
        columns = {"item_id": table["item_id"], name: table["lists"], other: none}
        found.append(pa.table(columns).select(["item_id", "before", "after"]))
    summed = pa.concat_tables(found).group_by("item_id").aggregate([("before", "sum"), ("after", "sum")])
    return summed.rename_columns(["item_id", "before", "after"]).sort_by("item_id")


def _moved(row: dict[str, Any], side: Side, catalogues: tuple[Catalogue | None, Catalogue | None]) -> Moved:
    titles = (side.title(row["item_id"], catalogue) for catalogue in reversed(catalogues))
    title = next((one for one in titles if one), None)
    return Moved(side.item_id(row["item_id"], catalogues[1]), title, row["before"], row["after"])


def _examples(
    store: Store,
    tally: Tally,
    sides: tuple[Side, Side],
    tables: tuple[pa.Table, pa.Table],
    catalogues: tuple[Catalogue | None, Catalogue | None],
) -> list[Example]:
    """Some users, from those of whose lists least is left to those of whose lists most is."""
    everybody = [user for _, users in sorted(tally.examples.items()) for user in users]
    ids = sides[1].user_ids(everybody, store)
    tenths = [n for n in sorted(tally.examples) if any(user in ids for user in tally.examples[n])]
    picked = [tenths[n] for n in np.unique(np.linspace(0, len(tenths) - 1, EXAMPLES).astype(int))] if tenths else []
    found = []
    for tenth in picked:
        user = next(one for one in tally.examples[tenth] if one in ids)
        lists = [_list(table, user) for table in tables]
        items = [[row["item_id"] for row in rows] for rows in lists]
        both = set(items[0]) & set(items[1])
        places = [
            [side.place(row["rank"], row["item_id"], catalogue, row["item_id"] in both) for row in rows]
            for rows, side, catalogue in zip(lists, sides, catalogues, strict=True)
        ]
        found.append(Example(ids[user], len(both) / max(1, *map(len, items)), *places))
    return found


def _list(table: pa.Table, user: Any) -> list[dict[str, Any]]:
    mine = table.filter(pc.equal(table["user_id"], pa.scalar(user, table["user_id"].type)))
    rows: list[dict[str, Any]] = mine.sort_by("rank").to_pylist()
    return rows
