"""The gate's decisions, from figures: who is promoted, who is not and why, and when nothing may be published."""

from typing import Any

import numpy as np
import pytest

from tasks.compare.decision import Decision
from tasks.compare.gate import admit, against_baseline, by_hand, decide
from tasks.compare.recent import Recent
from tasks.compare.settings import GateSettings
from tasks.errors import GateRefused
from tests.tasks.compared import CHAMPION, INCUMBENT, NOISE, summary


def decided(gains: dict[str, float], rules: GateSettings | None = None, recent: tuple[float, ...] = ()) -> Decision:
    """The decision where each challenger is better by so much for everybody, give or take."""
    values = {"als": CHAMPION} | {name: CHAMPION + gain + NOISE - NOISE.mean() for name, gain in gains.items()}
    summaries = {name: summary(value) for name, value in values.items()}
    return decide(rules or GateSettings(), summaries, values, INCUMBENT, {}, Recent(recent))


def test_the_first_night_the_best_passes() -> None:
    values = {"als": CHAMPION, "ease": CHAMPION + 0.001}
    decision = decide(GateSettings(), {name: summary(one) for name, one in values.items()}, values, None, {})
    assert (decision.winner, decision.verdict) == ("ease", "first")
    assert decision.reason == "the highest NDCG@10 of 2 models"


def test_a_clearly_better_challenger_is_promoted() -> None:
    decision = decided({"ease": 0.03, "item_knn": -0.01})
    assert (decision.winner, decision.verdict) == ("ease", "promoted")
    assert decision.reason.startswith("promoted: NDCG@10 +10.0% over the champion als, p = ")
    assert [one.model for one in decision.challengers] == ["ease", "item_knn"]
    assert decision.challengers[0].low < 0.03 < decision.challengers[0].high


def test_a_gain_below_the_gate_promotes_nobody_however_certain() -> None:
    decision = decided({"ease": 0.002})
    assert decision.challengers[0].p < 0.05
    assert (decision.winner, decision.verdict) == ("als", "stays")
    assert "gains +0.67%, and 1.00% is asked for (gate.min_gain)" in decision.reason
    assert decided({"ease": 0.002}, GateSettings(min_gain=0.005)).winner == "ease"


def test_a_gain_that_may_be_chance_promotes_nobody() -> None:
    values = {"als": CHAMPION, "ease": np.roll(CHAMPION, 7) + 0.004}  # the same figures for other users
    decision = decide(GateSettings(), {name: summary(one) for name, one in values.items()}, values, INCUMBENT, {})
    assert decision.winner == "als"
    assert "may be better by chance" in decision.challengers[0].reasons[0]


@pytest.mark.slow
def test_p_values_are_corrected_for_the_number_of_challengers() -> None:
    alone, many = decided({"a": 0.001}), decided(dict.fromkeys("abcdefgh", 0.001))
    assert alone.challengers[0].p == alone.challengers[0].p_permutation
    assert many.challengers[0].p == pytest.approx(min(1, 8 * many.challengers[0].p_permutation))


def test_a_champion_far_below_its_recent_nights_stops_the_night() -> None:
    usual = float(CHAMPION.mean())
    assert decided({"ease": 0.1}, recent=(usual, usual * 1.1)).refused is None
    assert decided({"ease": 0.1}, recent=(2 * usual,)).refused is None  # one night is no habit
    refused = decided({"ease": 0.1}, recent=(2 * usual, 2 * usual))
    assert "The champion als reaches NDCG" in refused.refused
    assert "50% of the median of its last 2 nights" in refused.refused
    with pytest.raises(GateRefused, match="The last export stays"):
        admit({"summary": {"gate": refused.json_ready()}})
    assert decided({}, GateSettings(min_quality=None), recent=(9, 9)).refused is None
    forced = by_hand(refused, GateSettings(), "ease")
    assert forced.refused is None
    said = "chosen by hand; by the gate nothing would be published: The champion als reaches NDCG"
    assert forced.reason.startswith(said)
    assert by_hand(refused, GateSettings(pinned_model="ease"), None).refused == refused.refused


def test_a_champion_that_popularity_overtakes_stops_the_night() -> None:
    values = {"als": CHAMPION, "popularity_7d": CHAMPION * 1.1}
    summaries = {name: summary(value) for name, value in values.items()}

    def refused(lift: tuple[float, ...], **rules: Any) -> str | None:
        recent = Recent((float(CHAMPION.mean()),) * len(lift), lift)
        return decide(GateSettings(**rules), summaries, values, INCUMBENT, {}, recent, "popularity_7d").refused

    assert "reaches 0.91 times the NDCG of the popularity of the last 7 days, and 1.60" in str(refused((1.6, 1.6, 0.9)))
    assert refused((1.0, 1.2)) is None
    assert refused((1.6,)) is None
    assert refused((1.6, 1.6), min_lift=None) is None


def test_a_forced_and_a_pinned_champion_are_marked_as_such() -> None:
    decision = decided({"ease": 0.1})
    forced, pinned = by_hand(decision, GateSettings(), "als"), by_hand(decision, GateSettings(pinned_model="als"), None)
    assert (forced.winner, forced.verdict) == ("als", "forced")
    assert forced.reason.startswith("chosen by hand; by the gate it would be ease: promoted")
    assert (pinned.winner, pinned.verdict) == ("als", "pinned")
    assert pinned.reason.startswith("pinned in the configuration; ")


def test_it_is_said_when_nothing_beats_the_popularity_of_the_week() -> None:
    values = {"popularity_7d": CHAMPION, "ease": CHAMPION - 0.01 + NOISE}
    baseline = against_baseline("popularity_7d", values, GateSettings())
    assert baseline is not None
    assert baseline.beaten_by == []
    decision = decided({})
    first = decision.model_copy(update={"baseline": baseline}).unbeaten
    assert first.startswith("No model beats the popularity of the last 7 days")
    better = against_baseline("popularity_7d", values | {"ease": CHAMPION + 0.01 + NOISE}, GateSettings())
    assert better is not None
    assert (better.beaten_by, decision.model_copy(update={"baseline": better}).unbeaten) == (["ease"], "")
    assert against_baseline("popularity_7d", {"ease": CHAMPION}, GateSettings()) is None
