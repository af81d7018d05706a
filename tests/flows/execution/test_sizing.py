"""Tonight's jobs, held against what they are estimated to take."""

import logging
from pathlib import Path
from typing import Any

import pytest

from flows.execution import sizing
from flows.execution.sizing import sized
from flows.execution.training import jobs_for
from flows.settings.site import NightConfig
from recmodels.compute.memory import at_most
from recmodels.engine.choice import EngineChoice
from recmodels.knn.item_knn import ItemKNN
from tasks.store.manifests import Manifest
from tasks.store.paths import Store
from tasks.train.jobs import TrainingJob
from tasks.train.settings import Candidate
from tests.flows.sites import DAY

HUGE = {"events": 10**8, "users": 10**6, "items": 10**6, "pairs": 5 * 10**7}
SMALL = {"events": 10**5, "users": 10**3, "items": 500, "pairs": 5 * 10**4}


def prepared(events: int, users: int, items: int, pairs: int) -> Manifest:
    split = {"rows": pairs, "positives": pairs}
    holdout = {"protocol": "days", "days": 7, "start": "", "users": 1000, "drawn_from": 1000, "warm_users": 1000}
    holdout |= {"left_out": 0, "pairs": 5000, "items": 1, "share": 0.2}
    counts = {"message": "", "events": events, "rows": pairs, "users": users, "items": items, "opted_out": 0}
    summary = counts | {"train": split, "full": split, "holdout": holdout}
    return {"summary": summary}  # type: ignore[typeddict-item]


def jobs(tmp_path: Path, **candidates: Candidate) -> list[TrainingJob]:
    config = NightConfig.model_validate({"training": {"parallel": 2}})
    return jobs_for(Store(tmp_path).night(DAY), config, candidates, fresh=False, lease="mine")


def named(made: list[TrainingJob]) -> dict[str, dict[str, Any]]:
    return {job.name: job.candidate.parameters for job in made}


LIMIT = ItemKNN(neighbors=50).process_memory(HUGE["users"], HUGE["items"], HUGE["pairs"]) + 1
"""Bytes with which `item_knn` fits as it is with so many neighbors, and no more."""

CANDIDATES = {
    "popularity": Candidate(),
    "bpr": Candidate(),
    "slow": Candidate(recommender="item_knn", parameters={"neighbors": 100}),
    "item_knn": Candidate(),
    "both": Candidate(recommender="ensemble", parameters={"members": ["popularity", "item_knn"]}),
}


def test_a_small_night_trains_everything_as_it_is(tmp_path: Path) -> None:
    made = jobs(tmp_path, **CANDIDATES)
    tonight = sized(made, prepared(**SMALL), set(), here=True)
    assert (tonight.jobs[:4], tonight.left_out) == (made[:4], {})
    assert tonight.in_order(tonight.jobs)[-1].name == "popularity"
    one_at_a_time = [job.model_copy(update={"concurrency": 1}) for job in tonight.jobs]
    assert tonight.in_order(one_at_a_time)[0].name == "popularity"  # it is measured while others are trained
    assert tonight.seconds["bpr"] > tonight.seconds["popularity"] > 0


def test_a_night_that_is_too_large_for_its_memory_trains_leaner_forms_or_leaves_models_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = jobs(tmp_path, **{name: one for name, one in CANDIDATES.items() if name != "both"})
    with at_most(LIMIT), caplog.at_level(logging.INFO, "nightrec.events"):
        tonight = sized(made, prepared(**HUGE), {"popularity"}, here=True)
    lean = {"bpr": {"factors": 32}, "item_knn": {"neighbors": 50}}
    assert named(tonight.jobs) == {"popularity": {}, **lean}
    assert tonight.left_out["slow"].startswith("left out: ") and "neighbors = 50 would fit" in tonight.left_out["slow"]
    assert [record.label for record in caplog.records] == [  # type: ignore[attr-defined]
        "train bpr", "train slow", "train item_knn",
    ]  # fmt: skip


def test_what_the_night_needs_is_tried_as_it_is(tmp_path: Path) -> None:
    with at_most(2**29):
        tonight = sized(jobs(tmp_path, slow=CANDIDATES["slow"]), prepared(**HUGE), {"slow"}, here=True)
    assert named(tonight.jobs) == {"slow": {"neighbors": 100}} and tonight.left_out == {}


def test_an_ensemble_takes_its_members_as_they_are_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = jobs(tmp_path, **CANDIDATES)
    recipes = {"item_knn": {"recommender": "item_knn", "params": {}}}
    made[-1].candidate.parameters["recipes"] = recipes
    lean = Candidate(parameters={"neighbors": 50})
    plain = sizing.route

    def leaner(name: str, candidate: Candidate, *rest: Any) -> sizing.Route:
        found = plain(name, candidate, *rest)
        return sizing.Route(lean, found.cost, "is trained leaner") if name == "item_knn" else found

    monkeypatch.setattr(sizing, "route", leaner)
    tonight = sized(made, prepared(**SMALL), set(), here=True)
    assert named(tonight.jobs)["both"]["recipes"] == {
        "item_knn": {"recommender": "item_knn", "params": {"neighbors": 50}}
    }


def test_a_leaner_form_that_another_candidate_is_already_is_not_trained_twice(tmp_path: Path) -> None:
    standing = Candidate(recommender="item_knn", parameters={"neighbors": 50})
    with at_most(LIMIT):
        tonight = sized(jobs(tmp_path, item_knn=Candidate(), before=standing), prepared(**HUGE), {"before"}, here=True)
    assert list(named(tonight.jobs)) == ["before"]
    assert tonight.left_out == {"item_knn": "left out: as it would have to be trained, it is before"}


def test_the_memory_of_other_machines_is_known_where_a_setting_says_it(tmp_path: Path) -> None:
    made = jobs(tmp_path, item_knn=Candidate())
    limited = [made[0].model_copy(update={"memory": LIMIT})]
    with at_most(LIMIT):
        assert named(sized(made, prepared(**HUGE), set(), here=False).jobs) == {"item_knn": {}}
        assert named(sized(limited, prepared(**HUGE), set(), here=False).jobs) == {"item_knn": {"neighbors": 50}}


def test_what_a_node_trains_is_not_held_against_this_machine(tmp_path: Path) -> None:
    candidates = {name: Candidate() for name in ("bpr", "ease")}
    on_a_cluster = [job.model_copy(update={"engine": EngineChoice("ray")}) for job in jobs(tmp_path, **candidates)]
    with at_most(2**29):
        assert named(sized(on_a_cluster, prepared(**HUGE), (), here=True).jobs).get("bpr") == {}
        assert named(sized(jobs(tmp_path, **candidates), prepared(**HUGE), (), here=True).jobs).get("bpr") != {}
