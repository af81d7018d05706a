"""`nightrec diagnose` says what foretells the next item of a store's newest log."""

import json
import re
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from flows.cli.diagnose import diagnose
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from tasks.store.manifests import write_manifest
from tasks.store.paths import Store
from tests.recmodels.specifications import written_features

RING = (np.arange(400)[:, None] + np.arange(5)) % 20
"""Users who go around a ring of 20 items, from one to the next."""


def write_night(store: Path, day: date, data: Dataset) -> None:
    """The features of a night, with manifests as its stages leave them; what they name is not looked at."""
    night = Store(store).night(day)
    written_features(night.folder, data, "full")
    about = {"stage": "prepare", "inputs": {}, "parameters": {}, "code": "", "fingerprint": "", "output": ""}
    about |= {"summary": {}, "files": [], "seconds": 0.0, "peak_bytes": 0, "created_at": ""}
    for folder in (night.prepared, night.features / "full"):
        folder.mkdir(exist_ok=True)
        write_manifest(folder, about)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the logs of two nights, the older of fewer users who go the other way, and a night without any."""
    monkeypatch.chdir(tmp_path)
    folder, users = tmp_path / "store", np.repeat(np.arange(400), 5)
    for day, items in ((date(2026, 2, 26), RING[:200, ::-1]), (date(2026, 2, 27), RING)):
        there = users[: items.size]
        log = Dataset.from_arrays(there, items.ravel(), timestamp=np.arange(items.size), n_users=400, n_items=20)
        write_night(folder, day, log)
    (folder / "nights" / "2026-02-28").mkdir()
    return folder


def output(*arguments: str) -> str:
    return CliRunner().invoke(diagnose, [*arguments, "--store", "store"], catch_exceptions=False).output


def test_each_way_has_a_line_and_the_verdict_is_a_sentence() -> None:
    text = output()  # of the newest with features
    assert "How well the next item of 400 users is foretold (NDCG@10) by\n" in text
    assert re.search(r"^  what follows the last item +1\.0000$", text, re.MULTILINE)
    assert "After an item come some 1 others" in text and "100% of the next items" in text
    assert text.endswith("which speaks against the cost of a transformer.\n")
    assert "their order may be none" not in text


def test_scripts_get_the_figures_of_the_night_that_they_ask_for() -> None:
    found = json.loads(output("--date", "2026-02-26", "--json"))
    assert found["users"] == 200
    assert found["verdict"] == "last_item" and found["ndcg"]["last_item"] == pytest.approx(1)
    assert found["order"]["low"] > 0 and found["history"]["low"] <= 0


def test_a_store_without_features_is_told_what_to_do(store: Path) -> None:
    shutil.rmtree(store / "nights" / "2026-02-26")
    (store / "nights" / "2026-02-27" / "features" / "full" / "manifest.json").unlink()
    with pytest.raises(ConfigError, match="has its features any more: run one with `nightrec run`"):
        output()


def test_a_night_that_is_not_there_is_told_with_those_that_are() -> None:
    for day in ("2026-02-28", "2026-03-01"):  # one without features, and none at all
        with pytest.raises(ConfigError, match=rf"no features of the night {day}; the newest it has: 2026-02-27, 2026"):
            output("--date", day)
