"""Ingest: the site's files become the raw tables of a night, and what was read is what is recorded.

No list is made of the exposures: a night does without them where they are missing or cannot be read, and says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Any

from recmodels.engine.current import asked_for
from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing.land import land
from tasks.ingest.landing.landed import by_source
from tasks.ingest.ledger import Ledger
from tasks.ingest.raw_tables import EARLIEST, write_raw
from tasks.ingest.reading.files import input_fingerprint, refuse_changed, with_what_is_there
from tasks.ingest.reading.inputs import Inputs
from tasks.store.engine_parts import began, engine_parts
from tasks.store.manifests import Manifest, manifest_of
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import RawSummary
from tasks.store.versions import code_of


@stage_task("ingest", reads_and_writes=True)
def ingest(
    night: Night, inputs: Inputs, cutoff: datetime, fresh: bool = False, earliest: date = EARLIEST
) -> Manifest[RawSummary]:
    """Bring `raw/` up to date with the site's files. `earliest`: the day before which interactions are refused.

    Files that an earlier night has read are not read again (see `Ledger`), unless the night is `fresh`.

    What is in a database is read into files first, unless that was done for this night and the files were found valid.
    """
    given, missing = with_what_is_there(inputs)
    settled = manifest_of(night.valid) is not None
    inputs, read = land(
        given, night.store.landed, cutoff, fresh=fresh, settled=settled, unread=missing.append, by_nodes=asked_for()
    )
    files = {"files": input_fingerprint(inputs)}

    def build(out: Path) -> RawSummary:
        with engine_parts(night, "ingest", fresh=fresh) if asked_for() else nullcontext() as parts:
            summary = _written(inputs, cutoff, earliest, out, files["files"], ledger, parts)
        summary["notes"] += [*read, *(left_out(reason) for reason in missing)]
        return summary

    code = code_of(__name__)
    ledger = Ledger(code) if fresh else Ledger.of(night, code)
    parameters = inputs.model_dump() | {"cutoff": cutoff.isoformat(), "earliest": earliest.isoformat()}
    try:
        raw = logged_stage(
            "ingest",
            night.raw,
            build,
            code=code,
            inputs=files,
            parameters=parameters,
            fresh=fresh,
            digests=ledger.digests,
        )
    except DataRefused as error:
        raise by_source(error, given, inputs) from error
    if not raw["skipped"]:
        ledger.save(night, raw)
    return raw


def _written(
    inputs: Inputs,
    cutoff: datetime,
    earliest: date,
    out: Path,
    known: Sequence[Mapping[str, Any]],
    ledger: Ledger,
    on_engine: Path | None,
) -> RawSummary:
    """Write the raw tables; without the exposures, where these are what cannot be read. `known`: the files by now."""
    try:
        summary = write_raw(
            inputs, cutoff, began(on_engine), out, earliest=earliest, ledger=ledger, on_engine=on_engine
        )
        refuse_changed(known)
    except (ConfigError, DataRefused) as error:
        if inputs.exposures is None:
            raise
        for path in out.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        others = inputs.model_copy(update={"exposures": None})
        needed = {one["path"] for one in input_fingerprint(others)}
        files = [one for one in known if one["path"] in needed]
        summary = _written(others, cutoff, earliest, out, files, ledger, on_engine)
        summary["notes"].append(left_out(str(error)))
    return summary


def left_out(reason: str) -> str:
    """What people are told of exposures that are not there."""
    return f"exposures: the night does without them ({reason.removeprefix('exposures: ').rstrip('.')})"
