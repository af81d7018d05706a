"""What each policy would have earned, and whether to believe it: the types behind the stage's summary."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from recmodels.messages import counted
from recmodels.offpolicy.estimators import Estimate, relative_gain
from recmodels.offpolicy.log import Log
from recmodels.offpolicy.trust import Trust, evaluate_policy
from tasks.evaluate.summary import Figure, Stored
from tasks.store.files import Json

ESTIMATES = {
    "ips": "IPS",
    "snips": "SNIPS",
    "dm": "DM",
    "dr": "DR",
    "sndr": "SNDR",
    "switch_dr": "Switch-DR",
    "dr_os": "DRos",
}
HEADLINE = "dr"
"""The estimator whose value is shown first, and by which the gate decides: with exact propensities it is unbiased."""
UNITS = {"clicked": "clicks", "outcome": "outcome", "interaction": "interactions"}
SLICE = "off-policy"
"""What the comparison has the values under; its `trust` is 0 for trust, 1 for doubt and 2 for refuse."""
ASSUMED = "exposures are assumed, not logged"


class PolicyValue(Stored):
    """What a policy would have earned for each list whose place was drawn.

    `role`: `candidate`, or `policy` for what is no model of tonight. `gain`: by which share that is above the
    champion's, on the same lists.
    """

    name: str
    role: str
    trust: Trust
    reasons: list[str]
    events: int
    rewarded: int = 0
    effective: float
    largest_weight: float
    largest_share: float
    mean_weight: float
    support: float | None
    estimates: dict[str, Figure]
    gain: Figure | None = None

    @property
    def value(self) -> Figure:
        return self.estimates[HEADLINE]

    @property
    def trusted(self) -> bool:
        return self.trust is Trust.TRUST

    @property
    def doubt(self) -> str:
        """Why it is not to be trusted, in a clause."""
        how = "refused" if self.trust is Trust.REFUSE else "in doubt"
        return f"{how}: {'; '.join(self.reasons)}"


class OffPolicySummary(Stored):
    """The values of tonight's candidates and of a few other policies, and the log that they are from."""

    message: str
    reward: str
    assumed: bool
    days: int
    first: str
    last: str
    events: int
    users: int
    share: float
    left_out: int
    champion: str | None
    values: list[PolicyValue] = Field(default=[])
    notes: list[str] = Field(default=[])
    """What is unusual about the log, or about a candidate without a value: a sentence each."""

    def of_model(self, name: str) -> PolicyValue | None:
        """The value of a candidate; None where it has none."""
        return next((one for one in self.values if one.role == "candidate" and one.name == name), None)

    @property
    def sentences(self) -> list[str]:
        """Each value with its verdict, in words, and what is unusual about the log."""
        return [*(sentence(one, self.reward, self.champion) for one in self.ordered), *self.notes]

    @property
    def ordered(self) -> list[PolicyValue]:
        """Candidates first, the best first, and what is refused last."""
        return sorted(
            self.values, key=lambda one: (one.role != "candidate", one.trust is Trust.REFUSE, -one.value.value)
        )

    @property
    def about(self) -> str:
        """What the values are of, in a sentence."""
        what = f"{UNITS[self.reward]} for each list" + (" (exposures are assumed)" if self.assumed else "")
        part = "" if self.share >= 1 else f", a sample of {self.share:.0%} of the users"
        lists = f"{counted(self.events, 'list')} of {counted(self.users, 'user')}{part}"
        return f"Expected {what}, by {lists} with a drawn place, seen from {self.first} to {self.last}."


def value_of(name: str, role: str, log: Log, reward: str, assumed: bool) -> PolicyValue:
    """The value of a policy on a log.

    A share is one between 0 and 1, though an estimate of it, or the end of its interval, may be a little beyond.
    """
    ends = (-np.inf, np.inf) if reward == "outcome" else (0.0, 1.0)
    found = evaluate_policy(log)
    reasons, trust = list(found.reasons), found.trust
    if assumed and trust is not Trust.REFUSE:
        reasons, trust = [ASSUMED, *reasons], Trust.DOUBT
    support = found.support
    return PolicyValue(
        name=name,
        role=role,
        trust=trust,
        reasons=reasons,
        events=support.events,
        rewarded=support.rewarded,
        effective=support.effective,
        largest_weight=support.largest_weight,
        largest_share=support.largest_share,
        mean_weight=support.mean_weight,
        support=support.support,
        estimates={estimator: _figure(one, *ends) for estimator, one in found.estimates.items()},
    )


def gain_of(log: Log, reference: Log, reward: str) -> Figure | None:
    """By which share a policy is better than the champion, whose log is of the same events; None of one user's."""
    found = relative_gain(log, reference, HEADLINE)
    return (
        None
        if found is None or not np.isfinite(found.error)
        else _figure(found, -np.inf if reward == "outcome" else -1.0)
    )


def sentence(one: PolicyValue, reward: str, champion: str | None) -> str:
    """A value and its verdict, in words."""
    if one.trust is Trust.REFUSE:
        return f"{one.name}: refused, as {'; '.join(one.reasons)}."
    value = f"{one.name}: {shown(one.value)} {UNITS[reward]} a list ({shown(one.value, ends=True)})"
    if one.gain is not None:
        value += f", {in_percent(one.gain)} over {champion}" if champion else ""
    if one.trust is Trust.DOUBT:
        return f"{value}. Doubt it: {'; '.join(one.reasons)}."
    return f"{value}. To be trusted: the log is worth {one.effective:,.0f} lists of it."


def offpolicy_rows(found: OffPolicySummary, model: str) -> list[Json]:
    """The values of a candidate as rows of the comparison, of the slice `off-policy`; none where it has no value."""
    if (one := found.of_model(model)) is None:
        return []
    about = {"slice": SLICE, "users": found.users}
    rows = [{**about, "metric": name, **figure.json_ready()} for name, figure in one.estimates.items()]
    rows += [] if one.gain is None else [{**about, "metric": "gain", **one.gain.json_ready()}]
    trust = list(Trust).index(one.trust)
    return [
        *rows,
        {**about, "metric": "effective", "value": one.effective},
        {**about, "metric": "trust", "value": trust},
    ]


def shown(figure: Figure, ends: bool = False) -> str:
    """A value, or the ends of its interval, in as many digits as are worth reading."""
    if ends:
        return f"{figure.low:.4g} to {figure.high:.4g}"
    return f"{figure.value:.4g}"


HEADINGS = ("policy", "value", "interval", "over the champion", "verdict", "worth", "largest weight", "why")


def table(found: OffPolicySummary) -> list[tuple[str, ...]]:
    """A row a policy under `HEADINGS`; what is refused has no value."""
    rows: list[tuple[str, ...]] = []
    for one in found.ordered:
        refused = one.trust is Trust.REFUSE
        gain = "" if refused or one.gain is None else in_percent(one.gain)
        figures = ("", "") if refused else (shown(one.value), shown(one.value, ends=True))
        worth = f"{one.effective:,.0f} of {one.events:,}"
        why = "; ".join(one.reasons)
        rows.append((one.name, *figures, gain, one.trust.value, worth, f"{one.largest_weight:,.1f}", why))
    return rows


def in_percent(figure: Figure) -> str:
    """A gain with its interval."""
    return f"{figure.value:+.1%} ({figure.low:+.1%} to {figure.high:+.1%})"


def _figure(one: Estimate, least: float = -np.inf, most: float = np.inf) -> Figure:
    value, low, high = (float(np.clip(number, least, most)) for number in (one.value, one.low, one.high))
    return Figure(value=value, low=low, high=high)
