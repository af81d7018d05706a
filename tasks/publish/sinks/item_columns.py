"""What points of a vector database say of an item besides its vector: columns of the items' table of the night."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.errors import ConfigError
from tasks.features.column_roles import role_of
from tasks.features.settings import FeatureSettings
from tasks.features.tokens import tags_as_written
from tasks.publish.sinks.source import Published
from tasks.store.events import current_stage, log_event
from tasks.store.paths import Store


def write_item_columns(published: Published, names: Sequence[str] | None, path: Path) -> list[str]:
    """Write `item_id` and, as JSON, some columns of each item of an export's night; tags become lists.

    Args:
        published: the export.
        names: of the columns; without them title, categories and tags: what the night took for some.
        path: of the Parquet file. It has no rows, and the log a note, where the night's working files are gone.

    Returns:
        The columns that searches may filter by: categories and tags.

    Raises:
        ConfigError: the items have no such column.
    """
    file = Store(published.folder.parent).night(published.run_date).prepared / layout.ITEMS
    if not file.is_file():
        log_event(current_stage.get() or "sinks", "note", "points have ids alone: the files of the night are gone")
        pq.write_table(pa.table({"item_id": pa.array([], pa.string()), "columns": pa.array([], pa.string())}), path)
        return []
    items = pq.read_table(file)
    if unknown := sorted(set(names or ()) - set(items.column_names)):
        raise ConfigError(f"sinks.qdrant.columns names {', '.join(unknown)[:100]}, which the items do not have.")
    rules = FeatureSettings(roles=published.export.manifest.get("rules", {}).get("roles", {}))
    roles = {name: role_of(items, name, rules) for name in items.column_names}
    filtered = [name for name, role in roles.items() if role in ("category", "tags")]
    chosen = [name for name in items.column_names if name == "title" or name in filtered] if names is None else names
    values = [
        [tags_as_written(one) for one in items[name].to_pylist()] if roles[name] == "tags" else items[name].to_pylist()
        for name in chosen
    ]
    texts = [
        json.dumps({name: one for name, one in zip(chosen, row, strict=True) if _is_there(one)}, default=str)
        for row in zip(*values, strict=True)
    ]
    columns = pa.array(texts or ["{}"] * len(items), pa.string())
    pq.write_table(pa.table({"item_id": items["item_id"], "columns": columns}), path)
    return [name for name in chosen if name in filtered]


def _is_there(value: Any) -> bool:
    """Whether a value says something; JSON has no numbers that are none, nor infinite ones."""
    return value not in (None, []) and not (isinstance(value, float) and not math.isfinite(value))
