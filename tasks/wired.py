"""temporary"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.ingest import write_raw
from tasks.inputs import Inputs, input_fingerprint
from tasks.stage import stage_task, told_stage
from tasks.store import Json, Manifest, Night

MONTH = timedelta(days=30)


@stage_task("ingest")
def ingest(night: Night, inputs: Inputs, cutoff: datetime, fresh: bool = False) -> Manifest:
    """Bring ``raw/`` up to date with the site's files."""

    def build(out: Path) -> Json:
        return write_raw(inputs, cutoff, datetime.now(UTC), out)

    return told_stage(
        "ingest",
        night.raw,
        build,
        inputs={"files": input_fingerprint(inputs)},
        parameters=inputs.model_dump() | {"cutoff": cutoff.isoformat()},
        fresh=fresh,
    )
