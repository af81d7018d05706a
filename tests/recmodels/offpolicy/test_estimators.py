"""Estimators against their formulas, another library's values, and the coverage of their intervals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmodels.errors import ConfigError
from recmodels.offpolicy.estimators import ESTIMATORS, dr_os, estimate, standard_error, switch_dr
from recmodels.offpolicy.log import Log
from recmodels.offpolicy.reward_model import cross_fitted

THEIRS = {"ips": 0.807639, "snips": 0.884835, "dm": 0.670322, "dr": 0.879598, "sndr": 0.899601}
OF_SLATES = {"joint": 1.872047, "cascade": 1.906956, "own": 1.797282}
SWITCH_AT_2, SHRUNK_BY_5 = 0.700041, 0.724927  # as sb-obp 0.5.10 computes them


def small_log() -> Log:
    """Rewards 1, 0, 1, weights 2, 1, .5, a model that expects .5 of what was shown and .6 of the policy."""
    return Log.of([1, 0, 1], [0.25, 0.5, 0.5], [0.5, 0.5, 0.25], predicted_shown=[0.5] * 3, predicted_policy=[0.6] * 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ips", (2 + 0.5) / 3),
        ("snips", 2.5 / 3.5),
        ("dm", 0.6),
        ("dr", 0.6 + (1 - 0.5 + 0.25) / 3),
        ("sndr", 0.6 + 0.75 / 3.5),
    ],
)
def test_each_estimator_is_its_formula(name: str, value: float) -> None:
    assert ESTIMATORS[name](small_log())[0] == pytest.approx(value)


def test_large_weights_are_left_to_the_model_or_shrunk() -> None:
    log = small_log()
    assert switch_dr(log, 1.0)[0] == pytest.approx(0.6 + (-0.5 + 0.25) / 3)
    assert dr_os(log, 2.0)[0] == pytest.approx(0.6 + (4 / 6 * 0.5 - 2 / 3 * 0.5 + 1 / 2.25 * 0.5) / 3)
    assert dr_os(log, 0.0)[0] == pytest.approx(0.6)
    assert switch_dr(log, np.inf)[0] == dr_os(log, np.inf)[0] == ESTIMATORS["dr"](log)[0]


def test_the_values_are_those_of_the_open_bandit_pipeline() -> None:
    """A synthetic log of sb-obp 0.5.10: ten actions, its logistic regression cross-fitted in 3 folds."""
    table = np.genfromtxt(Path(__file__).with_name("synthetic.csv"), delimiter=",", names=True)
    log = Log.of(
        table["reward"],
        table["propensity"],
        table["probability"],
        predicted_shown=table["predicted_shown"],
        predicted_policy=table["predicted_policy"],
    )
    assert {name: round(ESTIMATORS[name](log)[0], 6) for name in ("ips", "snips", "dm", "dr", "sndr")} == THEIRS
    assert switch_dr(log, 2.0)[0] == pytest.approx(SWITCH_AT_2, abs=1e-6)
    assert dr_os(log, 5.0)[0] == pytest.approx(SHRUNK_BY_5, abs=1e-6)


@pytest.mark.parametrize(("weighed_by", "value"), OF_SLATES.items())
def test_a_log_of_whole_lists_has_the_values_of_the_open_bandit_pipeline(weighed_by: str, value: float) -> None:
    """A synthetic log of sb-obp 0.5.10: a hundred lists of three of ten items.

    A list is a unit of three events. Its value is the sum of their rewards, as weighed by the probability of the whole
    list (standard IPS), of its part down to the place (cascade, McInerney et al. 2020) or of the place alone (Li et
    al. 2018).
    """
    table = np.genfromtxt(Path(__file__).with_name("slates.csv"), delimiter=",", names=True)
    propensity, probability = table[f"{weighed_by}_propensity"], table[f"{weighed_by}_probability"]
    log = Log.of(3 * table["reward"], propensity, probability, units=table["slate"])
    assert ESTIMATORS["ips"](log)[0] == pytest.approx(value, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.05, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_a_constant_reward_is_found_exactly_by_what_is_self_normalized(rows: list[tuple[float, float, float]]) -> None:
    _, propensities, probabilities = (np.array(column) for column in zip(*rows, strict=True))
    if probabilities.sum() < 1e-9:
        return
    log = Log.of(np.full(len(rows), 3.5), propensities, probabilities)
    assert ESTIMATORS["snips"](log)[0] == pytest.approx(3.5)


def test_events_of_one_user_count_as_one() -> None:
    """Each user's event ten times over says nothing new: the error stays, where one would think it √10 times less."""
    draw = np.random.default_rng(1)
    rewards, probabilities = draw.random(200), draw.random(200)
    once = Log.of(rewards, np.full(200, 0.5), probabilities)
    tenfold = Log.of(
        np.repeat(rewards, 10), np.full(2_000, 0.5), np.repeat(probabilities, 10), units=np.repeat(np.arange(200), 10)
    )
    for name, one in estimate(once).items():
        many = estimate(tenfold)[name]
        assert (many.value, many.error) == (pytest.approx(one.value), pytest.approx(one.error)), name


def test_one_user_alone_has_no_error_that_is_known() -> None:
    log = Log.of([1, 0], [0.5, 0.5], [0.5, 0.5], units=["u", "u"])
    assert standard_error(log.rewards - 0.5, log) == np.inf


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """One slot of 500 users, drawn from what five models propose; the evaluated policy is the first of them."""
    draw = np.random.default_rng(7)
    users, items, models, repetitions = 500, 8, 5, 400
    everyone, truth = np.arange(users), 2 / 14
    held = dict.fromkeys(ESTIMATORS, 0)
    for _ in range(repetitions):
        click = draw.beta(2, 12, (users, items))
        proposals = draw.integers(items, size=(users, models))
        drawn = draw.integers(models, size=users)
        shown, wanted = proposals[everyone, drawn], proposals[:, 0]
        log = Log.of(
            draw.random(users) < click[everyone, shown],
            (proposals == shown[:, None]).mean(axis=1),
            shown == wanted,
            predicted_shown=click[everyone, shown],
            predicted_policy=click[everyone, wanted],
        )
        for name, one in estimate(log).items():
            held[name] += one.low <= truth <= one.high
    shares = {name: round(count / repetitions, 4) for name, count in held.items()}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


def test_the_model_of_an_event_has_not_seen_its_user() -> None:
    """Each user has a feature of their own that tells all their rewards: what has seen it would predict these."""
    users = np.repeat(np.arange(30), 4)
    rewards, events = (users % 2).astype(float), np.arange(120)
    expected = cross_fitted(rewards, np.eye(30)[users], events, events, users)
    assert abs(expected[rewards == 1].mean() - expected[rewards == 0].mean()) < 0.1


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_what_a_feature_says_is_learned_for_what_was_shown_and_what_was_not(scale: float) -> None:
    """Of two items in each event, either may be shown; that with the feature is the better one."""
    draw = np.random.default_rng(3)
    feature = draw.integers(2, size=3_000)
    rewards = (draw.random(3_000) < 0.2 + 0.5 * feature) * scale
    items = np.tile([[0.0], [1.0]], (3_000, 1))
    events = np.repeat(np.arange(3_000), 2)
    expected = cross_fitted(rewards, items, events, 2 * np.arange(3_000) + feature, np.arange(3_000))
    assert expected[0::2].mean() == pytest.approx(0.2 * scale, abs=0.04 * scale)
    assert expected[1::2].mean() == pytest.approx(0.7 * scale, abs=0.04 * scale)


@pytest.mark.parametrize(
    ("propensities", "message"),
    [
        ([0.5, 0.0], "The propensity of event 1 is 0; it must be above 0 and at most 1."),
        ([0.5, np.nan], "The propensity of event 1 is nan"),
        ([0.5], "A log needs as many of each"),
    ],
)
def test_a_log_that_cannot_be_is_refused(propensities: list[float], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        Log.of([1, 0], propensities, [0.5, 0.5])
