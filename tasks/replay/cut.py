"""The valid tables of a whole range, cut to what a night may see; and what people did after it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations.settings import ValidationSettings
from expectations.tables import table_rules
from recmodels.errors import DataRefused
from tasks.prepare.events import read_log
from tasks.prepare.holdout import microseconds, new_since
from tasks.prepare.interactions import merge
from tasks.prepare.settings import PrepareSettings
from tasks.store.files import Json
from tasks.store.manifests import Manifest, outputs, run_stage
from tasks.store.parts import link, parts
from tasks.store.paths import Night
from tasks.store.versions import code_of
from tasks.validate.preview import age_in_days, broken, said

ROWS_AT_ONCE = 1_000_000
DATED = ("interactions", "tags")
"""Tables of which the ingest leaves out what is at or after the cutoff."""
TRUTH = "truth.parquet"
NEEDED = ("user_id", "item_id", "timestamp", "rating", "event", "tag")
"""Of these, the columns that a later stage reads."""


def cut(night: Night, shared: Night, valid: Manifest, cutoff: datetime) -> Manifest:
    """Bring `valid/` of a night up to date with the valid tables of the whole range."""

    def build(out: Path) -> Json:
        return {"rows": write_cut(shared.valid, cutoff, out)}

    parameters = {"cutoff": cutoff.isoformat()}
    return run_stage(night.valid, build, code=code_of(__name__), inputs=outputs(valid=valid), parameters=parameters)


def write_cut(valid: Path, cutoff: datetime, out: Path) -> int:
    """Write the rows of the valid tables before an instant, in their order; how many interactions there are."""
    rows = 0
    for path in sorted(valid.glob("*.parquet")):
        if path.stem not in DATED:
            link(path, out / path.name)
    for table in DATED:
        files = parts(valid, table)
        if not files:
            continue
        schema = pq.read_schema(files[0])
        schema = pa.schema([field for field in schema if field.name in NEEDED])
        with pq.ParquetWriter(out / f"{table}.parquet", schema) as writer:
            for batch in _before(files, schema.names, cutoff):
                writer.write_batch(batch)
                rows += len(batch) if table == DATED[0] else 0
    return rows


def _before(files: list[Path], names: list[str], cutoff: datetime) -> Iterator[pa.RecordBatch]:
    end = microseconds(cutoff)
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
                yield batch.filter(pc.less(batch["timestamp"].cast(pa.int64()), end))


def refuse_unfit(valid: Path, settings: ValidationSettings, cutoff: datetime) -> None:
    """Raise DataRefused where the validation of a night would stop at its interactions as they are at the cutoff.

    How many rows recent nights had is not asked: a replay has no such nights.
    """
    columns = pq.read_table(parts(valid, DATED[0]), columns=["user_id", "item_id", "timestamp"])
    profile: dict[str, Any] = {"table": "interactions", "rows": len(columns), "quarantined_share": 0.0, "refusals": ""}
    if len(columns):
        profile |= {f"{name}s": len(pc.unique(columns[f"{name}_id"])) for name in ("user", "item")}
        newest = pc.max(columns["timestamp"]).as_py()
        profile |= {"newest": newest, "newest_age_days": age_in_days(cutoff, newest)}
    rules = table_rules("interactions", profile, settings, cutoff)
    if stops := [said(rule) for rule in rules if broken(rule, profile)]:
        raise DataRefused(stops[0])


def write_truth(valid: Path, settings: PrepareSettings, start: datetime, until: datetime, out: Path) -> int:
    """Write what was new to people from one instant to another: `user_id` and `item_id`; how many pairs there are.

    By the definition of a night's holdout: a night at `until` that held out the days since `start` would hold out this.
    """
    with TemporaryDirectory(prefix=".tmp-until-", dir=out) as folder:
        write_cut(valid, until, Path(folder))
        log = read_log(Path(folder), settings)
    new = new_since(merge(log.events, len(log.item_ids), settings.duplicates), microseconds(start))
    order = np.lexsort((new.item, new.user))
    table = pa.table(
        {
            "user_id": log.user_ids.take(pa.array(new.user[order])),
            "item_id": log.item_ids.take(pa.array(new.item[order])),
        }
    )
    pq.write_table(table, out / TRUTH)
    return len(table)
