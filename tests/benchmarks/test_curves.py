"""Nights are measured with settings that hold, and what was measured of other sizes stays."""

import json
import tomllib
from pathlib import Path

from docs.site import curves
from flows.settings.site import NightConfig
from recmodels.registry import create
from tests.benchmarks.curves import MODELS, PUBLISHED, configuration, stages_of, write


def test_the_nights_have_one_training_at_a_time_of_models_that_there_are() -> None:
    config = NightConfig.model_validate(tomllib.loads(configuration(["als", "hybrid"])))
    assert config.training.concurrency(9, 4, 0) == 1
    assert {PUBLISHED, "als", "hybrid"} <= config.enabled_models().keys()
    assert config.models["hybrid"].timeout_minutes * 0.75 == MODELS["hybrid"]["minutes"]
    for name, about in MODELS.items():
        create(name, about.get("parameters", {}), note=False)


def test_a_night_takes_the_place_of_one_of_its_size(tmp_path: Path) -> None:
    known, out = curves.read().nights[0], tmp_path / "curves.json"
    sizes = {
        n: known.model_copy(update={"interactions": n, "date": date}) for n, date in ((3_009_000, "a"), (10**8, "c"))
    }
    write(out, list(sizes.values()))
    write(out, [known.model_copy(update={"interactions": 3_010_000, "date": "b", "commit": "x"})])
    found = curves.read(out)
    assert [(night.interactions, night.date) for night in found.nights] == [(3_010_000, "b"), (10**8, "c")]
    assert found.machine.date == "c"


def test_the_costs_of_a_training_are_those_of_its_own_process(tmp_path: Path) -> None:
    night = tmp_path / "nights" / "n"
    (night / "toplists" / "als").mkdir(parents=True)
    summary = {"seconds": 3.0, "cpu_seconds": 5.0, "peak_bytes": 7}
    (night / "toplists" / "als" / "manifest.json").write_text(json.dumps({"summary": summary}))
    line = {"event": "done", "seconds": 30.0, "cpu_seconds": 50.0, "peak_bytes": 70}
    names = ("ingest", "train als", "note")
    record = {"stages": [line | {"stage": name, "event": "note" if name == "note" else "done"} for name in names]}
    ingest, als = stages_of(night, record)
    assert (ingest.seconds, ingest.cpu_seconds, ingest.peak_bytes, ingest.disk_bytes) == (30, 50, 70, 0)
    assert (als.seconds, als.cpu_seconds, als.peak_bytes) == (3, 5, 7)
    assert als.disk_bytes == len(json.dumps({"summary": summary}))
