"""Verdicts on the Open Bandit Dataset, whose logs hold the true propensities, and on logs that are wrong."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recmodels.offpolicy.log import Log
from recmodels.offpolicy.trust import Trust, evaluate_policy, support_of
from tests.conftest import real_data

SIMULATIONS = 100_000


def bandit_log(name: str) -> dict[str, np.ndarray]:
    table = pq.read_table(real_data("open-bandit") / f"{name}.parquet")
    return {name: table[name].to_numpy() for name in ("item_id", "position", "click", "propensity_score")}


@pytest.mark.real_data
def test_thompson_sampling_on_the_random_log_has_the_published_value() -> None:
    """Its probabilities by item and position are 100,000 simulations of the published prior (obp, seed 12345)."""
    log = bandit_log("random-all")
    counts = np.loadtxt(Path(__file__).with_name("thompson_all.csv"), delimiter=",")
    place = np.unique(log["position"], return_inverse=True)[1]
    probabilities = counts[log["item_id"], place] / SIMULATIONS
    verdict = evaluate_policy(Log.of(log["click"], log["propensity_score"], probabilities))
    assert verdict.estimates["ips"].value == pytest.approx(0.00455288, abs=5e-9)
    assert verdict.estimates["snips"].value == pytest.approx(0.004776, abs=5e-7)
    assert verdict.support.effective == pytest.approx(1640, abs=1)
    assert verdict.trust is Trust.TRUST and not verdict.reasons
    assert verdict.estimates["ips"].low == pytest.approx(0.0015, abs=0.0005)  # published: .00153 to .00925


@pytest.mark.real_data
def test_a_log_with_hardly_an_event_of_the_policy_is_refused() -> None:
    log = bandit_log("bts-women")
    verdict = evaluate_policy(Log.of(log["click"], log["propensity_score"], np.full(10_000, 1 / 46)))
    assert verdict.support.effective == pytest.approx(2.08, abs=0.01)
    assert verdict.support.largest_weight == pytest.approx(21_739, abs=1)
    assert verdict.trust is Trust.REFUSE
    assert "the log is worth 2.1 events of this policy, of 10,000" in verdict.reasons
    assert "one event has 69% of all weight" in verdict.reasons


def test_a_log_of_the_policy_itself_is_worth_all_its_events() -> None:
    log = Log.of(np.tile([0.0, 1.0], 200), np.full(400, 0.3), np.full(400, 0.3))
    support = support_of(log)
    assert (support.effective, support.largest_weight, support.mean_weight) == (400, 1, 1)
    verdict = evaluate_policy(log)
    assert verdict.trust is Trust.TRUST
    assert {round(one.value, 12) for name, one in verdict.estimates.items() if name != "dm"} == {0.5}


def test_wrong_propensities_show_in_the_mean_weight() -> None:
    """Items are drawn uniformly from four; the log says that it was from eight."""
    draw = np.random.default_rng(0)
    probabilities = np.array([0.4, 0.3, 0.2, 0.1])[draw.integers(4, size=5_000)]
    clicks = draw.random(5_000) < 0.2
    assert evaluate_policy(Log.of(clicks, np.full(5_000, 1 / 4), probabilities)).trust is Trust.TRUST
    wrong = evaluate_policy(Log.of(clicks, np.full(5_000, 1 / 8), probabilities))
    assert wrong.trust is Trust.REFUSE and "propensities are wrong" in wrong.reasons[0]


@pytest.mark.parametrize(("share", "trust"), [(0.9, Trust.DOUBT), (0.3, Trust.REFUSE)])
@pytest.mark.parametrize("known", [True, False])
def test_what_the_log_could_not_show_is_doubted(share: float, trust: Trust, known: bool) -> None:
    """The policy shows an item that the log never does, with the probability that `share` leaves."""
    draw = np.random.default_rng(0)
    probabilities = share * np.array([0.4, 0.3, 0.2, 0.1])[draw.integers(4, size=20_000)]
    log = Log.of(draw.random(20_000) < 0.2, np.full(20_000, 1 / 4), probabilities, support=share if known else None)
    verdict = evaluate_policy(log)
    assert verdict.trust is trust
    assert f"only {share:.0%} of what this policy shows" in verdict.reasons[0]


def test_a_policy_that_the_log_never_shows_is_refused() -> None:
    verdict = evaluate_policy(Log.of([1.0, 0.0], [0.5, 0.5], [0.0, 0.0]))
    assert verdict.trust is Trust.REFUSE and verdict.support.effective == 0


@pytest.mark.parametrize(("clicks", "trust"), [(0, Trust.REFUSE), (3, Trust.DOUBT), (12, Trust.TRUST)])
def test_a_value_of_hardly_a_reward_is_doubted_however_sure_its_interval_looks(clicks: int, trust: Trust) -> None:
    rewards = np.zeros(2_000)
    rewards[:clicks] = 1
    verdict = evaluate_policy(Log.of(rewards, np.full(2_000, 0.5), np.full(2_000, 0.5)))
    assert (verdict.trust, verdict.support.rewarded) == (trust, clicks)
    assert trust is Trust.TRUST or "of what this policy shares with the log had a reward" in verdict.reasons[0]
