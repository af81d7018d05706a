"""Whether an off-policy estimate deserves trust, by what the log has of the evaluated policy."""

from dataclasses import dataclass
from enum import StrEnum

from recmodels.messages import counted
from recmodels.offpolicy.estimators import Estimate, estimate, standard_error
from recmodels.offpolicy.log import Log

ENOUGH = 100  # effective events: an interval from fewer is not to be relied on
TOO_FEW = 30  # effective events, below which the central limit theorem says nothing
REWARDED = 10  # events with a reward: of fewer, an interval looks surer than it is
LARGEST = 0.1  # the share of all weight that one event may have, so that it does not decide by itself
MOST = 0.3
SUPPORTED = 0.95  # of the policy's probability
UNSUPPORTED = 0.5
ROUNDING = 1e-6  # of propensities that were stored as float32
FAR = 4.0  # standard errors that the mean weight, which is the support if the propensities are true, may be off


class Trust(StrEnum):
    """What to do with an estimate."""

    TRUST = "trust"
    DOUBT = "doubt"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Support:
    """How much of the evaluated policy a log holds.

    Attributes:
        events: the events of the log.
        rewarded: those of them that the policy shares and that have a reward.
        effective: the effective sample size (Kish), (Σ w)² / Σ w².
        largest_weight: the largest weight of an event.
        largest_share: its share of all weights.
        mean_weight: the mean weight, 1 if the propensities are true and the log could show all that the policy shows.
        support: the share of the policy's probability on what the log could show; None where it is not known.
    """

    events: int
    rewarded: int
    effective: float
    largest_weight: float
    largest_share: float
    mean_weight: float
    support: float | None


@dataclass(frozen=True)
class Verdict:
    """The estimates of a policy's value, whether to trust them, and the reasons why not."""

    trust: Trust
    reasons: tuple[str, ...]
    support: Support
    estimates: dict[str, Estimate]


def support_of(log: Log) -> Support:
    """The diagnostics of a log's weights."""
    total, largest = float(log.weights.sum()), float(log.weights.max())
    return Support(
        events=log.n,
        rewarded=int(((log.weights > 0) & (log.rewards != 0)).sum()),
        effective=total**2 / float((log.weights**2).sum()) if total else 0.0,
        largest_weight=largest,
        largest_share=largest / total if total else 1.0,
        mean_weight=total / log.n,
        support=log.support,
    )


def evaluate_policy(log: Log, confidence: float = 0.95) -> Verdict:
    """All estimates of a policy's value, and whether they can be trusted."""
    support, estimates = support_of(log), estimate(log, confidence=confidence)
    found = [*_of_the_weights(support), *_of_the_mean_weight(log, support)]
    if log.n > 1 and (log.units == log.units[0]).all():  # no interval has ends
        found.append((Trust.REFUSE, "all of the log is of one user"))
    worst = max((trust for trust, _ in found), key=list(Trust).index, default=Trust.TRUST)
    return Verdict(worst, tuple(reason for trust, reason in found if trust is worst), support, estimates)


def _of_the_weights(support: Support) -> list[tuple[Trust, str]]:
    found = []
    if support.effective < ENOUGH:
        few = f"the log is worth {support.effective:,.1f} events of this policy, of {support.events:,}"
        found.append((Trust.REFUSE if support.effective < TOO_FEW else Trust.DOUBT, few))
    if support.rewarded < REWARDED:
        worth = counted(support.rewarded, "event") if support.rewarded else "none"
        few = f"{worth} of what this policy shares with the log had a reward"
        found.append((Trust.DOUBT if support.rewarded else Trust.REFUSE, few))
    if support.largest_share > LARGEST:
        one = f"one event has {support.largest_share:.0%} of all weight"
        found.append((Trust.REFUSE if support.largest_share > MOST else Trust.DOUBT, one))
    if support.support is not None and support.support < SUPPORTED:
        part = f"the log could show only {support.support:.0%} of what this policy shows"
        found.append((Trust.REFUSE if support.support < UNSUPPORTED else Trust.DOUBT, part))
    return found


def _of_the_mean_weight(log: Log, support: Support) -> list[tuple[Trust, str]]:
    """The mean weight estimates the support: if it is far off, propensities are wrong."""
    expected = 1.0 if support.support is None else support.support
    error = standard_error(log.weights - support.mean_weight, log)
    distance = abs(support.mean_weight - expected)
    if support.effective < TOO_FEW or distance <= FAR * error + ROUNDING:
        return []
    if support.support is None and support.mean_weight < expected:
        part = f"the log seems to show only {support.mean_weight:.0%} of what this policy shows"
        return [(Trust.REFUSE if support.mean_weight < UNSUPPORTED else Trust.DOUBT, part)]
    return [
        (Trust.REFUSE, f"the mean weight is {support.mean_weight:.3f} and not {expected:.3f}: propensities are wrong")
    ]
