"""Stage 3, prepare: the valid tables become one row a (user, item), dense ids, and a holdout to evaluate on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.compute.memory import total, trim
from recmodels.data import layout
from recmodels.data.domains import Domains
from recmodels.data.layout import Split
from recmodels.engine.current import asked_for
from recmodels.errors import DataRefused
from recmodels.messages import counted
from tasks.prepare.changed import Changed
from tasks.prepare.continued import continued
from tasks.prepare.earlier import Earlier
from tasks.prepare.events import Source, note_unused
from tasks.prepare.growth import NotMergeable
from tasks.prepare.holdout import HoldoutSplit, hold_out, microseconds
from tasks.prepare.interactions import Rows
from tasks.prepare.kept import Outside, outside_file, write_kept
from tasks.prepare.parted import Parted
from tasks.prepare.ranges import HOLDOUT, PAIRS, RECENT, TRAIN, Core, Ranges, k_core
from tasks.prepare.reading import read_ranges
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.tables import write_index, write_rows
from tasks.store.digests import Digests
from tasks.store.engine_parts import engine_parts
from tasks.store.files import TEMPORARY
from tasks.store.manifests import Manifest, outputs
from tasks.store.opted_out import opted_out_ids
from tasks.store.parts import parts
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import PreparedSummary
from tasks.store.versions import code_of


@stage_task("prepare")
def prepare(
    night: Night, settings: PrepareSettings, cutoff: datetime, valid: Manifest, fresh: bool = False
) -> Manifest[PreparedSummary]:
    """Bring `features/prepared/` up to date with the valid tables."""

    code, digests = code_of(__name__), Digests()

    def build(out: Path) -> PreparedSummary:
        whole = fresh or settings.holdout_repeats  # what changed since a night says nothing of old pairs that came back
        earlier = None if whole else Earlier.of(night, valid, code, settings.model_dump(), digests)
        with engine_parts(night, "prepare", fresh=fresh) if asked_for() else nullcontext() as work:
            return write_prepared(night.valid, settings, cutoff, out, earlier=earlier, on_engine=work)

    parameters = settings.model_dump() | {"cutoff": cutoff.isoformat()}
    inputs = outputs(valid=valid)
    return logged_stage(
        "prepare",
        night.prepared,
        build,
        code=code,
        inputs=inputs,
        parameters=parameters,
        fresh=fresh,
        digests=digests,
    )


def write_prepared(
    valid: Path,
    settings: PrepareSettings,
    cutoff: datetime,
    out: Path,
    memory: int = 0,
    n_ranges: int = 0,
    earlier: Earlier | None = None,
    on_engine: Path | None = None,
) -> PreparedSummary:
    """Read `valid/` and write `features/prepared/`: users, items, interactions of both splits, the holdout.

    What does not fit into half of the memory is worked on by ranges of users, in files of a temporary folder in `out`.

    Args:
        valid: the folder of the valid tables.
        settings: how events become pairs, and what is held out.
        cutoff: aware; every event is earlier.
        out: the folder of the prepared tables.
        memory: bytes to plan with; 0 for those of this machine.
        n_ranges: 0 for as many as the memory asks for.
        earlier: a night whose tables are continued, if they can be; what is written is the same, to the byte.
        on_engine: a folder for the parts of an engine, which makes what is not said by changes alone; without it this
            process does.

    Raises:
        DataRefused: too little is left to train or to evaluate on.
    """
    memory = memory or total()
    note_unused(Source(valid).columns, settings)
    for only_changes in (True, False) if on_engine is None else (True,):
        if earlier is None:
            break
        with suppress(NotMergeable), TemporaryDirectory(prefix=TEMPORARY, dir=out) as spill:
            log = continued(earlier, valid, settings, memory, Path(spill), n_ranges)
            ranges = Changed.of(log, settings.min_user_interactions) if log and only_changes else log
            if log and ranges:
                summary = _write(ranges, valid, settings, cutoff, out)
                summary["message"] += f"; {len(log.new):,} events since the night {earlier.date} merged in"
                return summary
    if on_engine is not None:
        return _write(Parted.of(valid, settings, on_engine), valid, settings, cutoff, out)
    with TemporaryDirectory(prefix=TEMPORARY, dir=out) as spill:
        return _write(read_ranges(valid, settings, memory, Path(spill), n_ranges), valid, settings, cutoff, out)


def _write(ranges: Ranges, valid: Path, settings: PrepareSettings, cutoff: datetime, out: Path) -> PreparedSummary:
    """Write what becomes of the log's ranges."""
    split = hold_out(ranges, cutoff, settings)
    full = k_core(ranges, PAIRS, settings)
    _refuse_too_small(full, split, settings)
    summary = _summary(ranges, split, full, settings, cutoff, opted_out=len(opted_out_ids(valid / "users.parquet")))

    if "domain" in pq.read_schema(parts(valid, "interactions")[0]).names:
        Domains.of(ranges.item_ids).write(out)
    write = ranges.write if isinstance(ranges, Parted) else partial(_write_ranges, ranges)
    write(out, split, full, microseconds(cutoff))
    write_index(out / layout.USERS, "user", ranges.user_ids, valid / "users.parquet")  # last, when the rows are gone
    write_index(out / layout.ITEMS, "item", ranges.item_ids, valid / "items.parquet", cutoff)
    if split.protocol.unseen is not None:
        pq.write_table(pa.table({"user_index": split.protocol.unseen.astype(np.int32)}), out / layout.UNSEEN)
    return summary


def _write_ranges(ranges: Ranges, out: Path, split: HoldoutSplit, full: Core, end: int) -> None:
    """Write the interactions of both splits and of the holdout, and what the night after has to know of them."""
    start = split.protocol.start
    if isinstance(ranges, Changed):
        ranges.earlier.link(out)
        ranges.write_numbers(out)
        write_split = ranges.write_split
    else:
        recent = _taken(ranges, RECENT) if split.protocol.days is not None else None
        write_kept(out, recent, ranges.events_of_user, start)
        write_split = partial(_write_split, ranges)
    with ThreadPoolExecutor(2) as threads:
        written = [
            threads.submit(write_split, out, "train", TRAIN, split.train, start),
            threads.submit(write_split, out, "full", PAIRS, full, end),
            threads.submit(_write_rows, out / layout.HOLDOUT, ranges, HOLDOUT, end),
        ]
        for one in written:
            one.result()


def _write_split(ranges: Ranges, out: Path, split: Split, kind: str, core: Core, split_end: int) -> None:
    """Write the rows of a split, with weight 0 for those outside the k-core."""
    outside = Outside()

    def cut(rows: Rows) -> Rows:
        inside = core.of(rows)
        outside.note(rows, inside)
        return inside

    _write_rows(out / layout.interactions_file(split), ranges, kind, split_end, cut)
    outside.write(out / outside_file(split))


def _write_rows(
    path: Path, ranges: Ranges, kind: str, split_end: int, of: Callable[[Rows], Rows] = lambda rows: rows
) -> None:
    write_rows(path, map(of, _taken(ranges, kind)), split_end, began=ranges.shelf.has_repeated(kind))


def _taken(ranges: Ranges, kind: str) -> Iterator[Rows]:
    """A kind of rows, range after range, which leave the shelf."""
    for place in range(ranges.n):
        rows = ranges.shelf.rows(kind, place)
        yield rows
        del rows
        ranges.shelf.drop(kind, place)
        trim()


def _summary(
    ranges: Ranges, split: HoldoutSplit, full: Core, settings: PrepareSettings, cutoff: datetime, *, opted_out: int
) -> PreparedSummary:
    protocol = split.protocol
    others = {"days": f"{protocol.days} days", "random": "items at random", "user-fold": "users at random"}
    held_out = others.get(protocol.name, _last_of_each(settings))
    least = settings.min_rating if ranges.rated else None
    likes = "" if least is None else f"; ratings below {least:g} are no likes (prepare.min_rating)"
    rows = ranges.n_rows(PAIRS)
    counts = f"{ranges.n_users:,} users, {ranges.n_items:,} items, {rows:,} pairs{ranges.spread}"
    return {
        "message": f"{counts}; held out: {held_out}{likes}",
        "events": ranges.n_events,
        "rows": rows,
        "users": ranges.n_users,
        "items": ranges.n_items,
        "opted_out": opted_out,
        "train": {"rows": ranges.n_rows(TRAIN), "positives": split.train.positives},
        "full": {"rows": rows, "positives": full.positives},
        "holdout": {
            "protocol": protocol.name,
            "days": protocol.days,
            "start": datetime.fromtimestamp(protocol.start / 1_000_000, cutoff.tzinfo).isoformat(),
            "users": int(split.measured.sum()),
            "drawn_from": int(split.having.sum()),
            "warm_users": split.warm_users,
            "left_out": split.left_out,
            "pairs": ranges.n_rows(HOLDOUT),
            "items": settings.holdout_items,
            "share": settings.holdout_share,
        },
    }


def _last_of_each(settings: PrepareSettings) -> str:
    return (
        "each user's last item" if settings.holdout_items == 1 else f"each user's last {settings.holdout_items} items"
    )


def _refuse_too_small(full: Core, split: HoldoutSplit, settings: PrepareSettings) -> None:
    """Raise DataRefused where too little is left to train or to evaluate on."""
    for kind, counts in ("user", full.user_counts), ("item", full.item_counts):
        if (left := int((counts > 0).sum())) < 2:
            raise DataRefused(
                f"Only {counted(left, kind)} remain{'s' * (left == 1)} to train on, and 2 are needed: the inputs are "
                "too small, or prepare.min_user_interactions, min_item_interactions or min_rating ask for too much."
            )
    if split.warm_users:
        return
    if settings.holdout == "days":
        raise DataRefused(
            f"The holdout would be empty: in the last {settings.holdout_days} days before the cutoff, nobody with a "
            'history did anything new. Raise prepare.holdout_days, or set prepare.holdout = "auto" or "last".'
        )
    raise DataRefused(
        "The holdout would be empty: without their last item, no user has a history left to train on. Give more "
        "interactions, or lower prepare.min_user_interactions, min_item_interactions or min_rating."
    )
