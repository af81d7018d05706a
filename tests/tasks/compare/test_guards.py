"""A broken guard keeps a better challenger out, and says what it costs."""

import re
from typing import Any

import pytest

from tasks.compare.decision import Decision
from tasks.compare.gate import by_hand, decide, within_bounds
from tasks.compare.settings import GateSettings
from tasks.store.files import Json
from tests.tasks.compared import CHAMPION, INCUMBENT, summary


def guarded(rules: dict[str, Any], mine: Json, theirs: Json, churn: float | None = None) -> Decision:
    """What becomes of a challenger that is clearly better, under one more rule."""
    values = {"als": CHAMPION[:300], "ease": CHAMPION[:300] + 0.1}  # as many as it takes to be sure
    summaries = {"als": summary(values["als"], **theirs), "ease": summary(values["ease"], **mine)}
    changed = {} if churn is None else {"ease": churn}
    return decide(GateSettings.model_validate(rules), summaries, values, INCUMBENT, changed)


@pytest.mark.parametrize(
    ("rules", "mine", "theirs", "why"),
    [
        ({}, {"coverage": 0.1}, {"coverage": 0.3}, "loses 67% of the champion's coverage, and 50% is allowed"),
        (
            {"max_tail_loss": 0.1},
            {"slices": {"items:tail": ("recall", 900, 0.02)}},
            {"slices": {"items:tail": ("recall", 900, 0.04)}},
            "loses 50% of the champion's recall of tail items",
        ),
        ({"min_cold_share": 0.02}, {"cold_share": 0.01}, {"cold_share": 0.1}, "and 2.0% is the least"),
        ({"max_cold_share": 0.2}, {"cold_share": 0.5}, {"cold_share": 0.1}, "and 20.0% is the most"),
        (
            {},
            {"slices": {"country:FR": ("ndcg", 300, 0.2)}},
            {"slices": {"country:FR": ("ndcg", 300, 0.4)}},
            r"loses 50% of NDCG for 300 users \(country:FR\), and 20% is allowed",
        ),
        (
            {},
            {"slices": {"domain:films": ("ndcg", 300, 0.17)}},
            {"slices": {"domain:films": ("ndcg", 300, 0.2)}},
            r"loses 15% of NDCG in the domain films \(300 users\), and 10% is allowed \(gate.max_domain_loss\)",
        ),
        (
            {"max_training_minutes": 5},
            {"trained": {"fit_seconds": 600}},
            {},
            "trains for 10.0 minutes, and 5 are allowed",
        ),
    ],
)
def test_a_broken_guard_keeps_a_better_challenger_out(rules: Json, mine: Json, theirs: Json, why: str) -> None:
    decision = guarded(rules, mine, theirs)
    assert (decision.winner, decision.verdict) == ("als", "stays")
    assert len(decision.challengers[0].reasons) == 1
    assert re.search(why, decision.challengers[0].reasons[0])
    off = dict.fromkeys((*rules, "max_coverage_loss", "max_slice_loss", "max_domain_loss"), None)
    assert guarded(off, mine, theirs).winner == "ease"


def test_lists_that_change_too_much_keep_a_challenger_out() -> None:
    assert guarded({"max_churn": 0.5}, {}, {}, churn=0.7).winner == "als"
    assert guarded({"max_churn": 0.5}, {}, {}, churn=0.4).winner == "ease"
    assert guarded({}, {}, {}, churn=1.0).winner == "ease"


def test_small_slices_are_not_guarded() -> None:
    few = {"slices": {"country:FR": ("ndcg", 30, 0.2)}}, {"slices": {"country:FR": ("ndcg", 30, 0.4)}}
    assert guarded({}, *few).winner == "ease"


def test_the_next_best_is_promoted_where_the_best_breaks_a_guard() -> None:
    values = {"als": CHAMPION, "ease": CHAMPION + 0.1, "item_knn": CHAMPION + 0.05}
    summaries = {
        "als": summary(CHAMPION, coverage=0.4),
        "ease": summary(values["ease"], coverage=0.01),
        "item_knn": summary(values["item_knn"], coverage=0.4),
    }
    assert decide(GateSettings(), summaries, values, INCUMBENT, {}).winner == "item_knn"


BOUNDS = [
    ("max_identical_lists", "identical_lists", 0.9, "90.0% of its lists are another user's too, and 50.0% is the most"),
    ("max_gini", "gini", 0.95, "0.950 is the Gini coefficient of its items, and 0.5 is the most"),
    (
        "max_popularity",
        "average_popularity",
        0.6,
        "60.0% is the average popularity of its items, and 50.0% is the most",
    ),
]


@pytest.mark.parametrize(("setting", "metric", "found", "why"), BOUNDS)
@pytest.mark.slow
def test_what_is_published_keeps_the_limits_whoever_it_is(setting: str, metric: str, found: float, why: str) -> None:
    summaries = {"als": summary(CHAMPION, **{metric: found}), "ease": summary(CHAMPION - 0.01, **{metric: 0.4})}
    values = {"als": CHAMPION, "ease": CHAMPION - 0.01}
    rules = GateSettings.model_validate({setting: 0.5})

    def bounded(settings: GateSettings, forced: str | None = None) -> Decision:
        decision = decide(settings, summaries, values, INCUMBENT, {})
        return within_bounds(by_hand(decision, settings, forced), settings, summaries)

    refused = bounded(rules).refused
    assert refused is not None and f"als would be published, but {why} (gate.{setting})." in refused
    assert "The last export stays" in refused and len(refused) < 400
    assert bounded(GateSettings()).refused is None
    assert bounded(rules, "als").refused is None
    assert bounded(rules.model_copy(update={"pinned_model": "ease"})).refused is None
    assert bounded(rules.model_copy(update={"pinned_model": "als"})).refused == refused
    first = decide(rules, summaries, values, None, {})
    assert (first.winner, first.reason.partition("; ")[2]) == ("ease", "als does not")
    better = summaries | {"ease": summary(CHAMPION + 0.1, **{metric: found}), "als": summary(CHAMPION)}
    challenged = decide(rules, better, values | {"ease": CHAMPION + 0.1}, INCUMBENT, {})
    assert (challenged.winner, [why in one for one in challenged.challengers[0].reasons]) == ("als", [True])
