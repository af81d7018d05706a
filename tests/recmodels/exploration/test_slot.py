"""A drawn place has the propensities it says, never repeats an item, and leaves everything else alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recmodels.errors import ConfigError
from recmodels.exploration.slot import NOBODY, explore
from recmodels.offpolicy.log import Log
from recmodels.offpolicy.trust import Trust, evaluate_policy


def test_shares_of_a_million_draws_are_the_propensities() -> None:
    """The list ends with 3; two of four proposers say 7, one says 3 itself, one says 1, which is in the list.

    What is drawn changes at .2 and .3 alone: it is asked for once in each of 20,000 cells of [0, 1).
    """
    n, cells, epsilon = 1_000_000, 20_000, 0.3
    lists, proposals = np.tile([1, 2, 3], (cells, 1)), np.tile([7, 7, 3, 1], (cells, 1))
    drawn = explore(lists, proposals, (np.arange(cells) + 0.5) / cells, epsilon=epsilon)
    expected = {7: epsilon * 2 / 3, 3: epsilon / 3 + 1 - epsilon}
    cell = (np.random.default_rng(0).random(n) * cells).astype(np.int64)
    shown = drawn.items[cell, 2]
    counts = [np.count_nonzero(shown == item) for item in expected]
    assert stats.chisquare(counts, [share * n for share in expected.values()]).pvalue > 0.003
    for item, share in expected.items():
        assert drawn.propensity[drawn.items[:, 2] == item, 2] == pytest.approx(share)
    assert (drawn.items[:, :2] == [1, 2]).all() and (drawn.propensity[:, :2] == 1).all()
    assert abs(drawn.explored[cell].mean() - epsilon) < 3 * np.sqrt(epsilon * (1 - epsilon) / n)


ITEMS = st.integers(NOBODY, 8)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 8), min_size=0, max_size=4, unique=True),
    st.lists(ITEMS, min_size=1, max_size=5),
    st.floats(0, 1),
    st.integers(0, 3),
    st.data(),
)
def test_propensities_are_those_of_the_definition(
    items: list[int], proposals: list[int], epsilon: float, slot: int, data: st.DataObject
) -> None:
    """All outcomes of one user, found by trying every part of [0, 1), against the formula."""
    shares = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(proposals), max_size=len(proposals))), float)
    grid = (np.arange(200) + 0.5) / 200
    lists = np.tile([*items, *[NOBODY] * (4 - len(items))], (len(grid), 1))
    drawn = explore(lists, np.tile(proposals, (len(grid), 1)), grid, epsilon=epsilon, slot=slot, shares=shares)
    for row in drawn.items:
        assert len({*row[row != NOBODY]}) == len(items)
    if not items:
        assert (drawn.propensity == 1).all() and not drawn.explored.any()
        return
    place = min(slot, len(items) - 1)
    others = {item for at, item in enumerate(items) if at != place}
    assert all(set(row) - {row[place]} - {NOBODY} == others for row in drawn.items)
    possible = {item: shares[[one == item for one in proposals]].sum() for item in set(proposals) - others - {NOBODY}}
    total = sum(possible.values())
    for item in {*drawn.items[:, place]}:
        rows = drawn.items[:, place] == item
        expected = (
            1.0 if not total else epsilon * possible.get(item, 0) / total + (1 - epsilon) * (item == items[place])
        )
        assert drawn.propensity[rows, place] == pytest.approx(expected, rel=1e-6)
        assert rows.mean() == pytest.approx(expected, abs=0.02)


def test_without_exploration_lists_are_what_they_were() -> None:
    lists = np.array([[4, 2, NOBODY], [1, 2, 3]])
    drawn = explore(lists, np.array([[9], [9]]), np.zeros(2), epsilon=0.0)
    assert (drawn.items == lists).all() and (drawn.propensity == 1).all() and not drawn.explored.any()


@pytest.mark.parametrize(
    ("epsilon", "slot", "said"), [(1.5, None, "exploration.epsilon is 1.5"), (0.1, 3, "places 1 to 3")]
)
def test_settings_that_cannot_be_are_refused(epsilon: float, slot: int | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        explore(np.array([[1, 2, 3]]), np.array([[4]]), np.zeros(1), epsilon=epsilon, slot=slot)


@pytest.mark.slow
def test_each_proposer_can_be_measured_from_the_log_without_bias() -> None:
    """2,000 users and 5 proposers over 30 nights: a tenth of the events is a proposer's, and the estimate is right."""
    draw, users, nights, proposers, epsilon = np.random.default_rng(3), 2_000, 30, 5, 0.2
    effective, errors = [], []
    for _ in range(nights):
        lists = np.argsort(draw.random((users, 40)), axis=1)[:, :4]
        proposals = draw.integers(4, 40, (users, proposers))
        click = draw.beta(2, 12, (users, 40))
        drawn = explore(lists, proposals, draw.random(users), epsilon=epsilon)
        shown, rows = drawn.items[:, 3], np.arange(users)
        own = np.where((proposals[:, :1] == lists[:, :3]).any(axis=1), lists[:, 3], proposals[:, 0])
        rewards = draw.random(users) < click[rows, shown]
        log = Log.of(rewards, drawn.propensity[rows, 3], shown == own)
        verdict = evaluate_policy(log)
        effective.append(verdict.support.effective)
        errors.append(verdict.estimates["ips"].value - click[rows, own].mean())
        assert verdict.trust is not Trust.REFUSE
    assert np.mean(errors) == pytest.approx(0, abs=3 * np.std(errors) / np.sqrt(nights))
    assert np.mean(effective) > 80
