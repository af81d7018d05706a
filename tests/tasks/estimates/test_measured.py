"""What the last nights took corrects what the next one is expected to take."""

from datetime import date
from pathlib import Path

import pytest

from recmodels.data.layout import BASE
from recmodels.registry import create
from tasks.estimates.estimator import Estimator
from tasks.estimates.formulas import model_cost, stage_cost
from tasks.estimates.measured import Measured, counts_of, last_counts, measured
from tasks.estimates.speeds import Pace, fitted
from tasks.store.paths import Store
from tests.tasks.estimated import a_night, manifest


def test_a_night_says_how_large_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert last_counts(store) is None
    night = a_night(store, 1, 1.0)
    found, counts = last_counts(store) or pytest.fail("there is a night")
    assert found.run_date == night.run_date
    assert vars(counts) == {
        "interactions": 10**7, "users": 10**5, "items": 10**4, "pairs": 5 * 10**6, "measured": 5000, "planned": 2**33,
        "ranges": 0,
    }  # fmt: skip


def test_the_longest_of_the_last_three_nights_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for day, slower in enumerate([9.0, 2.0, 3.0, 1.5], start=1):
        a_night(store, day, slower)
    a_night(store, 5, 50.0, status="failed")
    found = measured(store, fitted(), cores=1)
    assert found.by == ("2026-03-02", "2026-03-03", "2026-03-04")
    assert found.ratios == pytest.approx({"ingest": 3.0, "fit item_knn": 3.0, "lists item_knn": 3.0})
    assert measured(store, fitted(), 1, before=store.night(date(2026, 3, 2))).by == ("2026-03-01",)


def test_a_night_that_follows_another_is_held_against_what_such_a_night_takes(tmp_path: Path) -> None:
    store, first = Store(tmp_path), fitted()
    stages = {name: one.model_copy(update={"waiting": one.waiting / 4}) for name, one in first.stages.items()}
    following = Pace(load=first.load, stages=stages, models=first.models)
    speeds = first.model_copy(update={"following": following})
    a_night(store, 1, 2.0)
    for day, warm in ((2, {"night": "2026-03-01"}), (3, {})):
        night = a_night(store, day, 1.0, warm={"changed": {}} | warm)
        (night.prepared / BASE).mkdir()
    found = measured(store, speeds, cores=1)
    assert found.ratios == pytest.approx({"ingest": 2.0, "fit item_knn": 2.0, "lists item_knn": 2.0})
    ingest = stage_cost("ingest", first.stages["ingest"], counts_of(night) or pytest.fail("it has counts")).seconds(1)
    expected = {"ingest": (ingest + 1) / (ingest / 4 + 1), "fit item_knn": 1.0, "lists item_knn": 1.0}
    assert found.following == pytest.approx(expected)
    later = Estimator(speeds, found).of_following or pytest.fail("such nights were measured")
    counts = counts_of(night) or pytest.fail("it has counts")
    assert later.stage("ingest", counts).cpu == pytest.approx(expected["ingest"] * ingest / 4, rel=1e-3)
    only = measured(store, first.model_copy(update={"following": None}), cores=1)
    assert not only.following and only.by == found.by


def test_estimates_follow_the_nights_and_what_they_say_nothing_of_their_median(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plain = Estimator(fitted(), Measured())
    assert Estimator.of_store(store, 1) == plain
    a_night(store, 1, 2.0)
    here = Estimator.of_store(store, 1)
    _, counts = last_counts(store) or pytest.fail("there is a night")
    assert here.by == "Times are scaled by what the night 2026-03-01 took here."
    for stage in ("ingest", "validate"):
        assert here.stage(stage, counts).cpu == pytest.approx(2 * plain.stage(stage, counts).cpu)
    for name in ("item_knn", "als"):
        found, expected = (one.model(name, counts, create(name)) for one in (here, plain))
        assert (found.fit, found.lists, found.load) == pytest.approx(
            (2 * expected.fit, 2 * expected.lists, 2 * expected.load)
        )


def test_what_was_never_measured_anywhere_is_known_after_a_night(tmp_path: Path) -> None:
    store, ours = Store(tmp_path), "shop.models:NextItem"
    night = a_night(store, 1, 2.0)
    own = create("als")  # stands for a model of a site's own
    speeds = fitted().model_copy(update={"models": {}})
    manifest(night.toplists("mine"), {"fit_seconds": 100.0, "list_seconds": 10.0}, {"recommender": "als", "params": {}})
    counts = counts_of(night)
    assert counts is not None and not model_cost(own, speeds, counts).known
    here = Estimator(speeds, measured(store, speeds, cores=2))
    cost = here.model("mine", counts, own)
    assert cost.known and cost.fit == pytest.approx(100, rel=0.02)
    assert not here.model(ours, counts, own).known


def test_a_machine_without_nights_is_probed_where_that_is_asked_for(tmp_path: Path) -> None:
    found = Estimator.of_store(Store(tmp_path), 2, probed=True)
    assert found.general > 0 and found.by.startswith("Times are scaled by a short probe of this machine")
