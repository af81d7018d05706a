"""A model that is too large is trained in a leaner form that its owner has not ruled out, or is left out."""

from dataclasses import replace
from typing import Any

from recmodels.base import Recommender
from tasks.estimates.formulas import ModelCost
from tasks.estimates.routing import FAR, Limits, route
from tasks.train.settings import Candidate

GIB = 2**30
SMALL = ModelCost(load=0, fit=60, lists=0, memory=GIB, disk=0, rounds=1, known=True, sharing=GIB)
HERE = Limits(memory=8 * GIB, threads=1)


def by_neighbors(model: Recommender, a_neighbor: float = 0.1) -> ModelCost:
    """10 GiB as it is."""
    return replace(SMALL, memory=int(a_neighbor * model.get_params()["neighbors"] * GIB))


def candidate(**parameters: Any) -> Candidate:
    return Candidate(parameters=parameters, timeout_minutes=10)


def test_a_model_that_fits_is_trained_as_it_is() -> None:
    found = route("item_knn", candidate(), lambda model: SMALL, HERE)
    assert (found.candidate, found.cost, found.why) == (candidate(), SMALL, None)


def test_the_first_leaner_form_that_fits_is_trained() -> None:
    found = route("item_knn", candidate(shrinkage=3.0), by_neighbors, HERE)
    assert found.candidate == candidate(shrinkage=3.0, neighbors=50)
    assert found.cost.memory == 5 * GIB
    assert found.why == (
        "is trained with neighbors = 50: as it is, it takes about 10.0 GiB of memory, and 8.0 GiB are planned with"
    )
    leaner = route("item_knn", candidate(), by_neighbors, Limits(3 * GIB, 1)).candidate
    assert leaner == candidate(neighbors=20)


def test_what_the_owner_has_set_is_not_changed_but_advised() -> None:
    found = route("item_knn", candidate(neighbors=100), by_neighbors, HERE)
    assert found.candidate is None
    assert found.why == (
        "is left out: it takes about 10.0 GiB of memory, and 8.0 GiB are planned with; neighbors = 50 would fit"
    )


def test_a_model_without_a_form_that_fits_is_left_out_unless_the_night_needs_it() -> None:
    cost = replace(SMALL, memory=20 * GIB)
    found = route("item_knn", candidate(), lambda model: cost, HERE)
    assert found.candidate is None and found.why is not None
    assert found.why.endswith("; a machine with 20 GiB would do")
    tried = route("item_knn", candidate(), lambda model: cost, HERE, needed=True)
    assert tried.candidate == candidate() and tried.why is not None
    assert tried.why.startswith("is tried all the same, as the night needs it: it takes about 20.0 GiB")


def test_memory_that_is_not_known_rules_nothing_out() -> None:
    cost = replace(SMALL, memory=20 * GIB)
    assert route("item_knn", candidate(), lambda model: cost, Limits(None, 1)).why is None


def test_a_time_beyond_the_limit_asks_for_a_leaner_form_and_only_one_far_beyond_leaves_it_out() -> None:
    def minutes(n: float) -> ModelCost:
        return replace(SMALL, fit=60 * n)

    def lean(model: Recommender) -> ModelCost:
        return minutes(model.get_params()["neighbors"] / 5)  # 20 minutes as it is

    assert route("item_knn", candidate(), lambda model: minutes(12), HERE).why is None  # estimates are within 30 %
    leaner = route("item_knn", candidate(), lean, HERE)
    assert leaner.candidate == candidate(neighbors=50)
    assert leaner.why == (
        "is trained with neighbors = 50: as it is, it takes about 20 minutes, of the 10 of timeout_minutes"
    )
    assert route("item_knn", candidate(), lambda model: minutes(10 * FAR - 1), HERE).why is None
    assert route("item_knn", candidate(), lambda model: minutes(10 * FAR + 1), HERE).candidate is None


def test_what_takes_a_moment_is_tried_whatever_it_has() -> None:
    hurried = Candidate(timeout_minutes=1e-9)
    assert route("item_knn", hurried, lambda model: SMALL, HERE).candidate == hurried


def test_a_training_that_ends_by_its_minutes_is_never_too_long_but_a_single_round_may_be() -> None:
    def in_rounds(model: Recommender) -> ModelCost:
        full = model.get_params()["loss"] == "full"
        return replace(SMALL, fit=60.0 * 20 * (100 if full else 2), rounds=20)

    found = route("transformer", candidate(), in_rounds, HERE)
    assert found.candidate == candidate(loss="sampled")
    assert found.why is not None and "it takes about 100 minutes to its first end" in found.why
    assert route("transformer", candidate(loss="full"), in_rounds, HERE).candidate == candidate(loss="full")


def test_a_time_that_nobody_has_measured_rules_nothing_out() -> None:
    cost = replace(SMALL, fit=1e9, known=False)
    assert route("item_knn", candidate(), lambda model: cost, HERE).candidate == candidate()
