"""The options of a training: how many rounds its minutes have room for."""

import pytest

from recmodels import options as module
from recmodels.factors.als import ALS
from recmodels.factors.bpr import BPR
from recmodels.factors.mf import MF
from recmodels.options import FitOptions
from recmodels.testing import small_site


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, to be changed."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def rounds(clock: list[float], n: int, seconds: float, minutes: float | None) -> list[tuple[int, float]]:
    done = []
    for round_ in FitOptions(minutes=minutes).rounds(n):
        done.append(round_)
        clock[0] += seconds
    return done


def test_without_a_limit_or_with_time_enough_all_rounds_are_done(clock: list[float]) -> None:
    expected = [(0, 0.0), (1, 0.25), (2, 0.5), (3, 0.75)]
    assert rounds(clock, 4, seconds=3600, minutes=None) == expected
    assert rounds(clock, 4, seconds=15, minutes=1) == expected


def test_a_round_that_would_end_too_late_is_not_begun_and_the_share_is_that_of_the_time(clock: list[float]) -> None:
    assert rounds(clock, 8, seconds=15, minutes=1) == [(0, 0.0), (1, 0.25), (2, 0.5), (3, 0.75)]
    assert rounds(clock, 8, seconds=25, minutes=1) == [(0, 0.0), (1, pytest.approx(25 / 60))]
    assert rounds(clock, 8, seconds=90, minutes=1) == [(0, 0.0)]


@pytest.mark.parametrize("model", [ALS(factors=4), BPR(factors=4), MF(factors=4)])
def test_models_in_rounds_end_in_time(model: ALS | BPR | MF, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(FitOptions, "rounds", lambda *given: (done.append(i) or (i, i / given[1]) for i in range(2)))
    model.fit(small_site(), FitOptions(minutes=1))
    assert done == [0, 1]
