"""What the night's arms will have done, by what their users did early."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.arms.inputs import ArmsInputs
from tasks.longterm.asked import long_term
from tasks.longterm.outcome import DEFAULT, Outcome
from tasks.longterm.results import LongTerm
from tasks.store.events import log_event
from tasks.store.files import read_json, write_json
from tasks.store.manifests import Manifest, finished
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of

FIGURES = "longterm.json"


def foretell_arms(given: ArmsInputs, fresh: bool = False) -> Manifest | None:
    """What is foretold of a night's arms; None where a site has none, which pays nothing, or it could not be made."""
    if not given.settings.groups:
        shutil.rmtree(given.night.longterm, ignore_errors=True)  # of an earlier run, which had some
        return None
    return longterm(given, fresh)


@stage_task("longterm")
def longterm(given: ArmsInputs, fresh: bool = False) -> Manifest | None:
    """Bring `longterm/` up to date with what users did before the cutoff."""
    night = given.night

    def build(out: Path) -> Mapping[str, Any]:
        try:
            found = long_term(night, given.settings, given.features, given.keep_days, Outcome.of(DEFAULT))
        except ConfigError as error:  # the site is young, or small
            return {"message": f"nothing is foretold of the arms yet: {error}"}
        write_json(out / FIGURES, found.json_ready())
        return {"message": " ".join(one.says for one in found.arms)}

    inputs, parameters = given.fingerprints(), given.parameters() | {"outcome": DEFAULT}
    try:
        return logged_stage(
            "longterm", night.longterm, build, code=code_of(__name__), inputs=inputs, parameters=parameters, fresh=fresh
        )
    except (duckdb.Error, pa.ArrowException) as error:
        # Files of past nights may be damaged or of another version, and the lists are due tonight all the same.
        log_event("longterm", "note", f"nothing is foretold of the arms: {type(error).__name__}: {str(error)[:200]}")
        shutil.rmtree(night.longterm, ignore_errors=True)
        return None


def foretold_of_night(night: Night) -> LongTerm | None:
    """What was foretold of the arms of a night, as the stage left it; None where it has none."""
    content = read_json(night.longterm / FIGURES) if finished(night.longterm) else None
    return None if content is None else LongTerm.of(content)
