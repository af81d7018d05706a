"""Off-policy values by hand: what the tests of the gate and of the report start from."""

from typing import Any

from recmodels.offpolicy.trust import Trust
from tasks.evaluate.summary import Figure
from tasks.offpolicy.values import ESTIMATES, OffPolicySummary, PolicyValue

FEW = "the log is worth 20.0 events of this policy, of 10,000"


def value(name: str, low: float | None = None, trust: Trust = Trust.TRUST, reason: str = "") -> PolicyValue:
    gain = None if low is None else Figure(value=low + 0.05, low=low, high=low + 0.1)
    return PolicyValue(
        name=name,
        role="candidate",
        trust=trust,
        reasons=[reason] if reason else [],
        events=10_000,
        rewarded=1_000,
        effective=800,
        largest_weight=10,
        largest_share=0.001,
        mean_weight=1,
        support=1,
        estimates={name: Figure(value=0.1, low=0.09, high=0.11) for name in ESTIMATES},
        gain=gain,
    )


def log(*values: PolicyValue) -> OffPolicySummary:
    about: dict[str, Any] = {"message": "", "reward": "clicked", "assumed": False, "days": 28, "notes": []}
    about |= {"first": "2026-03-01", "last": "2026-03-28", "events": 10_000, "users": 5_000, "share": 1, "left_out": 0}
    return OffPolicySummary(**about, champion="als", values=list(values))
