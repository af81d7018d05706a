"""Off-policy estimates of a simulation's log, beside what is true: found again by hand, night by night."""

import numpy as np
import pytest

from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.measures import Meter
from recmodels.simulation.offpolicy import CLICKS, EVERY, TRUE, USUAL, WEIGHT, column, log_sums, true_values, valued
from recmodels.simulation.policies import Explored, Random
from recmodels.simulation.run import DAY, Night, NightSeen, simulate
from recmodels.simulation.runs import Run
from tests.recmodels.simulation.fans import Fans

SEED, NIGHTS, SLOT = 5, EVERY + 1, 2


@pytest.fixture(scope="module")
def nights() -> list[tuple[NightSeen, dict[str, float], np.ndarray]]:
    """Nights with what is true of the proposers and what items were worth before the day, where that was asked."""
    behavior, found, tables = Fans.drawn(60, 30), [], {}
    policy = Explored(Random(), [Random("one"), Random("other")], epsilon=0.5, slot=SLOT)

    def ahead(night: Night) -> dict[str, float]:
        tables[night.night] = behavior.table.copy()
        true = true_values(night, behavior, SEED)
        assert np.array_equal(behavior.table, tables[night.night]), "the days that were tried out are forgotten"
        return true

    def observe(seen: NightSeen) -> None:
        assert isinstance(seen.ahead, dict)
        found.append((seen, seen.ahead, tables[seen.night]))

    simulate(behavior, policy, NIGHTS, k=4, seed=SEED, ahead=ahead, observe=observe)
    return found


def test_the_truth_is_what_would_be_chosen_if_all_that_a_proposer_wants_were_shown(
    nights: list[tuple[NightSeen, dict[str, float], np.ndarray]],
) -> None:
    for seen, true, table in nights:
        if seen.night % EVERY:
            assert true == {}
            continue
        come = np.random.default_rng([SEED, DAY, seen.night]).random(60) < 0.5  # as fans draw it
        drawn = seen.lists.drawn
        users = np.flatnonzero(come & seen.known.here & (drawn.slot == SLOT - 1))
        for proposer, items in {USUAL: drawn.usual, "one": drawn.proposals[:, 0]}.items():
            assert (items[users] != NOTHING).all()
            assert true[column(proposer, TRUE)] == pytest.approx(np.mean(table[users, items[users]] > 0.5))


def test_the_sums_of_the_log_weigh_what_was_shown_by_its_propensity(
    nights: list[tuple[NightSeen, dict[str, float], np.ndarray]],
) -> None:
    for seen, _, _ in nights:
        drawn, expected = seen.lists.drawn, {WEIGHT: 0.0, CLICKS: 0.0}
        rows = zip(*(one.tolist() for one in (seen.day.seen_user, seen.day.seen_item, seen.day.seen_rank)), strict=True)
        for (user, item, rank), clicked in zip(rows, seen.day.clicked.tolist(), strict=True):
            if rank == drawn.slot[user] + 1 and item == drawn.proposals[user, 1]:
                expected[WEIGHT] += 1 / seen.lists.propensity[user, rank - 1]
                expected[CLICKS] += clicked / seen.lists.propensity[user, rank - 1]
        found = log_sums(seen)
        assert {part: found[column("other", part)] for part in (WEIGHT, CLICKS)} == pytest.approx(expected)


def test_an_estimate_is_a_ratio_of_sums_with_an_interval_over_nights() -> None:
    weight, clicks = np.array([9.0, 11, 10, 10, np.nan, 10]), np.array([2.0, 2, 3, 1, np.nan, 2])
    truth = np.array([0.3, np.nan, np.nan, 0.5, np.nan, np.nan])
    figures = {column("als", part): one for part, one in ((WEIGHT, weight), (CLICKS, clicks), (TRUE, truth))}
    (found,) = valued("explored", figures | {"accuracy": truth})
    off = np.array([2 - 0.2 * 9, 2 - 0.2 * 11, 3 - 2, 1 - 2, 0])
    reach = 1.96 * np.sqrt((off**2).sum() * 5 / 4) / 50
    assert (found.policy, found.proposer, found.value, found.true) == ("explored", "als", 0.2, 0.4)
    assert (found.low, found.high) == pytest.approx((0.2 - reach, 0.2 + reach), rel=1e-4)
    assert found.holds is False


def test_few_nights_have_no_interval_and_nights_without_the_truth_no_value() -> None:
    sums = {column("als", part): np.array([10.0, 10]) for part in (WEIGHT, CLICKS)}
    (found,) = valued("explored", sums | {column("als", TRUE): np.array([1.0, np.nan])})
    assert found.low is None and found.holds is None
    assert valued("explored", sums | {column("als", TRUE): np.array([np.nan, np.nan])}) == []


def test_a_meter_keeps_them_for_policies_that_explore_only() -> None:
    def run(policy: Explored | Random) -> Run:
        behavior, found = Fans.drawn(30, 20), []
        meter = Meter(behavior, SEED)

        def observe(seen: NightSeen) -> None:
            found.append(meter.measure(seen))

        simulate(behavior, policy, NIGHTS, k=4, seed=SEED, ahead=meter.ahead, observe=observe)
        return Run.of(found)

    explored = run(Explored(Random(), [Random("one")], epsilon=0.5))
    assert {one.proposer for one in valued("explored", explored.figures)} == {USUAL, "one"}
    assert np.isnan(explored.figures[column("one", TRUE)][1:EVERY]).all()
    assert valued("random", run(Random()).figures) == []
