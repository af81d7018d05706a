"""The gate: whether a challenger may replace the incumbent, and whether the night may publish at all."""

from collections.abc import Mapping, Sequence

from recmodels.metrics.ranking import Metric
from recmodels.metrics.significance import Difference, holm, paired
from tasks.compare.collapse import ADVICE, Tonight, collapse
from tasks.compare.decision import (
    Baseline,
    Challenge,
    Decision,
    Incumbent,
    MeasuredIncumbent,
    Verdict,
)
from tasks.compare.guards import broken_bounds, broken_guards, not_earned
from tasks.compare.missing import Missing, because, without_champion
from tasks.compare.recent import NO_RECENT, Recent
from tasks.compare.settings import GateSettings
from tasks.compare.steep import Steep
from tasks.errors import GateRefused
from tasks.evaluate.summary import ModelSummary
from tasks.offpolicy.values import OffPolicySummary
from tasks.store.events import log_event
from tasks.store.files import Json
from tasks.store.manifests import Manifest
from tasks.train.settings import PRIMARY

SEED = 0  # of the tests: the same figures give the same decision
NONE: Mapping[str, str] = {}
NO_OTHERS: Mapping[str, Recent] = {}


def decide(
    settings: GateSettings,
    summaries: Mapping[str, ModelSummary],
    values: Mapping[str, Metric],
    incumbent: Incumbent | None,
    churn: Mapping[str, float],
    recent: Recent = NO_RECENT,
    baseline: str = "",
    *,
    failed: Mapping[str, str] = NONE,
    unfit: Mapping[str, str] = NONE,
    others: Mapping[str, Recent] = NO_OTHERS,
    earned: OffPolicySummary | None = None,
    slopes: Sequence[Steep] = (),
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
        failed: the candidates that could not be measured, and why.
        unfit: the models that could not be fitted on all data, and why; none of them is published.
        others: the candidates' figures of recent nights, for a night without the champion's.
        earned: what the candidates would have earned by the log; None where there is none.
        slopes: figures of the long run that have changed more than they may.
    """
    k, n = next(iter(summaries.values())).k, len(summaries)
    fit = [name for name in summaries if name not in unfit]
    best = max(fit, key=lambda name: _primary(summaries[name]))
    highest = f"the highest NDCG@{k} of {n} models"  # the first of equals
    if incumbent is None:
        bounded = [name for name in fit if not any(broken_bounds(settings, summaries[name]))]
        first = max(bounded, key=lambda name: _primary(summaries[name]), default=best)
        reason = highest if first == best else f"{highest} that keep the limits of [gate]; {best} does not"
        return Decision(winner=first, reason=reason, verdict=Verdict.FIRST)
    name = incumbent.name
    if name not in summaries:
        why = f"could not be measured tonight ({because(failed.get(name, 'it is not among the candidates'))})"
        if name in unfit:
            why = f"could be neither measured tonight nor fitted again ({because(unfit[name])})"
        missing = Missing(incumbent, why, name not in unfit, recent=recent)
        return without_champion(settings, missing, summaries, unfit, churn, others, baseline)

    measured = _measured(incumbent, summaries, recent, baseline)
    challengers = _challenges(settings, name, summaries, values, churn, unfit, earned, slopes)
    passed = next((one for one in challengers if one.passed), None)
    if passed is None and name in unfit:
        missing = Missing(
            incumbent, f"could not be fitted again ({because(unfit[name])})", False, summaries[name], recent, slopes
        )
        decision = without_champion(settings, missing, summaries, unfit, churn, others, baseline)
        return decision.model_copy(update={"incumbent": measured, "challengers": challengers})
    if passed:
        gain = f"{passed.gain:+.1%}" if passed.gain is not None else "up from 0"
        winner, verdict = passed.model, Verdict.PROMOTED
        reason = f"promoted: NDCG@{k} {gain} over the champion {measured.name}, p = {passed.p:.2g}"
    elif best == measured.name:
        winner, verdict, reason = measured.name, Verdict.STAYS, f"the champion stays: it has {highest}"
    else:
        winner, verdict = measured.name, Verdict.STAYS
        against = next(one.reasons for one in challengers if one.model == best)
        reason = f"the champion stays: {best} {'; '.join(against)}"
    return Decision(
        winner=winner,
        reason=reason,
        verdict=verdict,
        refused=collapse(settings, Tonight(f"The champion {name}", measured.value, measured.lift), recent),
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
    if decision.refused:
        reason = f"by the gate nothing would be published: {because(decision.refused)}"
    elif winner != decision.winner:
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
    changed: Json = {"winner": winner, "reason": f"{how}; {reason}", "verdict": verdict, "refused": refused}
    if winner != decision.winner:
        changed["warnings"] = []  # they are about what the gate would have published
    return decision.model_copy(update=changed)


def within_bounds(decision: Decision, settings: GateSettings, summaries: Mapping[str, ModelSummary]) -> Decision:
    """The decision, refused where the winner breaks a limit that holds for whatever is published.

    A model that was forced by hand is published all the same.
    """
    winner = summaries.get(decision.winner)
    if decision.refused or winner is None or decision.verdict is Verdict.FORCED:
        return decision
    if not (broken := list(broken_bounds(settings, winner))):
        return decision
    sentence = f"{decision.winner} would be published, but {'; '.join(broken)}."
    return decision.model_copy(update={"refused": f"{sentence} {ADVICE}"})


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
    unfit: Mapping[str, str],
    earned: OffPolicySummary | None,
    slopes: Sequence[Steep],
) -> list[Challenge]:
    """Every other candidate against the incumbent, best first."""
    names = sorted((one for one in summaries if one != champion), key=lambda one: -_primary(summaries[one]))
    return [
        _challenge(
            settings,
            name,
            summaries[name],
            summaries[champion],
            difference,
            p,
            churn.get(name),
            unfit.get(name),
            earned,
            slopes,
        )
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
    unfit: str | None,
    earned: OffPolicySummary | None,
    slopes: Sequence[Steep],
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
    reasons += broken_guards(settings, challenger, incumbent, churn, slopes)
    reasons += not_earned(settings, name, earned)
    if unfit is not None:
        reasons.append(f"could not be fitted again: {because(unfit)}")
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


def _primary(summary: ModelSummary) -> float:
    return summary.metrics[PRIMARY].value
