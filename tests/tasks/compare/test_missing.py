"""A champion that is missing never switches the gate off: who is published in its place, and when nobody is."""

from typing import Any

import numpy as np
import pytest

from tasks.compare.decision import Decision
from tasks.compare.gate import by_hand, decide
from tasks.compare.recent import Recent
from tasks.compare.settings import GateSettings
from tests.tasks.compared import CHAMPION, INCUMBENT, NOISE, summary

USUAL = 0.316  # the champion's NDCG in recent nights
CRASH = "als was killed by signal 9, perhaps as memory ran out; its log is a.log."
KNOWN = Recent((USUAL, USUAL), (3.0, 3.0), (0.6, 0.6))


def at(level: float) -> np.ndarray:
    return np.full(300, level)


def decided(figures: dict[str, float], rules: dict[str, Any] | None = None, **more: Any) -> Decision:
    """The decision of a night in which the champion, als, has no figures."""
    values = {name: at(level) for name, level in figures.items()}
    summaries = {name: summary(value, coverage=more.pop("coverage", 0.5)) for name, value in values.items()}
    about = {"recent": KNOWN, "failed": {"als": CRASH}} | more
    return decide(GateSettings.model_validate(rules or {}), summaries, values, INCUMBENT, {}, **about)


def test_readers_get_the_champion_by_its_recipe_and_not_a_model_that_is_far_worse() -> None:
    decision = decided({"popularity": 0.103})
    assert (decision.winner, decision.verdict, decision.refused) == ("als", "unmeasured", None)
    said = "The champion als could not be measured tonight (als was killed by signal 9, perhaps as memory ran out;"
    assert decision.warnings[0].startswith(said)
    assert decision.warnings[0].endswith("and not measured; its NDCG was 0.3160 in the last 2 nights.")


def test_where_it_cannot_be_fitted_either_a_worse_model_is_no_substitute() -> None:
    decision = decided({"popularity": 0.103, "item_knn": 0.2}, unfit={"als": CRASH})
    assert decision.refused is not None and len(decision.refused) <= 400
    assert "could be neither measured tonight nor fitted again (als was killed by signal 9" in decision.refused
    assert "item_knn has NDCG 0.2000, and the champion had 0.3160 in the last 2 nights" in decision.refused
    assert "(gate.max_drop allows to lose 10%)" in decision.refused
    assert "The last export stays" in decision.refused


def test_where_it_cannot_be_fitted_either_a_model_that_is_as_good_takes_its_place() -> None:
    decision = decided({"popularity": 0.103, "ease": 0.29}, unfit={"als": CRASH})
    assert (decision.winner, decision.verdict, decision.refused) == ("ease", "champion failed", None)
    assert "in its place ease has NDCG 0.2900, and the champion had 0.3160" in decision.warnings[0]
    assert decided({"ease": 0.29}, {"max_drop": 0.05}, unfit={"als": CRASH}).refused


def test_best_does_not_wait_for_the_champion_to_be_fitted() -> None:
    assert decided({"popularity": 0.103, "ease": 0.29}, {"on_missing_champion": "best"}).winner == "ease"
    assert decided({"popularity": 0.103}, {"on_missing_champion": "best"}).refused


def test_stop_publishes_nothing() -> None:
    decision = decided({"ease": 0.5}, {"on_missing_champion": "stop"})
    assert decision.refused is not None and "gate.on_missing_champion is stop" in decision.refused
    assert by_hand(decision, GateSettings(), "ease").refused is None


def test_the_other_limits_hold_for_a_model_in_its_place() -> None:
    best = {"on_missing_champion": "best"}
    assert decided({"ease": 0.3}, best, coverage=0.2).refused  # of 0.6, and half of it may be lost
    assert decided({"ease": 0.3}, best | {"max_coverage_loss": None}, coverage=0.2).refused is None


def test_a_champion_whose_quality_nobody_knows_is_not_replaced() -> None:
    refused = decided({"ease": 0.5}, {"on_missing_champion": "best"}, recent=Recent()).refused
    assert refused is not None and "what its NDCG was is not known" in refused


@pytest.mark.parametrize("policy", ["refit_last", "best"])
def test_broken_data_stop_a_night_without_its_champion_as_any_other(policy: str) -> None:
    """The best of the others shows it: items mixed up are as easy for popularity, and lost on what is personal."""
    figures = {"week": 0.3, "ease": 0.305}
    others = {"ease": Recent((0.3, 0.3), (2.5, 2.5)), "week": Recent((0.12, 0.12), (1.0, 1.0))}
    decision = decided(figures, {"on_missing_champion": policy}, others=others, baseline="week")
    assert decision.refused is not None and len(decision.refused) <= 400
    assert decision.refused.startswith(
        "The champion is missing, and ease reaches 1.02 times the NDCG of the popularity"
    )
    assert decided(figures, {"on_missing_champion": policy}, baseline="week").refused is None


def test_a_promoted_model_that_cannot_be_fitted_leaves_the_champion_in_its_place() -> None:
    values = {"als": CHAMPION, "ease": CHAMPION + 0.03 + NOISE}
    summaries = {name: summary(one) for name, one in values.items()}
    assert decide(GateSettings(), summaries, values, INCUMBENT, {}).winner == "ease"
    decision = decide(GateSettings(), summaries, values, INCUMBENT, {}, unfit={"ease": "no memory."})
    assert (decision.winner, decision.verdict) == ("als", "stays")
    assert decision.challengers[0].reasons == ["could not be fitted again: no memory"]


def test_a_measured_champion_that_cannot_be_fitted_is_replaced_by_one_as_good_tonight() -> None:
    values = {"als": CHAMPION, "ease": CHAMPION - 0.01, "week": CHAMPION / 3}
    summaries = {name: summary(one) for name, one in values.items()}
    decision = decide(GateSettings(), summaries, values, INCUMBENT, {}, unfit={"als": "no memory."})
    assert (decision.winner, decision.verdict) == ("ease", "champion failed")
    assert decision.incumbent is not None and decision.incumbent.name == "als"
    assert decision.warnings[0].startswith("The champion als could not be fitted again (no memory); in its place ease")


@pytest.mark.parametrize("policy", ["refit_last", "best", "stop"])
def test_a_pinned_model_needs_no_champion_but_good_data(policy: str) -> None:
    rules = {"on_missing_champion": policy, "pinned_model": "ease"}
    about: dict[str, Any] = {"unfit": {"als": "this installation does not know its recommender"}, "baseline": "week"}
    figures = {"week": 0.3, "ease": 0.305}  # not as good as the champion was

    def pinned(**more: Any) -> Decision:
        settings = GateSettings.model_validate(rules)
        return by_hand(decided(figures, rules, recent=Recent((0.5, 0.5)), **about | more), settings, None)

    assert (pinned().winner, pinned().verdict, pinned().refused) == ("ease", "pinned", None)
    broken = pinned(others={"ease": Recent((0.3, 0.3), (2.5, 2.5))}).refused
    assert broken is not None and "ease reaches 1.02 times" in broken


def test_what_a_person_has_chosen_is_not_warned_of() -> None:
    assert by_hand(decided({"ease": 0.5}), GateSettings(), "ease").warnings == []
    assert by_hand(decided({"ease": 0.5}), GateSettings(pinned_model="als"), None).warnings
