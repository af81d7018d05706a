"""`nightrec diagnose` says what foretells the next item of a store's newest log."""

import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from flows.cli import diagnose as command
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is read of a store with two nights whose log is a ring of 20 items, of which the older has its features."""
    items = (np.arange(400)[:, None] + np.arange(5)) % 20
    log = Dataset.from_arrays(np.repeat(np.arange(400), 5), items.ravel(), timestamp=np.tile(np.arange(5), 400))
    for night in ("2026-02-27", "2026-02-28"):
        (tmp_path / "store" / "nights" / night).mkdir(parents=True)
    calls: list[Path] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "finished", lambda folder: "2026-02-27" in str(folder))
    monkeypatch.setattr(Dataset, "load", lambda features, split: calls.append(features) or log)
    return calls


def output(*arguments: str) -> str:
    return CliRunner().invoke(command.diagnose, [*arguments, "--store", "store"], catch_exceptions=False).output


def test_each_way_has_a_line_and_the_verdict_is_a_sentence(read: list[Path]) -> None:
    text = output()
    assert read[0].parent.name == "2026-02-27"  # the newest with features
    assert "How well the next item of 400 users is foretold (NDCG@10) by\n" in text
    assert re.search(r"^  what follows the last item +1\.0000$", text, re.MULTILINE)
    assert "After an item come some 1 others" in text and "100% of the next items" in text
    assert text.endswith("which speaks against the cost of a transformer.\n")
    assert "their order may be none" not in text


def test_scripts_get_the_figures_of_the_night_that_they_ask_for(read: list[Path]) -> None:
    found = json.loads(output("--date", "2026-02-28", "--json"))
    assert read[0].parent.name == str(date(2026, 2, 28))
    assert found["verdict"] == "last_item" and found["ndcg"]["last_item"] == pytest.approx(1)
    assert found["order"]["low"] > 0 and found["history"]["low"] <= 0


def test_a_store_without_features_is_told_what_to_do(read: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "finished", lambda folder: False)
    with pytest.raises(ConfigError, match="has its features any more: run one with `nightrec run`"):
        output()
