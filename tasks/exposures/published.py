"""The lists of the exports that exposures may be of, as SQL; and the ids by which users stand in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import ConfigError
from recmodels.published.pseudonyms import check_of, hashed_ids, key_in
from tasks.store.duckdb import file_literal
from tasks.store.exports import manifest_of
from tasks.store.ids import is_export_id
from tasks.store.paths import Store

SINCE = {"arm": "'main'", "policy": "model", "propensity": "1.0"}
"""Columns that older exports lack, and what holds of their rows."""


@dataclass(frozen=True)
class Lists:
    """The `topk` of an export. `key`: by which its user ids are hashed, if they are."""

    export_id: str
    parts: Sequence[Path]
    names: frozenset[str]
    key: bytes | None

    def sql(self, user_type: str, item_type: str) -> str:
        """Its rows: `published_user`, `published_item`, `published_rank`, and what `SINCE` has.

        The ids are of the types that the night has (of DuckDB), though the site may have changed them since; hashes
        are texts.
        """
        more = ", ".join(
            f"{f'coalesce({name}, {usual})' if name in self.names else usual} AS {name}"
            for name, usual in SINCE.items()
        )
        user = "user_id" if self.key else f"TRY_CAST(user_id AS {user_type})"
        files = ", ".join(map(file_literal, self.parts))
        return (
            f"SELECT {user} AS published_user, TRY_CAST(item_id AS {item_type}) AS published_item, "
            f"rank AS published_rank, {more} FROM read_parquet([{files}], hive_partitioning = false)"
        )


def lists_of(store: Store, export_id: str) -> Lists | None:
    """The lists of an export; None where it is gone or damaged, or hashes its users by a key that is not at hand.

    A site may have logged anything as the id.
    """
    if not is_export_id(export_id):
        return None
    parts = sorted((store.export(export_id) / "topk").glob("*.parquet"))
    manifest = manifest_of(store, export_id)
    if manifest is None or not parts:
        return None
    try:
        names = frozenset(pq.read_schema(parts[0]).names)
        key = key_in(manifest["hash_key_env"]) if manifest.get("hash_key_env") else None
    except (OSError, pa.ArrowException, ConfigError):
        return None
    if key is not None and check_of(key) != manifest.get("hash_key_check"):
        return None
    return Lists(export_id, parts, names, key)


def as_listed(db: duckdb.DuckDBPyConnection, lists: Lists, rows: str) -> str:
    """Rows of users (SQL with `user_id` and `user_index`) with `listed_as`: how their users stand in an export."""
    if lists.key is None:
        return f"SELECT *, user_id AS listed_as FROM ({rows})"
    users = db.sql(f"SELECT DISTINCT user_index, user_id FROM ({rows})").to_arrow_table()
    hashed = hashed_ids(users["user_id"].combine_chunks(), lists.key)
    db.register("hashed", pa.table({"user_index": users["user_index"], "listed_as": hashed}))
    return f"SELECT shown.*, listed_as FROM ({rows}) AS shown JOIN hashed USING (user_index)"
