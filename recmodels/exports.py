"""Reading what was published: the current export, a night's export, and one user's list.

For downstream jobs in Python; anything that reads Parquet can do the same from ``exports/latest.json``.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from recmodels.errors import ConfigError

Json = dict[str, Any]


@dataclass(frozen=True)
class Export:
    """One published export of a store."""

    exports: Path
    """The store's ``exports`` folder."""
    manifest: Json

    @classmethod
    def latest(cls, store: Path) -> Self:
        """The export that readers are pointed to. Raises ConfigError where nothing is published yet."""
        pointer = store / "exports" / "latest.json"
        if not pointer.exists():
            raise ConfigError(f"Nothing is published in the store {store}: run a night first, or name another --store.")
        return cls.named(store, json.loads(pointer.read_text(encoding="utf-8"))["export_id"])

    @classmethod
    def of_night(cls, store: Path, run_date: date) -> Self:
        """A night's newest export. Raises ConfigError where that night published none."""
        manifests = list((store / "exports" / "manifests").glob(f"{run_date}*.json"))
        if not manifests:
            raise ConfigError(f"The night {run_date} has published nothing in the store {store}.")
        newest = max(manifests, key=lambda path: int(path.stem.partition(".")[2] or 1))
        return cls.named(store, newest.stem)

    @classmethod
    def named(cls, store: Path, export_id: str) -> Self:
        """The export with this id. Raises ConfigError where its manifest is missing."""
        path = store / "exports" / "manifests" / f"{export_id}.json"
        if not path.exists():
            raise ConfigError(f"The export {export_id} has no manifest {path}; publish the night again.")
        return cls(store / "exports", json.loads(path.read_text(encoding="utf-8")))

    @property
    def folder(self) -> Path:
        return self.exports / str(self.manifest["export_id"])

    def table(self, name: str = "topk", users: list[Any] | None = None) -> pa.Table:
        """The rows of ``topk`` or ``popular``; of the given users only, where they are named.

        Files and row groups that cannot hold a wanted user are not read.
        """
        files = [self.folder / file["path"] for file in self.manifest["files"] if file["path"].startswith(f"{name}/")]
        wanted = None
        if users is not None:
            kind = pq.read_schema(files[0]).field("user_id").type
            wanted = pc.is_in(pc.field("user_id"), pa.array(users, kind))
        return ds.dataset([str(file) for file in files]).to_table(filter=wanted)


def read_latest(store: str | Path, users: list[Any] | None = None) -> pa.Table:
    """The current lists of a store, of all users or of some: a row a recommended item (see ``docs/export.md``)."""
    return Export.latest(Path(store)).table("topk", users)
