"""A gate that asks for an off-policy gain promotes nobody without one that can be trusted, and says why."""

from typing import Any

import pytest

from recmodels.offpolicy.trust import Trust
from tasks.compare.gate import decide
from tasks.compare.settings import GateSettings
from tasks.evaluate.summary import Figure
from tasks.offpolicy.values import ASSUMED, OffPolicySummary, PolicyValue
from tests.tasks.compared import CHAMPION, INCUMBENT, summary

FEW = "the log is worth 20.0 events of this policy, of 10,000"


def value(name: str, low: float | None = None, trust: Trust = Trust.TRUST, reason: str = "") -> PolicyValue:
    gain = None if low is None else Figure(value=low + 0.05, low=low, high=low + 0.1)
    return PolicyValue(
        name=name,
        role="candidate",
        trust=trust,
        reasons=[reason] if reason else [],
        events=10_000,
        effective=800,
        largest_weight=10,
        largest_share=0.001,
        mean_weight=1,
        support=1,
        estimates={"dr": Figure(value=0.1, low=0.09, high=0.11)},
        gain=gain,
    )


def log(*values: PolicyValue) -> OffPolicySummary:
    about: dict[str, Any] = {"message": "", "reward": "clicked", "assumed": False, "days": 28, "notes": []}
    about |= {"first": "2026-03-01", "last": "2026-03-28", "events": 10_000, "users": 5_000, "share": 1, "left_out": 0}
    return OffPolicySummary(**about, champion="als", values=list(values))


@pytest.mark.parametrize(
    ("least", "earned", "reason"),
    [
        (0.02, log(value("als"), value("ease", 0.03)), None),
        (0.02, log(value("als"), value("ease", 0.01)), "would have earned +6.0% (+1.0% to +11.0%) more"),
        (-0.05, log(value("als"), value("ease", -0.04)), None),
        (0.02, None, "has no off-policy value yet"),
        (0.02, log(value("als")), "has no off-policy value yet"),
        (0.02, log(value("als"), value("ease", 0.5, Trust.REFUSE, FEW)), f"is refused: {FEW}"),
        (0.02, log(value("als"), value("ease", 0.5, Trust.DOUBT, ASSUMED)), "is in doubt: exposures are assumed"),
        (
            0.02,
            log(value("als", None, Trust.DOUBT, FEW), value("ease", 0.5)),
            "champion's off-policy value is in doubt: the",
        ),
        (0.02, log(value("ease", 0.5)), "the champion's off-policy value is missing"),
        (0.02, log(value("als"), value("ease")), "the champion earned nothing"),
        (None, log(value("als"), value("ease", -0.5, Trust.REFUSE, FEW)), None),
    ],
)
def test_a_better_challenger_is_promoted_only_by_a_gain_that_is_sure(
    least: float | None, earned: OffPolicySummary | None, reason: str | None
) -> None:
    values = {"als": CHAMPION[:300], "ease": CHAMPION[:300] + 0.1}
    summaries = {name: summary(one) for name, one in values.items()}
    decision = decide(GateSettings(min_ope_gain=least), summaries, values, INCUMBENT, {}, earned=earned)
    assert decision.winner == ("als" if reason else "ease") and decision.refused is None
    (challenge,) = decision.challengers
    assert len(challenge.reasons) == bool(reason) and (reason or "") in "".join(challenge.reasons)
    assert not reason or f"(gate.min_ope_gain is {least:+.1%})" in decision.reason


def test_the_first_night_needs_no_off_policy_gain() -> None:
    values = {"als": CHAMPION[:300], "ease": CHAMPION[:300] + 0.1}
    summaries = {name: summary(one) for name, one in values.items()}
    assert decide(GateSettings(min_ope_gain=0.02), summaries, values, None, {}).winner == "ease"
