"""The gate: whether a challenger may replace the incumbent, and whether the night may publish at all."""

from collections.abc import Mapping
from statistics import median

from recmodels.metrics.ranking import Metric
from recmodels.metrics.significance import Difference, holm, paired
from tasks.compare.decision import (
    Baseline,
    Challenge,
    Decision,
    Incumbent,
    MeasuredIncumbent,
    Verdict,
)
from tasks.compare.guards import broken_guards
from tasks.compare.recent import Recent
from tasks.compare.settings import GateSettings
from tasks.errors import GateRefused
from tasks.evaluate.summary import ModelSummary
from tasks.store.events import log_event
from tasks.store.manifests import Manifest
from tasks.train.settings import PRIMARY

SEED = 0  # of the tests: the same figures give the same decision
NO_RECENT = Recent()
ADVICE = (
    "Something is wrong with the data or the training: look at them, or publish all the same with --force-model. "
    "The last export stays."
)


def decide(
    settings: GateSettings,
    summaries: Mapping[str, ModelSummary],
    values: Mapping[str, Metric],
    incumbent: Incumbent | None,
    churn: Mapping[str, float],
    recent: Recent = NO_RECENT,
    baseline: str = "",
) -> Decision:
    """Who is published, and why.

    Args:
        settings: what a challenger must show.
        summaries: those of tonight's candidates.
        values: their primary metric by user, of the same users for all.
        incumbent: what is published now; None before the first export.
        churn: for each candidate the share of its lists that the last export did not have.
        recent: the incumbent's figures of recent nights.
        baseline: the candidate that is the popularity of the last week.
    """
    k, n = next(iter(summaries.values())).k, len(summaries)
    best = max(summaries, key=lambda name: _primary(summaries[name]))  # the first of equals
    highest = f"the highest NDCG@{k} of {n} models"
    if incumbent is None:
        return Decision(winner=best, reason=highest, verdict=Verdict.FIRST)
    if incumbent.name not in summaries:
        why = f"the champion {incumbent.name} could not be measured tonight, so no challenger was compared with it"
        return Decision(winner=best, reason=f"{highest}; {why}", verdict=Verdict.CHAMPION_FAILED)

    measured = _measured(incumbent, summaries, recent, baseline)
    challengers = _challenges(settings, measured.name, summaries, values, churn)
    passed = next((one for one in challengers if one.passed), None)
    if passed:
        gain = f"{passed.gain:+.1%}" if passed.gain is not None else "up from 0"
        winner, verdict = passed.model, Verdict.PROMOTED
        reason = f"promoted: NDCG@{k} {gain} over the champion {measured.name}, p = {passed.p:.2g}"
    elif best == measured.name:
        winner, verdict, reason = measured.name, Verdict.STAYS, f"the champion stays: it has {highest}"
    else:
        winner, verdict = measured.name, Verdict.STAYS
        reason = f"the champion stays: {best} {'; '.join(challengers[0].reasons)}"
    return Decision(
        winner=winner,
        reason=reason,
        verdict=verdict,
        refused=_refusal(settings, measured, recent),
        incumbent=measured,
        challengers=challengers,
    )


def against_baseline(baseline: str, values: Mapping[str, Metric], settings: GateSettings) -> Baseline | None:
    """Which models beat the popularity of the last week, by the test of the gate; None where that was not measured."""
    if baseline not in values:
        return None
    others = [name for name in values if name != baseline]
    better = [
        name
        for name, (difference, p) in zip(others, _tested(values, others, baseline), strict=True)
        if difference.mean > 0 and p < settings.significance
    ]
    return Baseline(name=baseline, value=float(values[baseline].mean()), beaten_by=better)


def by_hand(decision: Decision, settings: GateSettings, forced_model: str | None) -> Decision:
    """The decision with the winner that a person has forced or pinned, if there is one."""
    winner = forced_model or settings.pinned_model
    if winner is None:
        return decision
    reason = decision.reason
    if winner != decision.winner:
        first = decision.verdict == Verdict.FIRST
        reason = (
            f"{reason} is that of {decision.winner}"
            if first
            else f"by the gate it would be {decision.winner}: {reason}"
        )
    how, verdict = (
        ("chosen by hand", Verdict.FORCED) if forced_model else ("pinned in the configuration", Verdict.PINNED)
    )
    refused = None if forced_model else decision.refused
    changed = {"winner": winner, "reason": f"{how}; {reason}", "verdict": verdict, "refused": refused}
    return decision.model_copy(update=changed)


def admit(comparison: Manifest) -> None:
    """Let a night go on to publish.

    Raises:
        GateRefused: its comparison says that nothing may be published.
    """
    if refused := Decision.of(comparison["summary"]["gate"]).refused:
        log_event("gate", "failed", refused)
        raise GateRefused(refused)


def _measured(
    incumbent: Incumbent, summaries: Mapping[str, ModelSummary], recent: Recent, baseline: str
) -> MeasuredIncumbent:
    quality = _primary(summaries[incumbent.name])
    popular = _primary(summaries[baseline]) if baseline in summaries else 0.0
    lift = quality / popular if popular > 0 else None
    return MeasuredIncumbent(**incumbent.model_dump(), value=quality, lift=lift, recent=recent.medians())


def _challenges(
    settings: GateSettings,
    champion: str,
    summaries: Mapping[str, ModelSummary],
    values: Mapping[str, Metric],
    churn: Mapping[str, float],
) -> list[Challenge]:
    """Every other candidate against the incumbent, best first."""
    names = sorted((one for one in summaries if one != champion), key=lambda one: -_primary(summaries[one]))
    return [
        _challenge(settings, name, summaries[name], summaries[champion], difference, p, churn.get(name))
        for name, (difference, p) in zip(names, _tested(values, names, champion), strict=True)
    ]


def _tested(values: Mapping[str, Metric], names: list[str], reference: str) -> list[tuple[Difference, float]]:
    """Each model's difference from a reference, with its p-value corrected for the number of models."""
    found = [paired(values[name] - values[reference], SEED) for name in names]
    return list(zip(found, holm([difference.p_permutation for difference in found]), strict=True))


def _challenge(
    settings: GateSettings,
    name: str,
    challenger: ModelSummary,
    incumbent: ModelSummary,
    difference: Difference,
    p: float,
    churn: float | None,
) -> Challenge:
    base = _primary(incumbent)
    gain = difference.mean / base if base > 0 else None
    reasons = []
    if difference.mean <= 0:
        reasons.append("is not better")
    elif gain is not None and gain < settings.min_gain:
        reasons.append(f"gains {gain:+.2%}, and {settings.min_gain:.2%} is asked for (gate.min_gain)")
    if p >= settings.significance and difference.mean > 0:
        reasons.append(f"may be better by chance: p = {p:.2g}, and below {settings.significance:g} is asked for")
    reasons += broken_guards(settings, challenger, incumbent, churn)
    return Challenge(
        model=name,
        value=_primary(challenger),
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        gain=gain,
        p=p,
        p_permutation=difference.p_permutation,
        p_bootstrap=difference.p_bootstrap,
        churn=churn,
        passed=not reasons,
        reasons=reasons,
    )


def _refusal(settings: GateSettings, champion: MeasuredIncumbent, recent: Recent) -> str | None:
    """Why nothing may be published tonight: the champion itself is far from what it was.

    Its lift is judged, too: in a log whose items are mixed up, popularity is as easy to predict as ever or easier, and
    only what is personal is lost.
    """
    least, nights = settings.min_quality, f"the median of its last {len(recent.quality)} nights"
    if least is not None and len(recent.quality) >= settings.min_nights:
        usual = median(recent.quality)
        if champion.value < least * usual:
            share = f"{champion.value / usual:.0%} of {nights}, {usual:.4f}"
            found = f"reaches NDCG {champion.value:.4f} tonight, {share}"
            return f"The champion {champion.name} {found} (gate.min_quality asks for {least:.0%}). {ADVICE}"
    least = settings.min_lift
    if least is None or champion.lift is None or len(recent.lift) < settings.min_nights:
        return None
    usual = median(recent.lift)
    if champion.lift >= least * usual:
        return None
    times = f"{champion.lift:.2f} times the NDCG of the popularity of the last 7 days"
    found = f"reaches {times}, and {usual:.2f} times is {nights}"
    return f"The champion {champion.name} {found} (gate.min_lift asks for {least:.0%} of it). {ADVICE}"


def _primary(summary: ModelSummary) -> float:
    return summary.metrics[PRIMARY].value
