"""The index foretells effects in the long run, and says how far it may be off."""

from dataclasses import replace

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.experiments.surrogates import Cohort, SurrogateIndex
from tests.recmodels.experiments.early import BY_SIGNAL, VARIANCE, users

EARLY = np.array([0.3, -0.2, 0.5])
EFFECT = float(EARLY @ BY_SIGNAL)  # 0.2, all of it by way of the signals


def test_it_is_the_expected_outcome_of_who_has_the_signals() -> None:
    draw = np.random.default_rng(0)
    history, _ = users(draw, 20_000)
    index = SurrogateIndex(history)
    assert index.explained == pytest.approx(1 - 1 / VARIANCE, abs=0.01)
    assert index.explained_before == pytest.approx(1.3**2 / VARIANCE, abs=0.015)
    assert index.gain == pytest.approx(1.25 / 2.25, abs=0.015)
    later, _ = users(draw, 1_000, first=20_000)
    expected = later.early @ BY_SIGNAL + 0.7 * later.before[:, 0]
    assert index.predict(later) == pytest.approx(expected, abs=0.3)


@pytest.mark.slow
def test_an_interval_holds_the_true_effect_as_often_as_it_says() -> None:
    """With a history as small as the experiment, so that the index is as unsure as its users are few."""
    draw, held, errors, values = np.random.default_rng(1), 0, [], []
    for _ in range(150):
        history, _ = users(draw, 500)
        cohort, arm = users(draw, 400, EARLY, first=500)
        found = SurrogateIndex(history).foretell(cohort, arm)
        low, high = found.interval()
        held += low <= EFFECT <= high
        errors.append(found.error)
        values.append(found.predicted)
    assert held / 150 == pytest.approx(0.95, abs=0.035)
    assert np.mean(values) == pytest.approx(EFFECT, abs=0.02)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)


def test_the_fitting_is_most_of_the_error_where_the_history_is_small() -> None:
    draw = np.random.default_rng(2)
    cohort, arm = users(draw, 20_000, 3 * EARLY, first=5_000)
    small, large = (SurrogateIndex(users(draw, n)[0]).foretell(cohort, arm) for n in (300, 5_000))
    assert small.error_of_index > 3 * large.error_of_index
    assert small.error_of_index > 0.9 * small.error
    assert large.error < small.error / 2


def test_nobody_is_predicted_by_their_own_outcome() -> None:
    """Outcomes that are nothing but chance, of users who are in the history and in the experiment."""
    draw = np.random.default_rng(3)
    cohort, _ = users(draw, 300)
    cohort = replace(cohort, outcome=draw.normal(size=300))
    index = SurrogateIndex(cohort)
    assert np.corrcoef(index.predict(cohort), cohort.outcome)[0, 1] < 0.05
    assert index.explained < 0 and index.gain < 0


def test_what_was_known_before_narrows_the_interval() -> None:
    draw = np.random.default_rng(4)
    history, _ = users(draw, 5_000)
    cohort, arm = users(draw, 2_000, EARLY, first=5_000)
    known, unknown = (replace(one, before=np.zeros((len(one), 0))) for one in (history, cohort))
    assert (
        SurrogateIndex(history).foretell(cohort, arm).error < 0.9 * SurrogateIndex(known).foretell(unknown, arm).error
    )


def test_a_true_effect_is_told_once_it_is_known_and_unknown_before() -> None:
    draw = np.random.default_rng(5)
    index = SurrogateIndex(users(draw, 2_000)[0])
    cohort, arm = users(draw, 4_000, EARLY, first=2_000)
    found = index.foretell(cohort, arm)
    assert found.true == pytest.approx(EFFECT, abs=3 * found.error_of_true)
    assert found.error_of_true == pytest.approx(np.sqrt(2.25 / (4_000 * 0.4 * 0.6)), rel=0.1)  # what x leaves of Y
    assert found.users == (int(arm.sum()), int((~arm).sum()))
    assert found.through == pytest.approx(EARLY * BY_SIGNAL, abs=0.1)
    assert found.through.sum() == pytest.approx(found.predicted, abs=0.005)
    new = index.foretell(replace(cohort, outcome=np.full(4_000, np.nan)), arm)
    assert new.predicted == found.predicted
    assert np.isnan([new.true, new.error_of_true]).all()


def test_lines_may_bend_and_signals_may_be_missing() -> None:
    """Y is 2 where a signal is missing, and |s| where it is there."""
    draw = np.random.default_rng(6)
    signal = draw.normal(size=5_000)
    signal[draw.random(5_000) < 0.3] = np.nan
    outcome = np.where(np.isnan(signal), 2.0, np.abs(signal)) + 0.1 * draw.normal(size=5_000)
    index = SurrogateIndex(Cohort(np.arange(5_000), np.zeros((5_000, 0)), signal[:, None], outcome))
    assert index.explained > 0.95
    asked = Cohort(np.arange(3), np.zeros((3, 0)), np.array([[np.nan], [-1.0], [1.0]]), np.zeros(3))
    assert index.predict(asked) == pytest.approx([2, 1, 1], abs=0.2)


def test_signals_that_the_history_has_not_are_told_and_taken_for_the_furthest_it_has() -> None:
    draw = np.random.default_rng(7)
    history, _ = users(draw, 5_000)
    index = SurrogateIndex(history)
    cohort, arm = users(draw, 2_000, first=5_000)
    assert index.foretell(cohort, arm).outside < 0.02
    far = replace(cohort, early=cohort.early + 10 * arm[:, None])
    assert index.foretell(far, arm).outside == 1
    assert index.predict(far)[arm].max() <= index.predict(history).max() + 3


def test_it_is_the_same_whatever_else_is_in_the_cohort_and_in_any_order() -> None:
    draw = np.random.default_rng(8)
    history, _ = users(draw, 1_000)
    cohort, _ = users(draw, 500)
    index, turned = SurrogateIndex(history), np.arange(500)[::-1]
    assert index.predict(cohort.take(turned)) == pytest.approx(index.predict(cohort)[turned])
    again = SurrogateIndex(Cohort.joined([history.take(slice(500, None)), history.take(slice(500))]))  # type: ignore[arg-type]
    assert again.predict(cohort) == pytest.approx(index.predict(cohort))


def test_what_cannot_be_fitted_is_refused() -> None:
    draw = np.random.default_rng(9)
    few, _ = users(draw, 100)
    with pytest.raises(ConfigError, match="There are 100 users whose outcome is known, too few for an index of 16"):
        SurrogateIndex(few)
    history, _ = users(draw, 500)
    with pytest.raises(ConfigError, match="All users have the same outcome, 1: nothing foretells it"):
        SurrogateIndex(replace(history, outcome=np.ones(500)))
    with pytest.raises(ConfigError, match="two users in each arm: there are 0 and 100"):
        SurrogateIndex(history).foretell(few, np.zeros(100, bool))
