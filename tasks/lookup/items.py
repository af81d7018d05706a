"""What is known of an item: who gets it, what is similar to it, how it fared, and why it is not shown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import ConfigError
from recmodels.published.reader import Export
from tasks.lookup.cached import kept
from tasks.lookup.catalogue import Catalogue, as_written, catalogue_of
from tasks.lookup.published import chosen, first_of, night_of, without_opted_out
from tasks.lookup.reasons import why_not_shown
from tasks.lookup.rows import rows_with
from tasks.store.exports import manifest_of, whole_exports
from tasks.store.paths import Store

USERS = 10  # that are named of those who get an item
NIGHTS = 14  # of the exposure


@dataclass(frozen=True)
class Titled:
    """An item that another one is similar to, or that a search has found."""

    item_id: Any
    title: str | None
    score: float | None = None


@dataclass(frozen=True)
class Exposure:
    """An item in an export: in how many of its lists, and at which rank on average."""

    export_id: str
    users: int
    lists: int
    mean_rank: float | None

    @property
    def share(self) -> float:
        """Of all lists."""
        return self.lists / max(1, self.users)


@dataclass(frozen=True)
class ItemSeen:
    """An item as an export has it.

    Attributes:
        item_id: in the type of the site's ids.
        title: None where it has none, or the night's working files are gone.
        export_id: of the export.
        run_date: its night.
        champion: the model that won the night.
        lists: in how many lists it is; None where the export does not say so (it is of an earlier release).
        users: how many lists there are.
        mean_rank: in those lists.
        sample: some users who get it, with the rank in their list.
        similar: the items that are shown next to it.
        similar_by: the model that says so.
        exposure: in the exports of the last nights, the newest first.
        why: why it is in no list: a sentence each.
        hashed: whether the ids of the users are hashes.
    """

    item_id: Any
    title: str | None
    export_id: str
    run_date: str
    champion: str
    lists: int | None
    users: int
    mean_rank: float | None
    sample: list[tuple[Any, int]]
    similar: list[Titled]
    similar_by: str | None
    exposure: list[Exposure]
    why: list[str]
    hashed: bool


def search(store: Store, text: str, name: str | None = None, most: int = 20) -> list[Titled]:
    """The items that a text means: by id, by title, by a part of one; the best first.

    Raises:
        ConfigError: there is no such export.
    """
    export = chosen(store, name)
    catalogue = catalogue_of(night_of(store, export))
    if catalogue is not None:
        found = catalogue.search(text, most)
        return [Titled(catalogue.item_ids[index].as_py(), catalogue.title_at(index)) for index in found]
    wanted = as_written(text.strip(), _item_type(export))
    known = wanted is not None and (_listed(export, wanted) is not None or len(_similar_rows(export, wanted)) > 0)
    return [Titled(wanted, None)] if known else []


def item_seen(store: Store, item_id: str, name: str | None = None) -> ItemSeen:
    """Look an item up by its id in an export, by default in that which readers see.

    Raises:
        ConfigError: there is no such export, or no such item.
    """
    export = chosen(store, name)
    about = export.manifest
    night = night_of(store, export)
    catalogue = catalogue_of(night)
    wanted = as_written(item_id, _item_type(export))
    row = None if wanted is None else _listed(export, wanted)
    index = None if catalogue is None or wanted is None else catalogue.index_of(wanted)
    similar = None if wanted is None else _similar_rows(export, wanted)
    if wanted is None or similar is None or (row is None and index is None and not len(similar)):
        raise ConfigError(f"There is no item {item_id[:40]} in the night {about['run_date']}: search for its title.")
    lists = row["lists"] if row else 0 if _counts_items(about) else None
    return ItemSeen(
        item_id=wanted,
        title=None if index is None or catalogue is None else catalogue.title_at(index),
        export_id=about["export_id"],
        run_date=about["run_date"],
        champion=about.get("champion", ""),
        lists=lists,
        users=about.get("users", 0),
        mean_rank=row["mean_rank"] if row else None,
        sample=_sample(store, export, wanted, row) if row else [],
        similar=[_titled(one, catalogue) for one in similar.to_pylist()],
        similar_by=similar["model"][0].as_py() if len(similar) else None,
        exposure=_exposure(store, wanted),
        why=why_not_shown(night, about, catalogue, index) if lists == 0 else [],
        hashed=bool(about.get("hash_key_env")),
    )


def _item_type(export: Export) -> pa.DataType:
    topk = next(file for file in export.manifest["files"] if file["path"].startswith("topk/"))
    return pa.int64() if topk["schema"]["item_id"] == "int64" else pa.string()


def _counts_items(manifest: dict[str, Any]) -> bool:
    return any(file["path"].startswith("listed/") for file in manifest["files"])


def _listed(export: Export, item_id: int | str) -> dict[str, Any] | None:
    """The row of an item in `listed`; None where it is in no list, or the export has no such table."""
    rows = _rows_of_item(export, "listed", item_id)
    return rows.to_pylist()[0] if len(rows) else None


def _similar_rows(export: Export, item_id: int | str) -> pa.Table:
    return _rows_of_item(export, "similar", item_id)


def _rows_of_item(export: Export, table: str, item_id: int | str, columns: list[str] | None = None) -> pa.Table:
    """The rows of an item in a table that is sorted by items; none where the export has no such table."""
    paths = [export.folder / file["path"] for file in export.manifest["files"] if file["path"].startswith(f"{table}/")]
    return rows_with(paths, "item_id", item_id, columns) if paths else pa.table({"item_id": [], "model": []})


def _titled(row: dict[str, Any], catalogue: Catalogue | None) -> Titled:
    other = row["similar_item_id"]
    return Titled(other, None if catalogue is None else catalogue.title_of(other), row["score"])


def _sample(store: Store, export: Export, item_id: int | str, row: dict[str, Any]) -> list[tuple[Any, int]]:
    """Users who get an item, with its rank: from the row group of the first list that has it, and of the last."""
    found = [_users_near(export, item_id, row["first_row"])]
    if len(found[0]) < min(USERS, row["lists"]):
        found.append(_users_near(export, item_id, row["last_row"]))
    users = without_opted_out(store, export, pa.concat_tables(found).group_by("user_id").aggregate([("rank", "min")]))
    return [(one["user_id"], one["rank_min"]) for one in users.sort_by("user_id")[:USERS].to_pylist()]


def _users_near(export: Export, item_id: int | str, row: int) -> pa.Table:
    """The users of one row group who get an item: of that which has a row of `topk`, counted through all files."""
    columns = ["user_id", "rank", "item_id"]
    for file in export.manifest["files"]:
        if not file["path"].startswith("topk/"):
            continue
        if row >= file["rows"]:
            row -= file["rows"]
            continue
        with pq.ParquetFile(export.folder / file["path"]) as parquet:
            for group in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if row < rows:
                    table = parquet.read_row_group(group, columns, use_threads=False)
                    return table.filter(pc.field("item_id") == item_id).select(["user_id", "rank"])
                row -= rows
    return export.table("topk", []).select(["user_id", "rank"])


def _exposure(store: Store, item_id: int | str) -> list[Exposure]:
    """In how many lists an item was, by export, the newest first; those that did not count are left out."""
    found = []
    for export_id in whole_exports(store)[: -NIGHTS - 1 : -1]:
        manifest = _manifest(store.export_manifest(export_id))
        if manifest is None or not _counts_items(manifest):
            continue
        rows = _rows_of_item(Export(store.exports, manifest), "listed", item_id, ["lists", "mean_rank"])
        lists, rank = first_of(rows, "lists") or 0, first_of(rows, "mean_rank")
        found.append(Exposure(export_id, manifest.get("users", 0), lists, rank))
    return found


@kept(2 * NIGHTS)
def _manifest(path: Path) -> dict[str, Any] | None:
    return manifest_of(Store(path.parents[2]), path.stem)
