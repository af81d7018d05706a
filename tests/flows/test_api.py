"""A night from Python: the lines of the documentation run, and what is wrong is said before anything is started."""

import re
from collections.abc import Iterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flows
from flows import run_night
from flows.api import NightResult
from recmodels.errors import ConfigError, NightrecError
from tests.flows.forked import forked_candidates
from tests.flows.running import ROOT, pages_without_charts
from tests.flows.sites import DAY, log

OURS = {"user_id": "customer", "item_id": "sku", "timestamp": "time"}


@pytest.fixture(scope="module", autouse=True)
def quick_nights() -> Iterator[None]:
    with forked_candidates(), pages_without_charts():
        yield


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    found = pd.read_csv(StringIO(log())).rename(columns=OURS)
    return found.assign(time=pd.to_datetime(found["time"]))


@pytest.fixture(scope="module")
def night(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> NightResult:
    store = tmp_path_factory.mktemp("python") / "store"
    return run_night(frame, store=store, run_date=DAY, models=["item_knn"], columns=OURS, k=5)


def test_a_night_of_a_data_frame(night: NightResult, frame: pd.DataFrame) -> None:
    assert (night.run_date, night.export_id) == (DAY, str(DAY))
    assert set(night.metrics) >= {"item_knn", "popularity"} and night.winner in night.metrics
    assert 0 < night.metrics["item_knn"]["ndcg"] <= 1
    assert night.failed == {} and night.warnings == [] and night.reason
    lists = night.lists()
    assert set(lists["user_id"]) == set(frame["customer"])
    assert lists.groupby("user_id").size().max() == 5
    assert isinstance(night.table("popular"), pa.Table)


def test_the_same_frame_again_is_the_same_night(night: NightResult, frame: pd.DataFrame) -> None:
    again = run_night(frame, store=night.store, run_date=DAY.isoformat(), models=["item_knn"], columns=OURS, k=5)
    assert (again.export_id, again.record["new_export"]) == (night.export_id, False)
    assert {stage["event"] for stage in again.record["stages"] if stage["stage"] == "ingest"} == {"skipped"}
    assert again.lists().equals(night.lists())


def test_a_dry_run_has_no_lists_and_vectors_are_all_that_content_needs(night: NightResult, frame: pd.DataFrame) -> None:
    skus = sorted(frame["sku"].unique())
    vectors = pd.DataFrame({"item_id": skus, "vector": list(np.eye(len(skus), dtype=np.float32))})
    given: dict[str, Any] = {"columns": OURS, "item_vectors": vectors, "models": ["item_knn", "content"]}
    dry = run_night(frame, store=night.store, run_date=DAY, dry_run=True, **given)
    assert dry.export_id is None and dry.winner == night.winner
    assert dry.failed == {} and dry.metrics["content"]["ndcg"] > 0
    with pytest.raises(NightrecError, match="was a dry run"):
        dry.lists()


def test_the_documentation_calls_it_as_it_is() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    block = next(block for block in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    called: dict[str, Any] = {}

    def run(*tables: object, **arguments: object) -> Any:
        called.update(arguments, tables=len(tables))
        return type("Night", (), {"winner": "als", "metrics": {"als": {"ndcg": 0.1}}, "lists": lambda night: []})()

    names = {"interactions": None, "items": None, "run_night": run}
    exec(block.replace("from flows import run_night", ""), names)
    assert called.pop("tables") == 2
    assert set(called) <= set(run_night.__kwdefaults__ or ())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"interactions": "nope.csv"}, "there is no file or folder 'nope.csv'"),
        ({"models": ["eese"]}, "did you mean 'ease'"),
        ({"forced_model": "eese"}, "no such model tonight"),
        ({"config": "nope.toml"}, "There is no configuration file nope.toml"),
        ({"interactions": pd.DataFrame({"user_id": [1, "a"]})}, "values of several types"),
        ({"items": pd.DataFrame({"item_id": [1]})}, "no interactions to go with the tables"),
    ],
)
def test_what_is_wrong_is_said_first(
    wrong: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        run_night(**wrong, run_date=date(2026, 1, 1))
    assert not (tmp_path / "store" / "nights").exists()


def test_what_the_package_offers_is_named() -> None:
    assert set(flows.__all__) == {"Answered", "Answers", "NightResult", "off_policy", "run_night"}
    with pytest.raises(AttributeError):
        _ = flows.run_day  # type: ignore[attr-defined]
