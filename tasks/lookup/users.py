"""What is known of a user: the list, what changed since the night before, and what the user has done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data import layout
from recmodels.data.pairs import Pairs, changes_file, dropped_file
from recmodels.errors import NightrecError
from recmodels.published.reader import Export
from tasks.export.origins import made_by
from tasks.lookup.catalogue import Catalogue, catalogue_of
from tasks.lookup.lists import Row, rows_of, with_titles
from tasks.lookup.published import before, chosen, first_of, list_in, night_of, published_as, user_type
from tasks.lookup.reasons import is_excluded, is_withdrawn
from tasks.lookup.rows import rows_with
from tasks.store.paths import Night, Store

SHOWN = 20  # of a history


@dataclass(frozen=True)
class Done:
    """An item of a user's history: when the user last did something with it, and how much it counts."""

    item_id: Any
    title: str | None
    at: datetime
    weight: float
    rating: float | None = None


@dataclass(frozen=True)
class Gone:
    """An item that the list before had: where, and why it is not in this one, where that is known."""

    item_id: Any
    title: str | None
    rank: int
    why: str | None


@dataclass(frozen=True)
class UserSeen:
    """A user as an export has them.

    Attributes:
        user_id: as it was asked for.
        export_id: of the export.
        run_date: its night.
        champion: the model that won the night.
        model: the models or rules that the list comes from.
        arm: the arm of the user, where the night has arms.
        rows: the list; `was` of a row is its rank in the list before, None where it is new.
        before: the export before, None where there is none, or the user is not in it.
        gone: what the list before had and this one has not.
        history: the user's last items, newest first; None where the night's working files are gone.
        items: how many items the history has.
    """

    user_id: str
    export_id: str
    run_date: str
    champion: str
    model: str
    arm: str | None
    rows: list[Row]
    before: str | None
    gone: list[Gone]
    history: list[Done] | None
    items: int

    @property
    def fallback(self) -> bool:
        """Whether nothing in the list comes from the model."""
        return all(row["source"] == "cold" for row in self.rows)

    @property
    def moved(self) -> bool:
        """Whether an item has another rank than before."""
        return any(row["was"] not in (None, row["rank"]) for row in self.rows)

    @property
    def rated(self) -> bool:
        """Whether the history has ratings."""
        return any(one.rating is not None for one in self.history or ())

    @property
    def weighed(self) -> bool:
        """Whether the history's items count differently."""
        return len({one.weight for one in self.history or ()}) > 1

    @property
    def changed(self) -> int | None:
        """How many places of the list are new; None where there is no list before."""
        return None if self.before is None else sum(row["was"] is None for row in self.rows)


def user_seen(store: Store, user_id: str, name: str | None = None) -> UserSeen:
    """Look a user up in an export, by default in that which readers see.

    Raises:
        ConfigError: there is no such export, or the user is not in it, or has opted out.
    """
    export = chosen(store, name)
    table = rows_of(store, export, user_id)
    night = night_of(store, export)
    past, old = _list_before(store, export, user_id)
    was = {row["item_id"]: row["rank"] for row in old}
    rows = [row | {"was": was.get(row["item_id"])} for row in with_titles(store, export, table)]
    listed = {row["item_id"] for row in rows}
    catalogue = catalogue_of(night)
    history, items, had = _history(night, catalogue, user_id)
    return UserSeen(
        user_id=user_id,
        export_id=export.manifest["export_id"],
        run_date=export.manifest["run_date"],
        champion=export.manifest.get("champion", ""),
        model=made_by(rows),
        arm=first_of(table, "arm") if "arms" in export.manifest else None,
        rows=rows,
        before=past,
        gone=[_gone(row, export, night, catalogue, had) for row in old if row["item_id"] not in listed],
        history=history,
        items=items,
    )


def _list_before(store: Store, export: Export, user_id: str) -> tuple[str | None, list[Row]]:
    """The export before with the user's list in it, as far as ids are of the same kind there."""
    past = before(store, export)
    try:
        if past is None or user_type(past) != user_type(export):
            return None, []
        rows = list_in(past, published_as(past, user_id)).select(["item_id", "rank"]).to_pylist()
    except (NightrecError, OSError):  # it is being removed, or was hashed by another key: there is nothing to compare
        return None, []
    return (past.manifest["export_id"] if rows else None), rows


def _gone(row: Row, export: Export, night: Night, catalogue: Catalogue | None, had: set[int]) -> Gone:
    item_id, rank = row["item_id"], row["rank"]
    if catalogue is None:
        return Gone(item_id, None, rank, None)
    index = catalogue.index_of(item_id)
    if index is None:
        return Gone(item_id, None, rank, "not in the catalogue any more")
    why = None
    if not catalogue.available[index].as_py() or is_withdrawn(night, export.manifest, catalogue.item_ids[index]):
        why = "not available any more"
    elif is_excluded(export.manifest, item_id, catalogue.item_ids.type):
        why = "excluded by the site's rules"
    elif index in had:
        why = "in the history now"
    return Gone(item_id, catalogue.title_at(index), rank, why)


def _history(night: Night, catalogue: Catalogue | None, user_id: str) -> tuple[list[Done] | None, int, set[int]]:
    """The newest items of a user's history, how many it has, and the indices of all."""
    if catalogue is None:
        return None, 0, set()
    try:
        rows = _interactions_of(night, user_id)
    except (OSError, pa.ArrowException):
        return None, 0, set()
    newest = rows.sort_by([("timestamp", "descending")])[:SHOWN].to_pylist()
    history = [
        Done(
            catalogue.item_ids[row["item_index"]].as_py(),
            catalogue.title_at(row["item_index"]),
            row["timestamp"],
            row["weight"],
            row.get("rating"),
        )
        for row in newest
    ]
    return history, len(rows), set(rows["item_index"].to_pylist())


def _interactions_of(night: Night, user_id: str) -> pa.Table:
    users, pairs = night.prepared / layout.USERS, Pairs(night.prepared, "full")
    index = first_of(rows_with([users], "user_id", user_id, ["user_index"]), "user_index")
    index = -1 if index is None else index
    columns = ["item_index", "timestamp", "weight", *(["rating"] if "rating" in pairs.names else [])]
    if pairs.whole:
        return rows_with([pairs.file], "user_index", index, columns)
    before = rows_with([pairs.file], "user_index", pairs.base_number(index), columns)
    changes, dropped = (night.prepared / name for name in (changes_file("full"), dropped_file("full")))
    gone = rows_with([dropped], "user_index", index)["nth"]
    left = before.filter(pc.invert(pc.is_in(pa.array(range(len(before))), value_set=gone.cast(pa.int64()))))
    items = pa.array(pairs.items(left["item_index"].to_numpy()), pa.int32())
    added = rows_with([changes], "user_index", index, columns)
    return pa.concat_tables([left.set_column(left.column_names.index("item_index"), "item_index", items), added])
