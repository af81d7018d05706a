"""Mean and spread over several holdouts, as the comparison and the history have them."""

from statistics import stdev

import pytest

from recmodels.metrics.ranking import METRICS
from tasks.evaluate.backtests import rows, with_tonight
from tasks.evaluate.summary import Backtests, ModelSummary
from tasks.store.files import Json

BERLIN = {"summary": {"holdout": {"start": "2026-04-01T00:00:00+02:00", "days": 7}}}
LAST = {"summary": {"holdout": {"start": "2026-04-01T00:00:00+00:00", "days": None}}, "parameters": {"holdout_days": 5}}


def figures(ndcg: float) -> Json:
    return dict.fromkeys(METRICS, 0.5) | {"ndcg": ndcg}


HOLDOUT = ModelSummary.of(
    {"k": 10, "users": 40, "metrics": {name: {"value": value} for name, value in figures(0.3).items()}}
)
EARLIER: list[Json] = [
    {"window": 1, "users": 30, **figures(0.2)},
    {"window": 2, "users": 20, "failed": "no terms"},
    {"window": 3, "users": 10, **figures(0.25)},
]


def test_backtests_are_named_by_their_first_day_and_tonights_holdout_is_the_first() -> None:
    found = with_tonight(HOLDOUT, EARLIER, BERLIN)
    assert [one.start for one in found.each] == ["2026-04-01", "2026-03-25", "2026-03-18", "2026-03-11"]
    assert [one.start for one in with_tonight(HOLDOUT, EARLIER, LAST).each][:2] == ["holdout", "2026-03-27"]
    assert (found.measured, found.mean) == (3, pytest.approx(0.25))
    assert found.spread == pytest.approx(stdev([0.3, 0.2, 0.25])) == pytest.approx(0.05)
    assert found.clause == "0.2500 ± 0.0500 over 3 of 4 holdouts"
    assert with_tonight(HOLDOUT, EARLIER[1:2], BERLIN).spread is None
    assert Backtests.of(found.json_ready()) == found
    assert found.json_ready()["each"][2] == {"start": "2026-03-18", "users": 20, "failed": "no terms"}


def test_the_comparison_has_a_slice_a_backtest_and_one_for_all_of_them() -> None:
    table = {(row["slice"], row["metric"]): row for row in rows(with_tonight(HOLDOUT, EARLIER, BERLIN))}
    assert {name for name, _ in table} == {"window:2026-04-01", "window:2026-03-25", "window:2026-03-11", "windows"}
    assert table["window:2026-03-25", "ndcg"] | {"slice": ""} == {
        "slice": "", "metric": "ndcg", "users": 30, "value": 0.2,
    }  # fmt: skip
    whole = table["windows", "ndcg"]
    assert (whole["users"], whole["value"]) == (80, pytest.approx(0.25))
    assert (whole["low"], whole["high"]) == (0.2, 0.3)
    assert table["windows", "ndcg_spread"]["value"] == pytest.approx(0.05)
