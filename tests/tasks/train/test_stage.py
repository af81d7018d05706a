"""Training in a process of its own: what it leaves, how it fails, and how many run at a time.

Where the process is not the point it is forked from one that has imported the models.
"""

import json
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.lists.settings import ListSettings
from tasks.store import versions
from tasks.store.files import Json
from tasks.store.manifests import run_stage
from tasks.store.paths import Night
from tasks.train.jobs import TrainingJob
from tasks.train.members import code_of_job
from tasks.train.stage import _by_current_names, earlier, recipe_of, refit
from tests.recmodels.margin import MARGIN
from tests.tasks.publishing import prepare_night
from tests.tasks.training import MANIFEST, job, trained

pytestmark = pytest.mark.slow


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


def test_a_candidate_leaves_its_model_and_lists_of_the_measured_users(night: Night) -> None:
    manifest = trained(night, "neighbours", recommender="item_knn", parameters={"neighbors": 5})
    about = json.loads((night.model("neighbours") / "model.json").read_text())
    assert (about["recommender"], about["parameters"]["neighbors"]) == ("item_knn", 5)
    lists = pq.read_table(night.toplists("neighbours") / "lists.parquet")
    holdout = pq.read_table(night.prepared / "holdout.parquet")
    assert set(lists["user_index"].to_pylist()) == set(holdout["user_index"].to_pylist())
    assert manifest["summary"]["n_users"] == len(set(holdout["user_index"].to_pylist()))
    assert manifest["summary"]["peak_bytes"] > 0
    assert manifest["summary"]["seconds"] > manifest["summary"]["fit_seconds"] + manifest["summary"]["list_seconds"]


def test_a_model_of_the_sites_own_is_trained_and_listed_in_a_process(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stall_models.py").write_text(MARGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    manifest = trained(night, "margin", recommender="stall_models:Margin", parameters={"power": 0.5})
    about = json.loads((night.model("margin") / "model.json").read_text())
    assert (about["recommender"], about["parameters"]) == ("stall_models:Margin", {"power": 0.5})
    assert manifest["summary"]["n_users"] > 0 and (night.toplists("margin") / "lists.parquet").exists()
    (tmp_path / "stall_models.py").write_text(MARGIN.replace("Items in the order", "All items in the order"))
    before = manifest["code"]
    for cached in (versions.code_of, versions._imports, versions._file_of, versions._home_of):
        cached.cache_clear()
    assert code_of_job(job(night, "margin", recommender="stall_models:Margin")) != before  # a change trains it again


@pytest.mark.usefixtures("forked")
def test_longer_lists_need_no_new_model(night: Night) -> None:
    trained(night, "item_knn")
    before = (night.model("item_knn") / "manifest.json").read_bytes()
    assert not trained(night, "item_knn", ListSettings(k=4))["skipped"]
    assert (night.model("item_knn") / "manifest.json").read_bytes() == before
    assert trained(night, "item_knn", ListSettings(k=4))["skipped"]


@pytest.mark.usefixtures("forked")
def test_another_parameter_needs_a_new_model(night: Night) -> None:
    trained(night, "item_knn")
    before = (night.model("item_knn") / "manifest.json").read_bytes()
    trained(night, "item_knn", parameters={"neighbors": 1})
    assert (night.model("item_knn") / "manifest.json").read_bytes() != before


@pytest.mark.usefixtures("forked")
def test_the_winner_is_fitted_on_the_full_split(night: Night) -> None:
    manifest = refit.fn(job(night, "item_knn", split="full"), MANIFEST, MANIFEST)
    assert manifest["parameters"]["recommender"] == "item_knn"
    spec = json.loads((night.folder / "logs" / "item_knn-full.spec.json").read_text())
    assert (spec["split"], spec["lists"]) == ("full", None)
    assert (night.champion / "model.safetensors").exists()


def test_replicates_are_made_of_other_users_each_night_and_each_from_nothing(night: Night) -> None:
    one = hybrid(night, "full", "refit").model_copy(update={"replicate": 1})
    later = one.model_copy(update={"run_date": night.run_date + timedelta(days=1)})
    jobs = [one, one.model_copy(update={"replicate": 2}), one.model_copy(update={"seed": 1}), later]
    assert len({recipe_of(each)["bootstrap"] for each in jobs}) == 4
    assert recipe_of(one) == recipe_of(hybrid(night, "full", "refit")) | {"bootstrap": recipe_of(one)["bootstrap"]}
    night_after = prepare_night(night.store.root, later.run_date)
    has_trained(hybrid(night, "full", "refit"))
    assert earlier(hybrid(night_after, "full", "refit")) and earlier(later) == {}


def test_a_recipe_of_an_earlier_release_is_the_same_under_the_names_of_today() -> None:
    stored = {"recommender": "als", "params": {"unobserved": 5.0, "factors": 8}, "seed": 0}
    assert _by_current_names(stored) == {"recommender": "als", "params": {"alpha": 5.0, "factors": 8}, "seed": 0}
    foreign = {"recommender": "nowhere.models:Margin", "params": {}, "seed": 0}
    assert _by_current_names(foreign) == foreign  # and nothing is imported


def hybrid(night: Night, split: Any, warm_start: str, **parameters: Any) -> TrainingJob:
    given = {"factors": 4, "epochs": 1, "warm_start": warm_start}
    return job(night, "hybrid", split=split, parameters=given | parameters)


def has_trained(asked: TrainingJob) -> Json:
    """Leave a model of that recipe, and say how a later one is told to start from it."""
    night = asked.night
    folder = night.model("hybrid") if asked.split == "train" else night.champion
    run_stage(folder, lambda _: {}, code="1", inputs={}, parameters=recipe_of(asked))
    return {"earlier": {"model": str(folder), "features": str(night.features)}}


def next_night(night: Night) -> Night:
    return prepare_night(night.store.root, night.run_date + timedelta(days=1))


def test_a_winner_starts_from_the_newest_earlier_night_of_the_same_recipe(night: Night) -> None:
    second = next_night(night)
    third = next_night(second)
    first_left, second_left = (has_trained(hybrid(one, "full", "refit")) for one in (night, second))
    assert earlier(hybrid(night, "full", "refit")) == {}
    assert earlier(hybrid(second, "full", "refit")) == first_left
    assert earlier(hybrid(third, "full", "refit")) == second_left
    assert earlier(hybrid(third, "full", "refit", factors=5)) == earlier(hybrid(third, "full", "no")) == {}
    assert earlier(job(third, "item_knn", split="full")) == {}
    shutil.rmtree(second.champion)
    assert earlier(hybrid(third, "full", "refit")) == first_left


def test_the_comparison_starts_warm_only_from_a_model_trained_on_nothing_of_its_holdout(night: Night) -> None:
    second = next_night(night)
    left = has_trained(hybrid(night, "train", "always"))
    assert earlier(hybrid(second, "train", "always")) == {}  # each user's last item: whose was it the night before?
    for one in (night, second):
        (one.prepared / "manifest.json").write_text('{"summary": {"holdout": {"protocol": "days"}}}')
    has_trained(hybrid(night, "train", "refit"))
    assert earlier(hybrid(second, "train", "refit")) == {}
    has_trained(hybrid(night, "train", "always"))
    assert earlier(hybrid(second, "train", "always")) == left


@pytest.mark.usefixtures("forked")
def test_a_warm_start_takes_last_nights_vectors_by_id(night: Night) -> None:
    second = next_night(night)
    for one in (night, second):
        shutil.rmtree(one.champion)
        refit.fn(hybrid(one, "full", "refit"), MANIFEST, MANIFEST)
    logs = [(one.folder / "logs" / "hybrid-full.log").read_text() for one in (night, second)]
    assert ["users: 6 of 6 rows are of the earlier model" in log for log in logs] == [False, True]


def test_parameters_of_former_names_count_in_the_estimate_of_memory(night: Night) -> None:
    prepared = {"summary": {"users": 1000, "items": 500, "train": {"rows": 20_000}}}
    default, then, now = (
        job(night, "transformer", parameters=parameters).memory_needed(prepared)
        for parameters in ({}, {"width": 256}, {"dim": 256})
    )
    assert default < then == now
