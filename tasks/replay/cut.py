"""The valid tables of a whole range, cut to what a night may see; and what people did after it.

Parts of a log that lie before the cutoff are linked, and those after it left out: their files say when their rows were.
So a night reads the rows around its cutoff, and of those before it only who has had what.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
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
from tasks.prepare.holdout import microseconds
from tasks.prepare.interactions import Log, in_order, merge, new_since
from tasks.prepare.settings import PrepareSettings
from tasks.store.digests import Digests
from tasks.store.files import Json
from tasks.store.manifests import Manifest, outputs, run_stage
from tasks.store.opted_out import are_among, opted_out_ids
from tasks.store.parts import as_one_file, link, part_path, parts
from tasks.store.paths import Night
from tasks.store.versions import code_of
from tasks.validate.counts import spread
from tasks.validate.preview import age_in_days, broken, said

ROWS_AT_ONCE = 1_000_000
DATED = ("interactions", "tags")
"""Tables of which the ingest leaves out what is at or after the cutoff."""
TRUTH = "truth.parquet"
NEEDED = ("user_id", "item_id", "timestamp", "rating", "event", "context", "domain", "tag")
"""Of these, the columns that a later stage reads."""
_times = pc.field("timestamp")


def cut(night: Night, shared: Night, valid: Manifest, cutoff: datetime) -> Manifest:
    """Bring `valid/` of a night up to date with the valid tables of the whole range."""

    def build(out: Path) -> Json:
        return {"rows": write_cut(shared.valid, cutoff, out)}

    digests = Digests()
    for file in valid["files"]:
        digests.learn(shared.valid / file["path"], file["sha256"])
    parameters = {"cutoff": cutoff.isoformat()}
    code = code_of(__name__)
    return run_stage(night.valid, build, code=code, inputs=outputs(valid=valid), parameters=parameters, digests=digests)


def write_cut(valid: Path, cutoff: datetime, out: Path) -> int:
    """Write the rows of the valid tables before an instant, in their order; how many interactions there are."""
    _link_undated(valid, out)
    for table in DATED:
        if files := parts(valid, table):
            _cut_table(table, files, cutoff, out)
    return sum(pq.read_metadata(path).num_rows for path in parts(out, DATED[0]))


def _link_undated(valid: Path, out: Path) -> None:
    for path in sorted(valid.glob("*.parquet")):
        if path.stem not in DATED:
            link(path, out / path.name)


def _cut_table(table: str, files: Sequence[Path], cutoff: datetime, out: Path) -> None:
    written = 0
    for path in files:
        begins, ends = _before(path, cutoff)
        if begins:
            target = part_path(out, table, written)
            link(path, target) if ends else _write([path], _times < _at(cutoff), target)
            written += 1
    if not written:
        _write(files[:1], pc.scalar(False), part_path(out, table, 0))
    as_one_file(out, table)


def _before(path: Path, instant: datetime) -> tuple[bool, bool]:
    """Whether a file has rows before an instant, and whether all of them are; as far as it says so itself."""
    about = pq.read_metadata(path)
    place = about.schema.names.index("timestamp")
    found = [about.row_group(number).column(place).statistics for number in range(about.num_row_groups)]
    if any(one is None or not one.has_min_max for one in found):
        return True, False
    begins = any(one.min < instant for one in found)
    return begins, begins and all(one.max < instant and not one.null_count for one in found)


def _at(instant: datetime) -> pa.Scalar:
    return pa.scalar(instant.astimezone(UTC))


def _write(files: Sequence[Path], which: pc.Expression, target: Path) -> int:
    """Write the rows of some files that are wanted, with the columns that are needed; how many there are."""
    schema = pq.read_schema(files[0])
    schema = pa.schema([field for field in schema if field.name in NEEDED])
    rows = 0
    with pq.ParquetWriter(target, schema) as writer:
        for batch in _batches(files, schema.names, which):
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def _batches(files: Sequence[Path], names: Sequence[str], which: pc.Expression) -> Iterator[pa.RecordBatch]:
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
                yield batch.filter(which)


def refuse_unfit(valid: Path, settings: ValidationSettings, cutoff: datetime) -> None:
    """Raise DataRefused where the validation of a night would stop at its interactions as they are at the cutoff.

    How many rows recent nights had is not asked: a replay has no such nights.
    """
    files = parts(valid, DATED[0])
    rows = sum(pq.read_metadata(path).num_rows for path in files)
    profile: dict[str, Any] = {"table": "interactions", "rows": rows, "quarantined_share": 0.0, "refusals": ""}
    if newest := spread(files).newest:
        profile |= _different(files, {"users": settings.min_users, "items": settings.min_items})
        profile |= {"newest": newest, "newest_age_days": age_in_days(cutoff, newest)}
    rules = table_rules("interactions", profile, settings, cutoff)
    if stops := [said(rule) for rule in rules if broken(rule, profile)]:
        raise DataRefused(stops[0])


def _different(files: Sequence[Path], least: Mapping[str, int]) -> dict[str, int]:
    """How many different users and items there are, or in the first files, if these have as many as there must be."""
    found = {name: pa.array([]) for name in least}
    for path in files:
        table = pq.read_table(path, columns=[f"{name[:-1]}_id" for name in least])
        for name in least:
            ids = pc.unique(table[f"{name[:-1]}_id"])
            found[name] = pc.unique(pa.concat_arrays([found[name].cast(ids.type), ids]))
        if all(len(found[name]) >= enough for name, enough in least.items()):
            break
    return {name: len(ids) for name, ids in found.items()}


def write_truth(valid: Path, settings: PrepareSettings, start: datetime, until: datetime, out: Path) -> int:
    """Write what was new to people from one instant to another: `user_id` and `item_id`; how many pairs there are.

    What they did again is among it where it is held out, too (`holdout_repeats`).
    By the definition of a night's holdout: a night at `until` that held out the days since `start` would hold out this.
    """
    files = parts(valid, DATED[0])
    after = [path for path in files if _before(path, until)[0] and not _before(path, start)[1]]
    with TemporaryDirectory(prefix=".tmp-since-", dir=out) as name:
        _link_undated(valid, folder := Path(name))
        there = folder / f"{DATED[0]}.parquet"
        _write(after or files[:1], (_times >= _at(start)) & (_times < _at(until)), there)
        if not _anybody(there, valid):
            table = pq.read_table(there, columns=["user_id", "item_id"]).slice(0, 0)
        else:
            log = read_log(folder, settings)
            table = _new(log, settings, [path for path in files if _before(path, start)[0]], start)
    pq.write_table(table, out / TRUTH)
    return len(table)


def _anybody(interactions: Path, valid: Path) -> bool:
    """Whether some interactions are of anybody who has not opted out."""
    people, gone = pq.read_table(interactions, columns=["user_id"])["user_id"], opted_out_ids(valid / "users.parquet")
    return len(people) > 0 and not (len(gone) and pc.all(are_among(people, gone)).as_py())


def _new(log: Log, settings: PrepareSettings, before: Sequence[Path], start: datetime) -> pa.Table:
    """The pairs of positive weight of a log that begins at an instant which are in no row of some files before it; all
    of them where repeats are held out.
    """
    n_items = len(log.item_ids)
    events = in_order(log.events, len(log.user_ids))
    pairs = new_since(merge(events, n_items, settings.duplicates), microseconds(start))
    keys = np.sort(pairs.user.astype(np.int64) * n_items + pairs.item)
    known, value_set = np.zeros(len(keys), np.bool_), pa.array(keys)
    columns, before = ["user_id", "item_id", "timestamp"], () if settings.holdout_repeats else before
    for batch in _batches(before, columns, _times < _at(start)) if len(keys) else ():
        user = pc.index_in(batch["user_id"], value_set=log.user_ids)
        item = pc.index_in(batch["item_id"], value_set=log.item_ids)
        found = pc.add(pc.multiply(user.cast(pa.int64()), n_items), item.cast(pa.int64()))
        known[pc.index_in(found, value_set=value_set).drop_null().to_numpy()] = True
    new_user, new_item = np.divmod(keys[~known], n_items)
    return pa.table(
        {"user_id": log.user_ids.take(pa.array(new_user)), "item_id": log.item_ids.take(pa.array(new_item))}
    )
