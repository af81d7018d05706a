"""What the tests of the prepared tables share: preparing a small site, and reading what became of it by its own ids."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tests.tasks.site import CUTOFF, write_valid_tables

LOOSE = PrepareSettings(min_user_interactions=1, holdout="last")


def prepared(tmp_path: Path, rules: PrepareSettings = LOOSE, cutoff: datetime = CUTOFF, **tables: pa.Table) -> Path:
    out = tmp_path / "prepared"
    out.mkdir(parents=True, exist_ok=True)
    write_prepared(write_valid_tables(tmp_path / "valid", **tables), rules, cutoff, out)
    return out


def rows(out: Path, split: layout.Split = "full") -> list[dict[str, Any]]:
    """The rows of a split with the site's own ids."""
    table = pq.read_table(out / layout.interactions_file(split)).to_pylist()
    return named(out, table)


def holdout(out: Path) -> list[tuple[Any, Any]]:
    return [(row["user"], row["item"]) for row in named(out, pq.read_table(out / layout.HOLDOUT).to_pylist())]


def named(out: Path, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    users = pq.read_table(out / layout.USERS)["user_id"].to_pylist()
    items = pq.read_table(out / layout.ITEMS)["item_id"].to_pylist()
    return [row | {"user": users[row["user_index"]], "item": items[row["item_index"]]} for row in table]


def pairs(out: Path, split: layout.Split = "full") -> list[tuple[Any, Any]]:
    return [(row["user"], row["item"]) for row in rows(out, split)]


SITE = [(1, "a", 9), (1, "b", 8), (2, "a", 7), (2, "c", 6)]

DAYS = PrepareSettings(min_user_interactions=1, holdout="days", holdout_days=7)
