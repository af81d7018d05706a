"""ALS on an engine."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Bucket, Function, Needs
from recmodels.factors import als_parts
from recmodels.factors.als import ALS
from recmodels.options import FitOptions, WarmStart
from recmodels.parted import sums, training
from recmodels.parted.training import PartedTraining
from recmodels.testing import N_ITEMS, N_USERS, small_site, threads

FEW = 100
"""Interactions of a bucket of which there are four or so, where as many more would show nothing else."""
EVERYBODY = np.arange(N_USERS, dtype=np.int32)


def weighted_site() -> Dataset:
    data, rng = small_site(), np.random.default_rng(7)
    weight = rng.integers(1, 4, len(data))
    return Dataset.from_arrays(data.user_index, data.item_index, weight=weight, n_users=N_USERS, n_items=N_ITEMS)


def scores(model: ALS, data: Dataset) -> np.ndarray:
    return model._user_vectors(data, EVERYBODY) @ model.item_vectors_.T


@pytest.mark.parametrize(("rows", "cg_steps"), [(100, 2), pytest.param(80, 5, marks=pytest.mark.slow), (10**6, 1)])
@pytest.mark.slow
def test_scores_are_those_of_one_piece(
    in_parts: FitOptions, rows: int, cg_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    data, params = weighted_site(), {"factors": 6, "iterations": 2, "cg_steps": cg_steps}
    expected = scores(ALS(**params).fit(data), data)
    np.testing.assert_allclose(scores(ALS(**params).fit(data, in_parts), data), expected, atol=2e-5)


@pytest.mark.slow
def test_sums_of_many_parts_and_ranges_are_those_of_each(in_parts: FitOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    data = weighted_site()
    expected = ALS(factors=6, iterations=1).fit(data, in_parts)
    monkeypatch.setattr(sums, "SUMMED", 3)  # several parts in a bucket
    monkeypatch.setattr(sums, "PIECE", 100)  # several ranges of items
    assert len(sums.groups(10)) == len(sums.row_edges(N_ITEMS, 4 * 6)) - 1 == 3
    found = ALS(factors=6, iterations=1).fit(data, in_parts)
    np.testing.assert_allclose(scores(found, data), scores(expected, data), atol=1e-6)


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_cores(in_parts: FitOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "ROWS", FEW)
    found = []
    for n in (1, 3):
        with threads(n, monkeypatch):
            found.append(ALS(factors=6, iterations=2).fit(weighted_site(), in_parts).item_vectors_.tobytes())
    assert found[0] == found[1]


@pytest.mark.slow
def test_it_starts_from_an_earlier_model(in_parts: FitOptions) -> None:
    data = weighted_site()
    earlier = ALS(factors=6, iterations=3).fit(data)
    start = WarmStart(earlier, {"items": np.arange(N_ITEMS, dtype=np.int32)})
    expected = ALS(factors=6).fit(data, FitOptions(warm_start=start))
    found = ALS(factors=6).fit(data, FitOptions(warm_start=start, parts=in_parts.parts))
    np.testing.assert_allclose(scores(found, data), scores(expected, data), atol=2e-5)


class Counting(LocalEngine):
    """Counts buckets that are worked on, and fails before the one of a number."""

    def __init__(self, fails_at: int = 10**9) -> None:
        super().__init__()
        self.done, self.fails_at = 0, fails_at

    def map(self, function: Function, buckets: list[Bucket], *given: object, **more: object) -> list:  # type: ignore[override]
        def counted(work: object) -> None:
            if self.done == self.fails_at:
                raise KeyboardInterrupt
            function(work)  # type: ignore[arg-type]
            self.done += 1

        counted.__module__, counted.__qualname__ = function.__module__, function.__qualname__
        return super().map(counted, buckets, *given, **more | {"needs": Needs(cores=100)})  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bytes(in_parts: FitOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "ROWS", FEW)
    data, kills = weighted_site(), (16, 31)
    with using(whole := Counting()):
        expected = ALS(factors=6, iterations=2).fit(data, in_parts).item_vectors_
    for kill in kills:
        with using(Counting(kill)), pytest.raises(KeyboardInterrupt):
            ALS(factors=6, iterations=2).fit(data, in_parts)
    with using(rest := Counting()):
        found = ALS(factors=6, iterations=2).fit(data, in_parts).item_vectors_
    np.testing.assert_array_equal(found, expected)
    assert rest.done == whole.done - sum(kills) > 0


@pytest.mark.slow
def test_no_more_is_kept_of_a_round_than_the_next_one_reads(
    in_parts: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", FEW)
    left: list[set[str]] = []
    take = als_parts.PartedTraining.drop

    def drop(self: PartedTraining, step: str) -> None:
        take(self, step)
        left.append({path.name for path in self.folder.iterdir() if path.is_dir()})

    monkeypatch.setattr(als_parts.PartedTraining, "drop", drop)
    ALS(factors=6, iterations=4).fit(weighted_site(), in_parts)
    steps = {name for name in left[-1] if name.startswith(("items-", "users-", "step-", "sums-"))}
    assert {name for name in steps if "basis" not in name} == {"users-3", "step-3-2"}


def test_the_process_that_trains_holds_no_vectors_of_users() -> None:
    model, few, many = ALS(factors=64), (10**3, 10**3, 10**5), (10**6, 10**3, 10**5)
    assert model.memory_needed(*many) - model.memory_needed(*few) == 4 * 64 * (10**6 - 10**3)
    with using(LocalEngine()):
        assert model.memory_needed(*many) == model.memory_needed(*few)
        rows = [model.process_memory(10**6, 10**3, n) for n in (10**7, 10**9)]
        assert rows[0] == rows[1]
