"""Ensembles among the candidates: who their members are, when they are trained, and which models they take over."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from flows.settings.site import NightConfig
from recmodels.errors import ConfigError
from recmodels.registry import create
from tasks.compare.champion import named
from tasks.train.jobs import TrainingJob
from tasks.train.members import at_hand, in_turn, refuse_wrong_columns, with_members, without_failed
from tasks.train.settings import Candidate
from tasks.train.stage import train
from tests.tasks.publishing import prepare_night
from tests.tasks.training import MANIFEST, job


def ensemble(**parameters: Any) -> Candidate:
    return Candidate(recommender="ensemble", parameters=parameters)


def test_the_members_are_the_others_that_are_cheap_to_train() -> None:
    field = {
        "small": Candidate(recommender="als", parameters={"factors": 8}),
        "item_knn": Candidate(),
        "transformer": Candidate(),
        "ease": Candidate(enabled=False),
        "ensemble": Candidate(),
    }
    told = with_members(field)
    assert told["ensemble"].parameters == {
        "members": ["small", "item_knn"],
        "recipes": {
            "small": {"recommender": "als", "params": {"factors": 8}},
            "item_knn": {"recommender": "item_knn", "params": {}},
        },
    }
    assert {name: one for name, one in told.items() if name != "ensemble"} == {
        name: one for name, one in field.items() if name != "ensemble"
    }
    assert field["ensemble"].parameters == {}
    assert with_members(told) == told
    parameters = asdict(create("ensemble", told["ensemble"].parameters))  # as a manifest has them
    assert named(told, "ensemble", "ensemble", parameters) == "ensemble"  # the champion and tonight's are the same


def test_members_can_be_named_also_those_that_do_not_compete() -> None:
    field = {
        "small": Candidate(recommender="als", enabled=False, parameters={"factors": 8}),
        "both": ensemble(members=["small", "ease"]),
    }
    assert with_members(field)["both"].parameters["recipes"] == {
        "small": {"recommender": "als", "params": {"factors": 8}}
    }


def test_members_that_are_left_out_of_a_night_keep_their_parameters() -> None:
    field = {
        "small": Candidate(recommender="als", parameters={"factors": 8}),
        "both": ensemble(members=["small", "ease"]),
    }
    chosen = NightConfig(models={"popularity": Candidate(), **field}).only(["both"]).models
    assert list(chosen) == ["popularity", "both"]
    assert chosen["both"].parameters["recipes"] == {"small": {"recommender": "als", "params": {"factors": 8}}}
    assert with_members(chosen) == chosen


def test_an_ensemble_that_is_alone_has_the_members_of_the_library() -> None:
    told = with_members({"popularity": Candidate(), "ensemble": Candidate()})["ensemble"]
    assert create("ensemble", told.parameters) == create("ensemble")


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (["alz", "ease"], "did you mean 'als'"),
        (["ease"], "takes two at least"),
        (["both", "ease"], "is an ensemble, too"),
    ],
)
def test_members_that_cannot_be_are_refused_with_the_configuration(members: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        with_members({"ease": Candidate(), "both": ensemble(members=members)})


def jobs(folder: Path) -> list[TrainingJob]:
    night = prepare_night(folder)
    both = {"members": ["popularity", "item_knn", "als"]}
    return [
        job(night, "both", recommender="ensemble", parameters=both),
        job(night, "popularity"),
        job(night, "item_knn"),
    ]


def test_ensembles_come_last_and_without_the_members_that_failed(tmp_path: Path) -> None:
    single, ensembles = in_turn(jobs(tmp_path))
    assert [one.name for one in single] == ["popularity", "item_knn"]
    assert [one.name for one in ensembles] == ["both"]
    (told,) = without_failed(ensembles, {"als": "out of time", "other": "no"})
    assert told.without == ["als"] and told.concurrency == 1
    (told,) = without_failed(ensembles, {})
    assert told.without == []


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_an_ensemble_takes_the_models_that_tonight_has_trained_and_no_others(tmp_path: Path) -> None:
    both, popularity, item_knn = jobs(tmp_path)
    for one in (popularity, item_knn):
        train.fn(one, MANIFEST, MANIFEST)
    inputs = dict.fromkeys(("prepared", "features"), MANIFEST["output"])
    assert list(at_hand(both, inputs)) == ["popularity", "item_knn"]  # there is no als
    assert list(at_hand(both.model_copy(update={"without": ["item_knn"]}), inputs)) == ["popularity"]
    assert at_hand(both, inputs | {"prepared": "other"}) == {}
    assert at_hand(both.model_copy(update={"seed": 1}), inputs) == {}
    assert at_hand(popularity, inputs) == {}

    manifest = train.fn(both, MANIFEST, MANIFEST)
    assert list(manifest["inputs"]["members"]) == ["popularity", "item_knn"]
    assert both.night.model("both").joinpath("members_", "item_knn", "model.json").exists()
    assert train.fn(both, MANIFEST, MANIFEST)["skipped"]
    without = both.model_copy(update={"without": ["als"]})
    assert not train.fn(without, MANIFEST, MANIFEST)["skipped"]
    assert not both.night.model("both").joinpath("members_", "als").exists()


def test_wrong_columns_are_refused_before_anything_is_trained(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    night = prepare_night(tmp_path)
    fine = ["SELECT item_id, count(*) AS bought FROM interactions GROUP BY ALL"]
    site = {"pairs": fine, "context": "weekday"}
    with caplog.at_level(logging.INFO, "nightrec.events"):
        seen = {"ensemble": ensemble(item_columns=["genre"], pairs=fine), "item_knn": Candidate()}
        refuse_wrong_columns(night, seen, site)
        assert "nothing comes of" not in caplog.text
        refuse_wrong_columns(night, {"item_knn": Candidate()}, site)
    assert "nothing comes of features.pairs and features.context: no ensemble is trained" in caplog.text
    with pytest.raises(ConfigError, match=r"item_columns: there is no column price; there are item_id, title"):
        refuse_wrong_columns(night, {"own": ensemble(item_columns=["price"])}, {})
    with pytest.raises(ConfigError, match=r"features\.pairs\.sql: .*bought"):
        refuse_wrong_columns(night, {"own": ensemble(pairs=["SELECT bought FROM interactions"])}, {})
    off = ensemble(item_columns=["price"]).model_copy(update={"enabled": False})
    refuse_wrong_columns(night, {"own": off}, {})
