"""Published findings in small worlds: signs and orders that a few seeds are enough for.

`python -m tests.benchmarks.findings` finds them all in worlds of full size, with the sizes of the effects.
"""

import numpy as np
import pytest

from recmodels.simulation.policies import Random
from recmodels.simulation.published.accepting import Accepting
from recmodels.simulation.published.confounders import Chance, Content, Ideal, Popular, Ranking
from tests.benchmarks.findings import amplification, control, degeneracy, homogeneity, illusion
from tests.benchmarks.findings.effects import Effect, slope
from tests.benchmarks.findings.homogeneity import Setting

SEEDS = range(3)


@pytest.mark.slow
def test_retraining_makes_users_alike_and_chance_does_not() -> None:
    repeated, single = Setting(5, 1, nights=30, users=40), Setting(15, None, nights=30, users=40)
    ideal = {setting: homogeneity.run(0, Ideal, setting) for setting in (repeated, single)}

    def late(learner: type[Ranking], setting: Setting) -> float:
        of = homogeneity.run(0, learner, setting)
        if setting is repeated:
            assert np.mean(of.utility[-15:]) < np.mean(ideal[setting].utility[-15:])
        return float(homogeneity.homogenization(of, ideal[setting], setting, 0)[-10:].mean())

    popular, content, chance = (late(learner, repeated) for learner in (Popular, Content, Chance))
    assert popular > 0.1 and content > 0.05 > chance + 0.03
    assert popular > 1.5 * late(Popular, single)


def test_what_is_accepted_makes_lists_popular_and_few_and_a_minority_drifts_further() -> None:
    runs = [
        amplification.run(Accepting.generated(seed), "user_knn", seed, repeats=True, rounds=8) for seed in SEEDS
    ]  # fmt: skip
    for of in runs:
        assert of.popularity[-1] > of.popularity[0] + 0.1
        assert of.popularity_before[-1] > of.popularity_before[0]
        assert of.listed[-1] < of.listed[0]
        assert of.drift[-1].mean() > of.drift[2].mean() > 0
        assert of.drift[-1][of.group == 1].mean() > of.drift[-1][of.group == 0].mean()


def test_where_only_what_is_new_is_listed_the_popular_items_are_used_up() -> None:
    of = amplification.run(Accepting.generated(0), "popularity", 0, repeats=False, rounds=8)
    assert of.listed[-1] > of.listed[0]
    assert of.popularity_before[-1] < of.popularity_before[0]


@pytest.mark.slow
def test_interests_run_away_the_faster_the_better_they_are_known() -> None:
    at_end = {
        arm: degeneracy.run(0, arm, 150)[-1]
        for arm in ("oracle", "oracle, .5 at random", "random", "random, 1 new a night")
    }
    assert list(at_end) == sorted(at_end, key=at_end.__getitem__, reverse=True)
    assert at_end["oracle"] > 3 * at_end["random"]


@pytest.mark.slow
def test_adoption_looks_like_variety_while_variety_falls_night_by_night() -> None:
    over_adoption, over_nights = [], []
    for seed in SEEDS:
        curves = [illusion.run(seed, "popularity", rate, 8, 40)["so far"] for rate in (0.0, 0.5, 1.0)]
        over_adoption.append(slope([curve[-1] for curve in curves], (0.0, 0.5, 1.0)))
        over_nights.append(slope(curves[1]))
    assert all(rise > 0 > fall for rise, fall in zip(over_adoption, over_nights, strict=True))


@pytest.mark.slow
def test_without_feedback_slopes_are_zero_within_their_intervals() -> None:
    held = [not one.certain for seed in range(4) for one in control.trends(seed, Random(), 12, 60).values()]
    assert np.mean(held) >= 0.8  # of 52; 94 % of thousands in the benchmark


def test_an_effect_is_reproduced_where_its_interval_is_on_the_claimed_side() -> None:
    values = [1.0, 2.0, 3.0, 4.0]  # mean 2.5, deviation 1.291, t(3) = 3.182: 2.5 +- 2.054
    effect = Effect.over("x", values, "+")
    assert (effect.low, effect.high) == pytest.approx((0.4457, 4.5543), abs=1e-3)
    assert effect.reproduced
    assert not Effect.over("x", values, "-").reproduced and not Effect.over("x", values, "not +").reproduced
    assert Effect.over("x", [-1.0, 1.0, 0.5], "not +").reproduced and Effect.over("x", values).reproduced is None
    assert not effect.surprising and Effect.over("x", values, "-").surprising
    assert not Effect.over("x", values, "-", differs=True).surprising
    assert Effect.over("x", values, "+", differs=True).surprising
    between = Effect.between("x", values, [0.0, 1.0, 0.0, 1.0], "+")
    assert between.mean == 2.0 and between.low < 2 < between.high
