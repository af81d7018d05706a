"""What stages and models take follows from counts and speeds."""

import pytest

from recmodels.compute.work import KEPT
from recmodels.registry import create
from recmodels.scoring.sparse_product import SCANNED
from tasks.estimates.counts import Counts
from tasks.estimates.formulas import PARALLEL, Cost, ModelCost, counted, model_cost, on_threads, stage_cost
from tasks.estimates.speeds import Linear, Machine, ModelSpeed, Speeds, StageSpeed
from tasks.prepare.reading import ranges_for

GIB = 2**30
COUNTS = Counts(interactions=10**6, users=1000, items=500, pairs=6 * 10**5, measured=100, planned=4 * GIB)
KNN = ModelSpeed(
    fit=Linear(fixed=1, each={"work": 1e-6}), lists=Linear(each={"work": 1e-5}), disk=Linear(each={"items": 800})
)
SPEEDS = Speeds(
    machine=Machine(cores=2, cpu="", memory=8 * GIB, probe=0.1),
    largest=10**7,
    pairs=0.6,
    measured=0.5,
    load=Linear(fixed=2, each={"pairs": 1e-6}),
    stages={},
    models={"item_knn": KNN, "popularity": ModelSpeed(fit=Linear(fixed=3), lists=Linear(fixed=4))},
)
STAGE = StageSpeed(
    cpu=Linear(fixed=1, each={"interactions": 2e-6}), parallel=0.5,
    memory=Linear(fixed=GIB, each={"interactions": 1000}), disk=Linear(each={"interactions": 30}),
)  # fmt: skip


def test_a_stage_takes_a_fixed_part_and_so_much_of_each_row() -> None:
    assert stage_cost("ingest", STAGE, COUNTS) == Cost(3.0, 0.5, GIB + 10**9, 30 * 10**6)


def test_half_of_the_work_is_spread_over_the_cores() -> None:
    assert [Cost(3.0, 0.5, 0).seconds(cores) for cores in (1, 2, 4)] == [3.0, 2.25, 1.875]


def test_stages_that_spill_keep_to_the_memory_and_others_do_not() -> None:
    large = Counts(**vars(COUNTS) | {"interactions": 10**8})
    assert stage_cost("validate", STAGE, large).memory == 4 * GIB
    assert stage_cost("export", STAGE, large).memory == GIB + 10**11


def test_preparation_spills_where_the_log_takes_more_than_one_range() -> None:
    assert stage_cost("prepare", STAGE, COUNTS).spill == 0
    large = Counts(**vars(COUNTS) | {"interactions": 10**8, "pairs": 5 * 10**7})
    assert ranges_for(10**8, 2, 4 * GIB) > 1
    assert stage_cost("prepare", STAGE, large).spill == 20 * 10**8 + 56 * 5 * 10**7
    rows = ("in_memory", "by_ranges", "in_range")
    assert [counted(large)[name] for name in rows] == [0, 10**8, 10**8 / ranges_for(10**8, 2, 4 * GIB)]
    assert [counted(COUNTS)[name] for name in rows] == [10**6, 0, 0]
    by_four = Counts(**vars(COUNTS) | {"ranges": 4})  # as such a night was measured, whatever one would do today
    assert [counted(by_four)[name] for name in rows] == [0, 10**6, 250_000]


def test_a_model_takes_its_work_over_its_speed() -> None:
    model = create("item_knn", {"neighbors": 50})
    cost = model_cost(model, SPEEDS, COUNTS)
    work = 6e5 * 600 + KEPT * 500 * 50  # a history has 600 pairs
    assert (cost.load, cost.fit) == (pytest.approx(2.6), pytest.approx(1 + work * 1e-6))
    assert cost.lists == pytest.approx(100 * (600 * 50 + SCANNED * 500) * 1e-5)
    assert (cost.memory, cost.disk) == (model.process_memory(1000, 500, 600_000), 400_000)
    assert (cost.rounds, cost.known) == (1, True)


def test_a_model_that_was_not_measured_is_like_another_or_not_known() -> None:
    assert model_cost(create("user_knn"), SPEEDS, COUNTS).known
    assert not model_cost(create("als"), SPEEDS, COUNTS).known


def test_an_ensemble_takes_what_its_members_do() -> None:
    members = [model_cost(create(name), SPEEDS, COUNTS) for name in ("popularity", "item_knn")]
    cost = model_cost(create("ensemble", {"members": ["popularity", "item_knn"]}), SPEEDS, COUNTS)
    assert (cost.fit, cost.lists) == (sum(one.fit for one in members), sum(one.lists for one in members))
    assert cost.known
    assert not model_cost(create("ensemble", {"members": ["popularity", "als"]}), SPEEDS, COUNTS).known


def test_a_training_in_rounds_ends_by_its_minutes() -> None:
    cost = ModelCost(load=5, fit=1000, lists=50, memory=0, disk=0, rounds=10, known=True, sharing=0)
    assert cost.training(1) == 1005
    assert cost.training(1, minutes=2) == 125
    assert cost.first_round(1) == 105
    assert cost.candidate(1, minutes=2) == 175
    assert cost.training(2) == pytest.approx(5 + 1000 * (1 - PARALLEL / 2)) == 5 + on_threads(1000, 2)
    whole = ModelCost(load=5, fit=1000, lists=50, memory=0, disk=0, rounds=1, known=True, sharing=0)
    assert whole.training(1, minutes=2) == 1005
