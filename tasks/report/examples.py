"""A few users' lists, as they were in the last export and as they are now."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.errors import NightrecError
from recmodels.published.reader import Export
from tasks.compare.champion import last_export
from tasks.store.files import Json
from tasks.store.opted_out import are_among, latest_users, opted_out_ids
from tasks.store.paths import Night

ROWS = 50_000  # at the start of an export, among which the examples are looked for
SHOWN = 10  # items of a list


def examples(night: Night, export_id: str | None) -> list[Json]:
    """Users whose list changed most, least and not at all, and one without a personal list; empty without an export.

    Users who have opted out by the newest night of the store do not appear, even in the report of an earlier one.
    """
    store = night.store
    if export_id is None or not (store.export(export_id) / "topk").is_dir():
        return []
    export = Export.named(store.root, export_id)
    lists = _head_of(export)
    known = latest_users(store)
    gone = pa.array([]) if known is None else opted_out_ids(known)
    if len(gone):
        lists = lists.filter(pc.invert(are_among(lists["user_id"].cast(pa.string()), gone.cast(pa.string()))))
    previous = last_export(store, night.run_date)
    before = None
    if previous and "files" in previous and (store.export(previous["export_id"]) / "topk").is_dir():
        users = pc.unique(lists["user_id"])
        old = Export(store.exports, previous)
        files = [file for file in previous["files"] if file["path"].startswith("topk/")]
        if pq.read_schema(old.folder / files[0]["path"]).field("user_id").type == users.type:
            before = old.table("topk", users.to_pylist())
    users_shown = _choose(lists, before)
    titles = _titles_of(night)
    return [
        {
            "user_id": user,
            "what": what,
            "before": _rows_of(before, user, titles) if before is not None else [],
            "after": _rows_of(lists, user, titles),
        }
        for user, what in users_shown
    ]


def _head_of(export: Export) -> pa.Table:
    """The first rows of an export, those of whole lists."""
    file = next(file for file in export.manifest["files"] if file["path"].startswith("topk/"))
    k = export.manifest.get("k")
    if not isinstance(k, int) or k < 1:
        raise NightrecError(
            f"The manifest of the export {export.manifest['export_id']} is damaged: run the night again."
        )
    opened = pq.ParquetFile(export.folder / file["path"])
    batch = next(opened.iter_batches(max(1, ROWS // k) * k), None)
    return opened.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])


def _choose(lists: pa.Table, before: pa.Table | None) -> list[tuple[Any, str]]:
    """The users to show, with what each of them shows."""
    source = lists["source"].cast(pa.string())
    firsts = lists.filter(pc.equal(lists["rank"], 1)).select(["user_id"]).to_pydict()["user_id"]
    personal = set(lists.filter(pc.equal(source, "personal"))["user_id"].to_pylist())
    cold = [user for user in firsts if user not in personal][:1]
    warm = [user for user in firsts if user in personal]
    found: list[tuple[Any, str]] = []
    if before is None or not before.num_rows:
        found = [(user, "a personal list") for user in warm[:3]]
    else:
        order, share = changed(lists, before, warm)
        known = [(warm[i], share[i]) for i in order]
        new = sum(part > 0 for _, part in known)
        places = dict.fromkeys([0, max(0, new - 1), len(known) - 1]) if known else {}
        found = [(known[i][0], f"{known[i][1]:.0%} of the list is new") for i in places]
    return found + [(user, "popular items, as there is no history") for user in cold]


def changed(lists: pa.Table, before: pa.Table, users: list[Any]) -> tuple[list[int], list[float]]:
    """The users who had a list before (their places, most changed first), and the share of each one's list that is
    new.
    """
    value_set = pa.array(users, lists["user_id"].type)
    now = lists.select(["user_id", "item_id"]).append_column("now", pa.array(np.ones(len(lists), np.int8)))
    old = before.select(["user_id", "item_id"]).append_column("old", pa.array(np.ones(len(before), np.int8)))
    if old.schema.field("item_id").type != now.schema.field("item_id").type:
        return [], []
    both = now.join(old, ["user_id", "item_id"], join_type="left outer")
    row = pc.index_in(both["user_id"], value_set=value_set)
    mine = pc.is_valid(row)
    row, kept = row.filter(mine).to_numpy(), pc.is_valid(both["old"]).filter(mine).to_numpy().astype(float)
    size = np.maximum(1, np.bincount(row, minlength=len(users)))
    share = 1 - np.bincount(row, kept, minlength=len(users)) / size
    had_list = pc.is_in(value_set, value_set=pc.unique(before["user_id"])).to_numpy(zero_copy_only=False)
    order = np.argsort(-share, kind="stable")
    return [int(i) for i in order[had_list[order]]], share.tolist()


def _titles_of(night: Night) -> pa.Table | None:
    path = night.prepared / layout.ITEMS
    try:
        if "title" not in pq.read_schema(path).names:
            return None
        return pq.read_table(path, columns=["item_id", "title"])
    except (OSError, pa.ArrowException):  # gone with an old night, or damaged
        return None


def _rows_of(lists: pa.Table, user: Any, titles: pa.Table | None) -> list[Json]:
    """A user's list with titles, the first places."""
    mine = lists.filter(pc.equal(lists["user_id"], pa.scalar(user, lists["user_id"].type))).sort_by("rank")[:SHOWN]
    named: dict[Any, str] = {}
    if titles is not None and titles["item_id"].type == mine["item_id"].type:
        named_items = pa.concat_arrays([mine[name].combine_chunks() for name in ("item_id", "reason_item_id")])
        found = titles.filter(pc.is_in(titles["item_id"], value_set=named_items))
        named = dict(zip(found["item_id"].to_pylist(), found["title"].to_pylist(), strict=True))
    return [
        {
            "rank": row["rank"],
            "item_id": row["item_id"],
            "title": named.get(row["item_id"]),
            "reason": named.get(row["reason_item_id"]) or row["reason_item_id"],
            "model": row["model"],
        }
        for row in mine.to_pylist()
    ]
