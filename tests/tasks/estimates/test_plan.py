"""The plan of a night adds up."""

import pytest

from recmodels.registry import create
from tasks.estimates.counts import Counts
from tasks.estimates.estimator import Estimator
from tasks.estimates.measured import Measured
from tasks.estimates.plan import makespan, plan
from tasks.estimates.speeds import Linear, Pace, fitted
from tasks.train.settings import Candidate

GIB = 2**30
HUNDRED = Counts(10**8, 10**6, 2 * 10**5, 5 * 10**7, 10**5, planned=12 * GIB)
SPEEDS = fitted().model_copy(update={"following": None})
HERE = Estimator(SPEEDS, Measured())
FIELD = {"popularity": Candidate(), "item_knn": Candidate(), "als": Candidate()}


@pytest.mark.parametrize(("at_a_time", "takes"), [(1, 19), (2, 10), (3, 8), (9, 8)])
def test_jobs_side_by_side_take_as_long_as_the_longest_lane(at_a_time: int, takes: int) -> None:
    jobs = [(1, 0), (8, 0), (3, 0), (5, 0), (2, 0)]
    assert makespan(jobs, at_a_time, memory=10) == takes
    assert makespan([], at_a_time, memory=10) == 0


def test_jobs_that_do_not_fit_beside_each_other_wait() -> None:
    assert makespan([(8, 6), (5, 3), (4, 5), (1, 1)], 4, memory=10) == 12  # the third waits for the first
    assert makespan([(8, 6), (5, 3), (4, 5), (1, 1)], 4, memory=15) == 8
    assert makespan([(8, 60), (5, 60)], 2, memory=10) == 13  # more than there is takes all


def test_a_night_is_its_stages_one_after_the_other_with_trainings_side_by_side() -> None:
    found = plan(HUNDRED, FIELD, HERE, cores=2, side_by_side=2, likely="als")
    names = [line.name for line in found.lines]
    assert names == [
        "ingest", "validate", "prepare", "features train", "features full", "train popularity", "train item_knn",
        "train als", "evaluate", "compare", "refit als", "export", "panel",
    ]  # fmt: skip
    seconds = {line.name: line.seconds or 0 for line in found.lines}
    trained = [(seconds[f"train {name}"], 0) for name in FIELD]  # all have room side by side
    alone = sum(took for took, _ in trained)
    assert found.seconds == pytest.approx(sum(seconds.values()) - alone + makespan(trained, 2, 1))
    assert found.disk == sum(line.disk for line in found.lines) > 10**9
    assert found.spill == 20 * 10**8 + 56 * 5 * 10**7
    assert (found.left_out, found.sentences[-1]) == ({}, HERE.by)


def test_more_cores_take_less_time_and_trainings_one_at_a_time_take_less_memory() -> None:
    two, eight = (plan(HUNDRED, FIELD, HERE, cores, 2) for cores in (2, 8))
    assert eight.seconds < two.seconds
    assert plan(HUNDRED, FIELD, HERE, 2, 1).memory <= two.memory


def test_what_does_not_fit_is_named_with_what_would() -> None:
    small = Counts(**vars(HUNDRED) | {"planned": GIB})
    found = plan(small, FIELD | {"mine": Candidate(recommender="als", parameters={"factors": 128})}, HERE, 2, 2)
    assert "mine" in found.left_out
    line = next(line for line in found.lines if line.name == "train mine")
    assert (line.seconds, line.note) == (None, "left out") and line.memory > GIB
    assert any(sentence.startswith("mine is left out: it takes about") for sentence in found.sentences)
    assert next(line for line in found.lines if line.name == "panel").note == "more than there is"


def test_trainings_after_the_first_find_the_data_read() -> None:
    sizes = HUNDRED.users, HUNDRED.items, HUNDRED.pairs
    for side_by_side, reading in ((1, {"als"}), (2, {"als", "item_knn"})):
        held = {line.name: line.memory for line in plan(HUNDRED, FIELD, HERE, 2, side_by_side).lines}
        assert held == held | {
            f"train {name}": create(name).process_memory(*sizes, mapped=name not in reading) for name in FIELD
        }
        assert held["refit als"] == create("als").process_memory(*sizes)


def test_the_winner_is_the_slowest_where_nobody_knows() -> None:
    found = plan(HUNDRED, FIELD, HERE, 2, 2)
    refit = next(line.name for line in found.lines if line.name.startswith("refit"))
    assert f"it is taken to be {refit.removeprefix('refit ')}, which takes longest" in found.sentences[0]


def test_what_lies_far_beyond_all_that_was_measured_is_said_to() -> None:
    found = plan(Counts(10**9, 10**8, 5 * 10**6, 5 * 10**8, 10**5, 2**40), FIELD, HERE, 64, 3)
    assert any("was measured: beyond that the figures are carried on" in sentence for sentence in found.sentences)


def halved() -> Estimator:
    """Of which a night that follows another takes half of what one takes that starts from nothing."""
    half = {name: one.model_copy(update={"waiting": one.waiting / 2}) for name, one in SPEEDS.stages.items()}
    models = {
        name: one.model_copy(update={"fit": _half(one.fit), "lists": _half(one.lists)})
        for name, one in SPEEDS.models.items()
    }
    following = Pace(load=_half(SPEEDS.load), start=SPEEDS.start / 2, stages=half, models=models)
    return Estimator(SPEEDS.model_copy(update={"following": following}), Measured())


def _half(figure: Linear) -> Linear:
    return Linear(fixed=figure.fixed / 2, each={name: one / 2 for name, one in figure.each.items()})


def test_the_night_after_is_planned_beside_the_first() -> None:
    warm = {name: one for name, one in FIELD.items() if name != "popularity"}
    found = plan(HUNDRED, warm, halved(), cores=2, side_by_side=1, likely="als")
    assert found.following == pytest.approx(found.seconds / 2)
    assert [line.following for line in found.lines] == [pytest.approx((line.seconds or 0) / 2) for line in found.lines]
    assert plan(HUNDRED, FIELD, HERE, 2, 1).following is None


@pytest.mark.parametrize(("warm_start", "warm"), [("always", {"train", "refit"}), ("refit", {"refit"}), ("no", set())])
def test_a_training_that_is_not_warm_takes_as_long_as_from_nothing(warm_start: str, warm: set[str]) -> None:
    als = {"als": Candidate(parameters={"warm_start": warm_start})}
    estimator = halved()
    lines = {line.name: line for line in plan(HUNDRED, als, estimator, 1, 1).lines}
    assert estimator.of_following is not None
    model = create("als", {"warm_start": warm_start})
    anew, after = (one.model("als", HUNDRED, model) for one in (estimator, estimator.of_following))
    for kind in ("train", "refit"):
        lists = after.lists if kind == "train" else 0.0
        fit = after.fit if kind in warm else anew.fit
        assert lines[f"{kind} als"].following == pytest.approx(after.load + fit + lists)
    without = plan(HUNDRED, als, estimator, 1, 1, warm_nights=0)
    assert without.lines[-3].following == pytest.approx(after.load + anew.fit)


def test_a_warm_training_has_its_share_of_the_minutes() -> None:
    epochs = {"loss": "sampled", "epochs": 200}
    minutes = {"transformer": Candidate(parameters=epochs | {"warm_time": 0.1}, timeout_minutes=8)}
    line = next(line for line in plan(HUNDRED, minutes, halved(), 2, 1).lines if line.name == "train transformer")
    assert line.note == "ends by its minutes"  # 6 of the 8
    assert (line.seconds or 0) - 360 == pytest.approx(2 * ((line.following or 0) - 36))


def test_backtests_of_the_night_after_start_from_nothing() -> None:
    als = {"als": FIELD["als"]}
    one, three = (plan(HUNDRED, als, halved(), 2, 1, backtests=n).lines[5] for n in (1, 3))
    assert three.following == pytest.approx((one.following or 0) + 2 * (one.seconds or 0))


def test_backtests_train_each_candidate_once_more() -> None:
    one, three = (plan(HUNDRED, FIELD, HERE, 2, 2, backtests=n) for n in (1, 3))
    assert [line.seconds for line in three.lines if line.name == "train als"] == [
        pytest.approx(3 * line.seconds) for line in one.lines if line.name == "train als" and line.seconds
    ]
