"""Training in a process of its own: what it leaves, how it fails, and how many run at a time.

Where the process is not the point it is forked from one that has imported the models.
"""

import json
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recmodels.registry import create
from tasks.lists.settings import ListSettings
from tasks.store import versions
from tasks.store.paths import Night
from tasks.train.members import code_of_job
from tasks.train.stage import making, recipe_of, refit
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


def next_night(night: Night) -> Night:
    later = prepare_night(night.store.root, night.run_date + timedelta(days=1))
    for one in (night, later):
        shutil.rmtree(one.champion)
    return later


def test_replicates_are_made_of_other_users_each_night(night: Night) -> None:
    one = job(night, "item_knn", split="full").model_copy(update={"replicate": 1})
    later = one.model_copy(update={"run_date": night.run_date + timedelta(days=1)})
    jobs = [one, one.model_copy(update={"replicate": 2}), one.model_copy(update={"seed": 1}), later]
    assert len({recipe_of(each)["bootstrap"] for each in jobs}) == 4
    assert recipe_of(one) == recipe_of(job(night, "item_knn", split="full")) | {
        "bootstrap": recipe_of(one)["bootstrap"]
    }


@pytest.mark.usefixtures("forked")
def test_a_winner_goes_on_from_that_of_the_night_before_and_says_so(night: Night) -> None:
    second = next_night(night)
    jobs = [job(one, "als", split="full", parameters={"factors": 4}) for one in (night, second)]
    made = [refit.fn(one, MANIFEST, MANIFEST) for one in jobs]
    first, then = (manifest["summary"] for manifest in made)
    assert "warm" not in first and made[1]["inputs"]["earlier"] == made[0]["output"]
    unchanged = {"rows": 0.0, "users": 0.0, "items": 0.0}
    assert then["warm"] == {
        "changed": unchanged,
        "night": str(night.run_date),
        "nights": 1,
        "since": str(night.run_date),
    }
    assert f"from the model of {night.run_date}" in then["message"]
    assert refit.fn(jobs[1], MANIFEST, MANIFEST)["skipped"]
    vectors = (second.champion / "model.safetensors").read_bytes()
    shutil.rmtree(second.champion)
    refit.fn(jobs[1], MANIFEST, MANIFEST)
    assert (second.champion / "model.safetensors").read_bytes() == vectors


@pytest.mark.usefixtures("forked")
def test_what_is_made_from_nothing_stays(night: Night) -> None:
    second = next_night(night)
    jobs = [job(one, "als", split="full", parameters={"factors": 4}) for one in (night, second)]
    refit.fn(jobs[0], MANIFEST, MANIFEST)
    fresh = refit.fn(jobs[1].model_copy(update={"fresh": True}), MANIFEST, MANIFEST)
    assert "warm" not in fresh["summary"] and "earlier" not in fresh["inputs"]
    assert refit.fn(jobs[1], MANIFEST, MANIFEST)["skipped"]
    assert making(jobs[1], MANIFEST, MANIFEST).start is None


def test_parameters_of_former_names_count_in_the_estimate_of_memory(night: Night) -> None:
    prepared = {"summary": {"users": 1000, "items": 500, "train": {"rows": 20_000}}}
    default, then, now = (
        job(night, "transformer", parameters=parameters).memory_needed(prepared)
        for parameters in ({}, {"width": 256}, {"dim": 256})
    )
    assert default < then == now


def test_a_training_that_finds_the_data_read_asks_for_less_memory(night: Night) -> None:
    prepared = {"summary": {"users": 10**6, "items": 10**5, "train": {"rows": 10**7}}}
    popularity, model = job(night, "popularity"), create("popularity")
    assert popularity.memory_needed(prepared) == model.process_memory(10**6, 10**5, 10**7)
    assert popularity.memory_needed(prepared, mapped=True) == model.process_memory(10**6, 10**5, 10**7, mapped=True)
    assert popularity.memory_needed(prepared) > popularity.memory_needed(prepared, mapped=True)
