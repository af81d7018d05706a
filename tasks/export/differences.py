"""How two exports differ: user by user, both read in parallel, so that memory does not grow with their number."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import ConfigError
from tasks.export.audit_items import whole_lists
from tasks.export.tally import Tally
from tasks.store.exports import intact, named_export
from tasks.store.files import Json
from tasks.store.paths import Store

COLUMNS = ["user_id", "rank", "item_id", "score"]


def side_by_side(
    old: list[Path], new: list[Path], columns: list[str], more: list[str] | None = None
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of the same users from two sorted tables, some two million at a time; columns[0] is the user.

    Of the second table `more` columns are read.
    """
    key = columns[0]
    left, right = whole_lists(old, columns), whole_lists(new, [*columns, *(more or [])])
    a, b = next(left, None), next(right, None)
    nothing = [pq.read_schema(files[0]).empty_table() for files in (old, new)]
    while a is not None or b is not None:
        ends = [table[key][-1].as_py() for table in (a, b) if table is not None]
        (first, a), (second, b) = (_cut(table, key, min(ends)) for table in (a, b))
        yield nothing[0] if first is None else first, nothing[1] if second is None else second
        a = next(left, None) if a is None else a
        b = next(right, None) if b is None else b


def _cut(table: pa.Table | None, key: str, end: Any) -> tuple[pa.Table | None, pa.Table | None]:
    """The rows up to the user `end`, and the rest; None where there are none."""
    if table is None:
        return None, None
    n = int(pc.sum(pc.less_equal(table[key], pa.scalar(end, table[key].type))).as_py() or 0)
    return (table.slice(0, n) if n else None), (table.slice(n) if n < len(table) else None)


def difference(store: Store, first: str, second: str) -> Json:
    """What changed from one export to another, named by id or date.

    `churn` of a user is the share of the longer list's places whose items are not in the other list. Scores are
    compared for the pairs of user and item that are in both; models score on scales of their own.

    Raises:
        ConfigError: one of them does not exist, or their ids are of different types.
        ExportRefused: one of them is not what was published.
    """
    manifests = [named_export(store, name) for name in (first, second)]
    for manifest in manifests:
        intact(store, manifest)
    old, new = (topk_files(store, manifest) for manifest in manifests)
    types = [{name: pq.read_schema(files[0]).field(name).type for name in COLUMNS[::2]} for files in (old, new)]
    if types[0] != types[1]:
        raise ConfigError(f"The ids of {first} and {second} are of different types ({types[0]}, {types[1]}).")
    tally, more = Tally(), ["arm"] if "arms" in manifests[1] else []
    for a, b in side_by_side(old, new, COLUMNS, more):
        tally.add(a, b)
    return {"old": _about(manifests[0]), "new": _about(manifests[1]), **tally.json_ready()}


def topk_files(store: Store, manifest: Json) -> list[Path]:
    folder = store.export(manifest["export_id"])
    return [folder / file["path"] for file in manifest["files"] if file["path"].startswith("topk/")]


def _about(manifest: Json) -> Json:
    return {name: manifest[name] for name in ("export_id", "champion", "k")}
