"""A night of a replay: the lists and figures that the night's own stages give, kept, and not made twice."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels.data.dataset import Dataset
from recmodels.fallback import serve
from recmodels.knn.item_knn import ItemKNN
from recmodels.metrics.ranking import per_user
from recmodels.popularity import Popularity
from tasks.evaluate.stage import evaluate
from tasks.features.stage import features
from tasks.prepare.stage import prepare
from tasks.replay.kept import LISTS, USERS, Kept, folder_of, kept
from tasks.replay.night import _Night, jobs_of, replay_night
from tasks.replay.settings import ReplaySpec
from tasks.store.paths import Night, Store
from tasks.train.process import in_this_process
from tasks.train.settings import Candidate
from tasks.train.stage import train
from tests.tasks.replay.replays import START, log, spec_of, valid_tables
from tests.tasks.replay.test_panel import keep

DATES = [date(2026, 1, 31), date(2026, 2, 10), date(2026, 2, 20)]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReplaySpec, list[Any]]:
    """Three nights, and what became of them."""
    spec = spec_of(tmp_path_factory.mktemp("replay"))
    valid = valid_tables(spec.data, log(), until=spec.cutoff(spec.end))
    in_this_process.set(True)
    try:
        return spec, [replay_night(spec, run_date, valid) for run_date in spec.dates]
    finally:
        in_this_process.set(False)


def of(spec: ReplaySpec, run_date: date, model: str) -> Kept:
    return next(one for one in kept(spec.store) if (one.run_date, one.model) == (run_date, model))


@pytest.mark.slow
def test_every_night_is_measured_and_leaves_its_figures_and_nothing_else(replayed: Any) -> None:
    spec, outcomes = replayed
    assert spec.dates == DATES
    assert [(one["status"], one["failed"]) for one in outcomes] == [("measured", {})] * 3
    for run_date in DATES:
        night = spec.store.night(run_date)
        assert [path.name for path in night.folder.iterdir()] == ["measured"]
        assert sorted(path.name for path in (night.folder / "measured").iterdir()) == ["item_knn", "popularity"]


@pytest.mark.parametrize("run_date", [DATES[0], DATES[-1]])
@pytest.mark.slow
def test_the_first_and_the_last_night_are_two_nights_by_hand(replayed: Any, run_date: date, tmp_path: Path) -> None:
    spec, _ = replayed
    night = Store(tmp_path).night(run_date)
    by_hand(night, spec)
    for job in jobs_of(night, spec.model_copy(update={"root": tmp_path})):
        told = json.loads((night.metrics(job.name) / "manifest.json").read_text())["summary"]
        assert of(spec, run_date, job.name).summary["holdout"]["metrics"] == told["metrics"]
    data = Dataset.load(night.features, "full")
    users, items = (pq.read_table(night.prepared / f"{name}.parquet") for name in ("users", "items"))
    allowed = items["available"].to_numpy()
    assert allowed.sum() == (12 if run_date == DATES[-1] else 11)  # i5 comes on day 45
    everybody = np.arange(data.n_users, dtype=np.int32)
    made = serve(ItemKNN().fit(data), Popularity().fit(data), data, everybody, 3, allowed=allowed)
    rows = pq.read_table(of(spec, run_date, "item_knn").folder / LISTS).to_pylist()
    lists = [
        (users["user_id"][u].as_py(), r + 1, items["item_id"][int(made.items[u, r])].as_py(), float(made.scores[u, r]))
        for u in range(data.n_users)
        for r in range(3)
        if made.items[u, r] >= 0
    ]
    assert [(one["user_id"], one["rank"], one["item_id"], one["score"]) for one in rows] == lists


def by_hand(night: Night, spec: ReplaySpec) -> None:
    """What a night does that trains and compares the models."""
    cutoff = spec.cutoff(night.run_date)
    valid = valid_tables(night, log(), until=cutoff)
    prepared = prepare.fn(night, spec.prepare, cutoff, valid)
    described = features.fn(night, "train", spec.features, prepared, valid)
    features.fn(night, "full", spec.features, prepared, valid)
    in_this_process.set(True)
    for job in jobs_of(night, spec.model_copy(update={"root": night.store.root})):
        evaluate.fn(job, train.fn(job, prepared, described), prepared)
    in_this_process.set(False)


def test_lists_are_held_against_what_each_user_did_until_the_next_night(replayed: Any) -> None:
    spec, _ = replayed
    run_date = DATES[1]
    lists = pq.read_table(of(spec, run_date, "item_knn").folder / LISTS)
    start = (run_date - START.date()).days
    done = {(user, item) for user, item, day in log() if day < start}
    next_ = {(user, item) for user, item, day in log() if start <= day < start + 10} - done
    names = sorted({item for _, item, _ in log()})  # i11 has been seen by nobody before
    users = sorted({user for user, _ in next_})
    by_user = {user: [] for user in users}  # type: dict[int, list[int]]
    for row in lists.to_pylist():
        if row["user_id"] in by_user:
            by_user[row["user_id"]].append(names.index(row["item_id"]))
    truth = np.zeros((len(users), len(names)), np.bool_)
    for user, item in next_:
        truth[users.index(user), names.index(item)] = True
    from scipy import sparse

    ndcg = per_user(np.array([by_user[user] for user in users], np.int32), sparse.csr_array(truth))["ndcg"]
    found = of(spec, run_date, "item_knn")
    assert found.summary["judged"] == len(users)
    assert found.summary["figures"]["ndcg"] == pytest.approx(ndcg.mean())
    own = {row["user_id"]: row["ndcg"] for row in pq.read_table(found.folder / USERS).to_pylist()}
    assert [own[user] for user in users] == pytest.approx(ndcg.tolist())
    assert all(value is None for user, value in own.items() if user not in users)


@pytest.mark.slow
def test_what_is_measured_is_not_measured_again_and_another_model_is_added(replayed: Any) -> None:
    spec, _ = replayed
    valid = valid_tables(spec.data, log(), until=spec.cutoff(spec.end))
    before = (folder_of(spec.store.night(DATES[0]), "item_knn") / "manifest.json").read_bytes()
    in_this_process.set(True)
    assert replay_night(spec, DATES[0], valid)["status"] == "before"
    more = spec.candidates | {"popularity_7d": Candidate(recommender="popularity", parameters={"days": 7})}
    assert replay_night(spec.model_copy(update={"candidates": more}), DATES[0], valid)["status"] == "measured"
    in_this_process.set(False)
    assert (folder_of(spec.store.night(DATES[0]), "item_knn") / "manifest.json").read_bytes() == before
    assert folder_of(spec.store.night(DATES[0]), "popularity_7d").exists()


@pytest.mark.slow
def test_a_model_that_fails_is_named_and_the_others_are_measured(tmp_path: Path) -> None:
    candidates = {"als": Candidate(parameters={"factors": 4}), "ease": Candidate(), "popularity": Candidate()}
    spec = spec_of(tmp_path, candidates=candidates)
    valid = valid_tables(spec.data, log(), until=spec.cutoff(spec.end))
    keep(spec.store, DATES[0], "als", {"u1": 0.5}, {"u1": ["1"]})  # by other settings
    from unittest.mock import patch

    in_this_process.set(True)
    of_a_class_of_their_own = patch("recmodels.linear.ease.EASE._fit", side_effect=KeyError("price"))
    with patch("recmodels.factors.als.ALS._fit", side_effect=MemoryError), of_a_class_of_their_own:
        found = replay_night(spec, DATES[0], valid)
    in_this_process.set(False)
    assert found["status"] == "measured"
    assert found["failed"] == {
        "als": "als failed: als ran out of memory; leave it out or give it more.",
        "ease": "KeyError: 'price'",
    }
    assert [one.model for one in kept(spec.store)] == ["popularity"]


def test_an_ensemble_without_a_member_that_failed_is_measured_again(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, candidates={"ensemble": Candidate()})
    night = _Night(spec.store.night(DATES[0]), spec, valid_tables(spec.data, log(), until=spec.cutoff(spec.end)))
    (job,) = jobs_of(night.night, spec)
    whole, lesser = night.recipe(job), night.recipe(job.model_copy(update={"without": ["als"]}))
    assert whole == night.recipe(job) != lesser


def test_a_night_on_data_that_is_too_old_is_refused(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    old = [one for one in log() if one[2] < 10]
    valid = valid_tables(spec.data, old)
    found = replay_night(spec, DATES[0] + timedelta(days=1), valid)
    assert found["status"] == "refused"
    assert found["reason"].startswith("The newest interaction is of 2026-01-10, 22 days before the cutoff")
