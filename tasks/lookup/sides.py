"""What is compared: the lists of an export, or those of a model of a night for the users it was measured on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.candidate_lists import LISTS
from recmodels.data import layout
from recmodels.errors import ConfigError
from recmodels.published.reader import Export
from tasks.export.differences import topk_files
from tasks.lookup.catalogue import Catalogue, catalogue_of
from tasks.lookup.published import night_of, without_opted_out
from tasks.store.exports import named_export
from tasks.store.opted_out import are_among, latest_users, opted_out_ids
from tasks.store.paths import Night, Store

RANGES = 20  # of users, of whom a sample is made, evenly over all
COLUMNS = ("user_id", "rank", "item_id", "score")
Ranges = Sequence[tuple[Any, Any]]
"""Users from the first on, and before the second."""
OF_MODELS = ("user_index", "rank", "item_index", "score")


@dataclass(frozen=True)
class Place:
    """A place of a list that is an example; `shared`: the other list has the item, too."""

    rank: int
    item_id: Any
    title: str | None
    shared: bool


@dataclass(frozen=True)
class Side:
    """Lists that are compared with others of the same kind.

    Attributes:
        name: of the export, or of the model.
        model: whose lists they are.
        files: where they are, sorted by user and rank.
        columns: the names there of user, rank, item and score.
        night: whose items they have.
        export: the export; None for the lists of a model.
    """

    name: str
    model: str
    files: tuple[Path, ...]
    columns: tuple[str, str, str, str]
    night: Night
    export: Export | None = None

    @cached_property
    def rows(self) -> int:
        return sum(pq.read_metadata(path).num_rows for path in self.files)

    @cached_property
    def schema(self) -> pa.Schema:
        return pq.read_schema(self.files[0])

    def id_types(self) -> tuple[pa.DataType, pa.DataType]:
        """The types of users and items."""
        return self.schema.field(self.columns[0]).type, self.schema.field(self.columns[2]).type

    def table(self, ranges: Ranges | None) -> pa.Table:
        """The lists, of users in some ranges or of all, with the columns `COLUMNS`."""
        parts = [part for path in self.files for part in self._parts(path, ranges)]
        nothing = pa.schema([self.schema.field(name) for name in self.columns]).empty_table()
        return pa.concat_tables([nothing, *parts]).rename_columns(list(COLUMNS))

    def _parts(self, path: Path, ranges: Ranges | None) -> Iterator[pa.Table]:
        user, names = self.columns[0], list(self.columns)
        with pq.ParquetFile(path) as file:
            place = file.schema_arrow.names.index(user)
            for group in range(file.num_row_groups):
                if ranges is None:
                    yield file.read_row_group(group, names)
                    continue
                limits = file.metadata.row_group(group).column(place).statistics
                here = [(low, high) for low, high in ranges if low <= limits.max and limits.min < high]
                if not here:
                    continue
                table = file.read_row_group(group, names)
                for low, high in here:
                    yield table.filter(pc.and_(pc.greater_equal(table[user], low), pc.less(table[user], high)))

    def some_users(self, rows: int) -> Ranges | None:
        """Ranges of users with about so many rows of lists, evenly over all of them; None: there are no more."""
        if self.rows <= rows:
            return None
        groups = [(path, n) for path in self.files for n in range(pq.read_metadata(path).num_row_groups)]
        picked = np.unique(np.linspace(0, len(groups) - 1, min(RANGES, len(groups))).astype(int))
        found = []
        for path, n in (groups[place] for place in picked):
            with pq.ParquetFile(path) as file:
                ids = file.read_row_group(n, [self.columns[0]])[self.columns[0]]
            found.append((ids[0].as_py(), ids[min(len(ids) - 1, rows // len(picked))].as_py()))
        return found

    def user_ids(self, found: list[Any], store: Store) -> dict[Any, Any]:
        """The site's ids of some users as the lists have them, without those who have opted out."""
        if self.export is not None:
            kind = self.schema.field(self.columns[0]).type
            users = pa.table({"user_id": pa.array(found, kind)})
            shown = without_opted_out(store, self.export, users)["user_id"].to_pylist()
            return {one: one for one in shown}
        users = pq.read_table(self.night.prepared / layout.USERS, columns=["user_id"])["user_id"]
        ids = users.take(pa.array(found, pa.int64())).combine_chunks()
        table = latest_users(store)
        gone = pa.array([], pa.string()) if table is None else opted_out_ids(table).cast(pa.string())
        out = are_among(ids.cast(pa.string()), gone).to_pylist() if len(gone) else [False] * len(ids)
        return {one: name for one, name, left in zip(found, ids.to_pylist(), out, strict=True) if not left}

    def item_id(self, item: Any, catalogue: Catalogue | None) -> Any:
        """The site's id of an item as the lists have it."""
        return catalogue.item_ids[item].as_py() if self.export is None and catalogue is not None else item

    def title(self, item: Any, catalogue: Catalogue | None) -> str | None:
        if catalogue is None:
            return None
        return catalogue.title_at(item) if self.export is None else catalogue.title_of(item)

    def place(self, rank: int, item: Any, catalogue: Catalogue | None, shared: bool) -> Place:
        return Place(rank, self.item_id(item, catalogue), self.title(item, catalogue), shared)

    @property
    def hashed(self) -> bool:
        """Whether the ids of the users are hashes."""
        return self.export is not None and bool(self.export.manifest.get("hash_key_env"))

    def files_of(self, table: str) -> list[Path]:
        """The files of a table of an export; none of a model."""
        if self.export is None:
            return []
        files = self.export.manifest["files"]
        return [self.export.folder / file["path"] for file in files if file["path"].startswith(f"{table}/")]

    @property
    def catalogue(self) -> Catalogue | None:
        return catalogue_of(self.night)


def of_export(store: Store, name: str) -> Side:
    """The lists of an export, by its night's date or its name. Raises ConfigError where there is none."""
    export = Export(store.exports, named_export(store, name))
    about = export.manifest
    files = tuple(topk_files(store, about))
    return Side(about["export_id"], about.get("champion", ""), files, COLUMNS, night_of(store, export), export)


def of_model(night: Night, model: str) -> Side:
    """The lists of a model of a night, for the users it was measured on.

    Raises:
        ConfigError: there are none (any more).
    """
    if model not in (there := models_of(night)):
        known = f"there are {', '.join(there)}" if there else "its working files are gone"
        raise ConfigError(f"The night {night.run_date} has no lists of a model {model[:40]}: {known}.")
    return Side(model, model, (night.toplists(model) / LISTS,), OF_MODELS, night)


def models_of(night: Night) -> list[str]:
    """The models of a night whose lists are there."""
    return sorted(path.parent.name for path in night.folder.glob(f"toplists/*/{LISTS}"))
