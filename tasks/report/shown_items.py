"""Which items an export shows most, and which it shows more than the export before."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.published.reader import Export
from tasks.compare.champion import last_export
from tasks.export.listed import listed_table
from tasks.report.examples import changed
from tasks.store.files import Json
from tasks.store.paths import Night, Store

MOST = 10  # items of each kind
PARTS, ROWS = 5, 10_000  # of the lists of which it is measured how much of them is new


def shown_items(night: Night, export_id: str | None) -> Json:
    """The items in most lists, and those whose share of the lists has grown most since the export before.

    Empty without an export; shares are of all lists, those of popular items included, and `before` is None where there
    was no export before.
    """
    store = night.store
    if export_id is None or not (store.export(export_id) / "topk").is_dir():
        return {}
    shares = _shares(store, Export.named(store.root, export_id).manifest)
    previous = last_export(store, night.run_date)
    if previous is not None and "files" not in previous:  # its manifest is lost
        previous = None
    known = previous is not None and (store.export(previous["export_id"]) / "topk").is_dir()
    before = _shares(store, previous) if previous is not None and known else None
    if before is not None and before.schema.field("item_id").type == shares.schema.field("item_id").type:
        shares = shares.join(before.select(["item_id", "share"]), "item_id", right_suffix="_before")
        was = pc.fill_null(shares["share_before"], 0.0)
    else:
        before, was = None, None
    shares = shares.append_column("before", pa.nulls(len(shares), pa.float64()) if was is None else was)
    most = shares.sort_by([("lists", "descending"), ("item_id", "ascending")])[:MOST]
    risers = shares[:0]
    if before is not None:
        risers = shares.append_column("rise", pc.subtract(shares["share"], shares["before"]))
        risers = risers.filter(pc.greater(risers["rise"], 0))
        risers = risers.sort_by([("rise", "descending"), ("item_id", "ascending")])[:MOST]
    titles = titles_of(night, pa.concat_arrays([part["item_id"].combine_chunks() for part in (most, risers)]))
    return {
        "since": previous["export_id"] if previous is not None and before is not None else None,
        "items": len(shares),
        "new_places": _new_places(store, export_id, previous) if previous is not None and before is not None else None,
        "most": _rows(most, titles),
        "risers": _rows(risers, titles),
    }


def _new_places(store: Store, export_id: str, previous: Json) -> float | None:
    """The share of a list's places whose items it did not have before, over some users who had one: evenly spread."""
    export, old = Export.named(store.root, export_id), Export(store.exports, previous)
    files = sorted((export.folder / "topk").glob("*.parquet"))
    groups = [(path, group) for path in files for group in range(pq.ParquetFile(path).num_row_groups)]
    parts = [
        _whole_lists(pq.ParquetFile(path).read_row_group(group, columns=["user_id", "item_id"])[:ROWS])
        for path, group in groups[:: max(1, len(groups) // PARTS)]
    ]
    if not parts:  # nobody has a list
        return None
    lists = pa.concat_tables(parts)
    users = pc.unique(lists["user_id"])
    before = old.table("topk", users.to_pylist())
    if before.schema.field("user_id").type != users.type:
        return None
    had_a_list, share = changed(lists, before, users.to_pylist())
    return float(np.mean([share[n] for n in had_a_list])) if had_a_list else None


def _whole_lists(rows: pa.Table) -> pa.Table:
    """Rows without those of the last user, whose list may go on, if there are others."""
    others = rows.filter(pc.not_equal(rows["user_id"], rows["user_id"][-1]))
    return others if len(others) else rows


def _shares(store: Store, manifest: Json) -> pa.Table:
    """Each item of an export, in how many lists it is, and which share of them that is."""
    folder = store.export(manifest["export_id"])
    listed = sorted((folder / "listed").glob("*.parquet"))
    if listed:
        table = pa.concat_tables([pq.read_table(path, columns=["item_id", "lists"]) for path in listed])
    else:  # an export of an earlier release
        topk = sorted((folder / "topk").glob("*.parquet"))
        table = listed_table(topk, date.fromisoformat(manifest["run_date"])).select(["item_id", "lists"])
    share = pc.divide(pc.cast(table["lists"], pa.float64()), float(max(1, manifest.get("users") or 1)))
    return table.append_column("share", share)


def _rows(items: pa.Table, titles: dict[object, str]) -> list[Json]:
    columns = [name for name in ("item_id", "lists", "share", "before") if name in items.column_names]
    return [row | {"title": titles.get(row["item_id"])} for row in items.select(columns).to_pylist()]


def titles_of(night: Night, items: pa.Array) -> dict[object, str]:
    """The titles of some items, as far as the night's working files have them."""
    path = night.prepared / layout.ITEMS
    try:
        schema = pq.read_schema(path)
        if "title" not in schema.names or schema.field("item_id").type != items.type:
            return {}
        found = pq.read_table(path, columns=["item_id", "title"], filters=pc.field("item_id").isin(items))
    except (OSError, pa.ArrowException):  # gone with an old night, or damaged
        return {}
    return dict(zip(found["item_id"].to_pylist(), found["title"].to_pylist(), strict=True))
