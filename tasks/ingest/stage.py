"""Ingest: the site's files become the raw tables of a night, and what was read is what is recorded."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from tasks.ingest.raw_tables import EARLIEST, write_raw
from tasks.ingest.reading.files import input_fingerprint, refuse_changed
from tasks.ingest.reading.inputs import Inputs
from tasks.store.manifests import Manifest
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import RawSummary
from tasks.store.versions import code_of


@stage_task("ingest", reads_and_writes=True)
def ingest(
    night: Night, inputs: Inputs, cutoff: datetime, fresh: bool = False, earliest: date = EARLIEST
) -> Manifest[RawSummary]:
    """Bring `raw/` up to date with the site's files. `earliest`: the day before which interactions are refused."""

    def build(out: Path) -> RawSummary:
        summary = write_raw(inputs, cutoff, datetime.now(UTC), out, earliest=earliest)
        refuse_changed(files["files"])
        return summary

    files = {"files": input_fingerprint(inputs)}
    parameters = inputs.model_dump() | {"cutoff": cutoff.isoformat(), "earliest": earliest.isoformat()}
    return logged_stage(
        "ingest", night.raw, build, code=code_of(__name__), inputs=files, parameters=parameters, fresh=fresh
    )
