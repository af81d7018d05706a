"""A decision says the same as JSON and as a type, whichever of the last two versions has written it."""

import pytest
from pydantic import ValidationError

from tasks.compare.decision import ComparisonSummary, Decision, DecisionRecord, Verdict
from tasks.compare.gate import decide
from tasks.compare.settings import GateSettings
from tests.tasks.compared import CHAMPION, INCUMBENT, NOISE, summary


def decided() -> Decision:
    values = {"als": CHAMPION, "ease": CHAMPION + 0.1 + NOISE}
    return decide(GateSettings(), {name: summary(one) for name, one in values.items()}, values, INCUMBENT, {})


def test_a_decision_is_written_and_read_back() -> None:
    decision = decided()
    written = decision.json_ready()
    assert (written["verdict"], written["champion"]["name"]) == ("promoted", "als")
    assert Decision.of(written) == decision
    assert DecisionRecord.of(written | {"failed": {"bpr": "no time"}}).failed == {"bpr": "no time"}


def test_a_decision_of_the_version_before_is_read() -> None:
    stored = {"winner": "ease", "reason": "best", "verdict": "champion failed", "refused": None, "challengers": []}
    decision = Decision.of(stored | {"champion": None, "baseline": {"name": "week", "value": 0.1, "beaten_by": []}})
    assert decision.verdict is Verdict.CHAMPION_FAILED
    assert decision.unbeaten == "No model beats the popularity of the last 7 days (week)."
    with pytest.raises(ValidationError, match="verdict"):
        Decision.of(stored | {"verdict": "maybe"})


def test_a_comparison_of_the_version_before_has_backtests() -> None:
    backtests = {"days": 7, "each": [], "measured": 0, "mean": 0.2, "spread": None}
    stored = {"winner": "ease", "reason": "best", "metrics": {}, "failed": {}, "k": 10, "users": 4, "models": {}}
    gate = {"winner": "ease", "reason": "best", "verdict": "first"}
    found = ComparisonSummary.of(stored | {"gate": gate, "windows": {"ease": backtests}})
    assert found.backtests["ease"].mean == 0.2
    assert "backtests" in found.json_ready()
