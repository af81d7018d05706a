"""A gate that asks for an off-policy gain promotes nobody without one that can be trusted, and says why."""

import pytest

from recmodels.offpolicy.trust import Trust
from tasks.compare.gate import decide
from tasks.compare.settings import GateSettings
from tasks.offpolicy.values import ASSUMED, OffPolicySummary
from tests.tasks.compared import CHAMPION, INCUMBENT, summary
from tests.tasks.earned import FEW, log, value


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
