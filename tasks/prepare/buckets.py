"""What an engine does of the preparation: some files' events go to ranges of users, and a range's become its pairs.

The buckets follow from the rows alone, so that each leaves the same bytes wherever it is worked on, and all together
the tables that `tasks.prepare.ranges` leaves in one process. Users have the numbers they have in the tables.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints, Longs
from recmodels.engine.kept import Kept
from recmodels.engine.work import Work
from recmodels.parted.arrays import mapped, write_arrays
from tasks.prepare import tables
from tasks.prepare.events import as_events, read_events
from tasks.prepare.interactions import Repeated, Rows, in_order, new_since
from tasks.prepare.protocols import Protocol, by_item, parted
from tasks.prepare.ranges import HOLDOUT, PAIRS, RECENT, TRAIN, Core
from tasks.prepare.row_files import read_file, read_files, write_file
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.spilling import by_range, encoder
from tasks.store.opted_out import are_among, opted_out_ids

IDS, USERS = "ids", "users"  # inputs
FILE = {kind: f"{kind}.arrow" for kind in (PAIRS, TRAIN, HOLDOUT, RECENT)}
USER_COUNTS, ITEM_COUNTS, ABOUT = "user-counts.npy", "item-counts.npy", "about.json"
AGAIN = "again"
COUNTED = (PAIRS, TRAIN, HOLDOUT, AGAIN)  # pairs of positive weight; those held out; of these the repeated ones


def range_file(number: int) -> str:
    """The file of a part of `spill` that has the events of a range of users."""
    return f"range-{number:04}.arrow"


def schema_text(schema: pa.Schema) -> str:
    """A schema as JSON can say it."""
    return b64encode(schema.remove_metadata().serialize().to_pybytes()).decode()


def count_ids(work: Work) -> None:
    """Write the distinct users and items of some valid parts (the inputs `0`, `1` …), and how many rows each has."""
    events = _events(work, ("user_id", "item_id"))
    for kind in ("user", "item"):
        counted = pc.value_counts(events[f"{kind}_id"])
        order = pc.array_sort_indices(counted.field("values"))
        table = pa.table({"id": counted.field("values").take(order), "n": counted.field("counts").take(order)})
        pq.write_table(table, work.out / f"{kind}s.parquet")


def write_ids(out: Path, user_ids: pa.Array, item_ids: pa.Array, bounds: Longs) -> None:
    """Write what `spill` has to know: all ids, in order, and the first user of each range but the first."""
    for kind, ids in ("user", user_ids), ("item", item_ids):
        pq.write_table(pa.table({"id": ids}), out / f"{kind}s.parquet")
    write_arrays(out, {"bounds": bounds})


def _read_ids(part: Path) -> tuple[Any, Any, Ints, int]:
    users, items = (pq.read_table(part / f"{kind}s.parquet")["id"].combine_chunks() for kind in ("user", "item"))
    bounds = mapped(part, "bounds")
    range_of_user = np.searchsorted(bounds, np.arange(len(users)), side="right").astype(np.int32)
    return encoder(users), encoder(items), range_of_user, len(bounds) + 1


_ids = Kept(_read_ids)


def spill(work: Work) -> None:
    """Write the events of some valid parts by ranges of users, a file each, in their order."""
    events, settings = _events(work), _settings(work)
    user_of, item_of, range_of_user, n_ranges = _ids.of(work.inputs[IDS])
    rows = as_events(user_of(events["user_id"]), item_of(events["item_id"]), events, settings)
    rows = replace(rows, weight=np.ascontiguousarray(rows.weight))
    for place, some in by_range(rows, range_of_user, n_ranges, also_empty=True):
        write_file(work.out / range_file(place), some)


def split(work: Work) -> None:
    """Write the pairs of a range of users, and by the protocol what is trained on and held out, with their counts.

    The inputs `0`, `1` … are the range's events, in order. Told are the first user `low`, the end `high`, `n_items`,
    the `settings`, and of the protocol the `name` (none: pairs alone), `start` and `days`, and how many random numbers
    the ranges before have `drawn`; `unseen` is an input where users are held out of training.
    """
    told, settings = work.arguments, _settings(work)
    low, n_users, n_items = told["low"], told["high"] - told["low"], told["n_items"]
    spilled = read_files([work.inputs[str(number)] for number in range(told["n"])])
    events = in_order(replace(spilled, user=spilled.user - np.int32(low)), n_users)
    repeated = Repeated.of(events, n_items)
    pairs = repeated.merged(settings.duplicates)
    found = {PAIRS: pairs}
    if told["days"] is not None:
        start = told["start"]
        found[TRAIN] = repeated.merged(settings.duplicates, start)
        found[HOLDOUT] = by_item(new_since(pairs, start, repeats=settings.holdout_repeats))
        found[RECENT] = events.take(events.timestamp >= start)
    elif told["name"]:
        unseen = np.flatnonzero(mapped(work.inputs["unseen"], "unseen")[low : told["high"]]) if told["unseen"] else None
        random = np.random.default_rng(settings.holdout_seed)
        random.bit_generator.advance(told["drawn"])  # type: ignore[attr-defined]
        protocol = Protocol(told["name"], told["start"], unseen=unseen)
        found[TRAIN], held = parted(pairs, protocol, settings, random, n_users)
        found[HOLDOUT] = by_item(held)
    user_counts, item_counts = np.zeros((len(COUNTED), n_users), np.int32), np.zeros((2, n_items), np.int32)
    for kind, rows in found.items():
        write_file(work.out / FILE[kind], replace(rows, user=rows.user + np.int32(low)))
    for number, kind in enumerate(COUNTED):
        if kind in found:
            positive = found[kind].weight > 0
            user_counts[number] = np.bincount(found[kind].user[positive], minlength=n_users)
            if kind != HOLDOUT:
                item_counts[number] = np.bincount(found[kind].item[positive], minlength=n_items)
    if HOLDOUT in found:
        held = found[HOLDOUT]
        user_counts[-1] = np.bincount(held.user[held.first != held.timestamp], minlength=n_users)
    np.save(work.out / USER_COUNTS, user_counts, allow_pickle=False)
    np.save(work.out / ITEM_COUNTS, item_counts, allow_pickle=False)
    about = {kind: {"rows": len(rows), "repeated": _is_repeated(rows)} for kind, rows in found.items()}
    (work.out / ABOUT).write_text(json.dumps(about))


def add_up(work: Work) -> None:
    """Write the counts of some ranges that follow one another: those of users side by side, those of items summed."""
    places = range(work.arguments["n"])
    users = [np.load(work.inputs[f"{place}-users"], allow_pickle=False) for place in places]
    items = np.zeros((2, work.arguments["n_items"]), np.int64)
    for place in places:
        items += np.load(work.inputs[f"{place}-items"], allow_pickle=False)
    write_arrays(work.out, {"users": np.concatenate(users, axis=1), "items": items})
    about = [json.loads(work.inputs[f"{place}-about"].read_text()) for place in places]
    (work.out / ABOUT).write_text(json.dumps(about))


def find_outside(work: Work) -> None:
    """Write the user and the item of each pair of positive weight of a range that is outside of a k-core."""
    rows, core = read_file(work.inputs["rows"]), work.inputs["core"]
    inside = mapped(core, "users")[rows.user] & mapped(core, "items")[rows.item]
    gone = np.flatnonzero(~inside & (rows.weight > 0))
    write_arrays(work.out, {"user": rows.user[gone], "item": rows.item[gone]})


def write_groups(work: Work) -> None:
    """Write some row groups of a table, whose rows are in the inputs `0`, `1` … among others.

    Told are the first row `begin` and the `end`, how many rows are `before` those of the inputs, `split_end`, and
    whether any was repeated (`began`). With the input `measured` only rows of those users count; with `core` the
    weights outside of it are 0, and these are written, too.
    """
    told = work.arguments
    rows = read_files([work.inputs[str(number)] for number in range(told["n"])])
    if "measured" in work.inputs:
        rows = rows.take(mapped(work.inputs["measured"], "users")[rows.user])
    rows = rows.between(told["begin"] - told["before"], told["end"] - told["before"])
    if "core" in work.inputs:
        users, items = (mapped(work.inputs["core"], name) for name in ("users", "items"))
        cut = Core(users, items, np.empty(0, np.int64), np.empty(0, np.int64)).of(rows)
        at = np.flatnonzero(rows.weight != cut.weight)
        outside = {"user": rows.user[at], "row": at + told["begin"], "weight": rows.weight[at]}
        write_arrays(work.out, outside)
        rows = cut
    tables.write_rows(work.out / "rows.parquet", [rows], told["split_end"], began=told["began"])


def _settings(work: Work) -> PrepareSettings:
    return PrepareSettings.model_validate(work.arguments["settings"])


def _events(work: Work, names: Sequence[str] = ()) -> pa.Table:
    """The rows of some valid parts, without those of users who have opted out."""
    schema = pa.ipc.read_schema(pa.py_buffer(b64decode(work.arguments["schema"])))
    files = [work.inputs[str(number)] for number in range(work.arguments["n"])]
    events = read_events(files, schema, names)
    if USERS in work.inputs:
        events = events.filter(pc.invert(are_among(events["user_id"], opted_out_ids(work.inputs[USERS]))))
    return events


def _is_repeated(rows: Rows) -> bool:
    return rows.first is not rows.timestamp and bool((rows.first != rows.timestamp).any())
