"""What is published when the champion cannot be measured, or not be fitted again: the gate has nothing to compare with.

Readers are used to the champion's lists. So they get those of its recipe, fitted again; or those of a model that is
about as good as the champion was; or none, and the last export stays. What is never published is a model of which
nobody knows that it is as good.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from tasks.compare.collapse import Tonight, collapse
from tasks.compare.decision import Decision, Incumbent, Verdict
from tasks.compare.guards import broken_guards, broken_limits
from tasks.compare.recent import NO_RECENT, Recent
from tasks.compare.settings import GateSettings
from tasks.compare.steep import Steep
from tasks.evaluate.summary import ModelSummary
from tasks.train.settings import PRIMARY

LONGEST = 90  # characters of why a model failed; all of it is beside the model
STAYS = "The last export stays; publish a model all the same with --force-model."


@dataclass(frozen=True)
class Missing:
    """The champion that is missing tonight.

    Attributes:
        incumbent: the champion.
        why: what keeps it from being published as ever: a clause such as `could not be measured tonight`.
        may_be_fitted: whether its recipe may still be fitted on all data.
        tonight: its figures, if it was measured.
        recent: how it did in recent nights.
        slopes: figures of the long run that have changed more than they may.
    """

    incumbent: Incumbent
    why: str
    may_be_fitted: bool
    tonight: ModelSummary | None = None
    recent: Recent = NO_RECENT
    slopes: Sequence[Steep] = ()

    @property
    def usual(self) -> tuple[float, str] | None:
        """Its NDCG, and of when that is; None where no night knows it."""
        if self.tonight:
            return self.tonight.metrics[PRIMARY].value, "tonight"
        medians = self.recent.medians()
        if medians.value is None:
            return None
        return medians.value, "the night before" if medians.nights == 1 else f"in the last {medians.nights} nights"


def because(why: str) -> str:
    """A reason that a model left, to be said in a sentence of one line."""
    return shorten(why.rstrip(". "), LONGEST, placeholder=" …")


def without_champion(
    settings: GateSettings,
    missing: Missing,
    summaries: Mapping[str, ModelSummary],
    unfit: Collection[str],
    churn: Mapping[str, float],
    recent: Mapping[str, Recent],
    baseline: str,
) -> Decision:
    """Who is published in place of a champion that is missing, or why nobody is.

    Args:
        settings: what a model in its place must show, and what is to be done.
        missing: the champion, and what is known of it.
        summaries: those of the candidates that were measured; at least one.
        unfit: models that could not be fitted again.
        churn: for each candidate the share of its lists that the last export did not have.
        recent: the candidates' figures of recent nights.
        baseline: the candidate that is the popularity of the last week.
    """
    name, why = missing.incumbent.name, missing.why
    fit = {one: summary for one, summary in summaries.items() if one not in unfit and one != name}
    best = max(fit or summaries, key=lambda one: _quality(summaries[one]))
    broken = _collapsed(settings, summaries, recent, baseline)
    pinned = settings.pinned_model in fit  # which is published whatever it is compared with
    if settings.on_missing_champion == "stop":
        stop = None if pinned else f"gate.on_missing_champion is stop. {STAYS}"
        return _decision(best, f"the champion {name} {why}", stop, broken=broken)
    if settings.on_missing_champion == "refit_last" and missing.may_be_fitted:
        how = "its recipe is fitted again all the same, and not measured"
        if missing.usual:
            how += f"; its NDCG was {missing.usual[0]:.4f} {missing.usual[1]}"
        return _decision(name, f"the champion {name} {why}; {how}", verdict=Verdict.UNMEASURED, broken=broken)
    found, said = _in_its_place(settings, missing, fit, churn)
    stop = None if found or pinned else STAYS
    return _decision(found or best, f"the champion {name} {why}; {said}", stop, broken=broken)


def _decision(
    winner: str,
    reason: str,
    stop: str | None = None,
    verdict: Verdict = Verdict.CHAMPION_FAILED,
    broken: str | None = None,
) -> Decision:
    """A decision that people are warned of: `stop` ends what they are told where nothing may be published."""
    sentence = f"{reason[0].upper()}{reason[1:]}."
    refused = f"{sentence} {stop}" if stop else broken
    return Decision(winner=winner, reason=reason, verdict=verdict, refused=refused, warnings=[sentence])


def _in_its_place(
    settings: GateSettings, missing: Missing, fit: Mapping[str, ModelSummary], churn: Mapping[str, float]
) -> tuple[str | None, str]:
    """The best model that may be published in place of the champion, or None; and what there is to say of it."""
    if missing.usual is None:
        return None, "what its NDCG was is not known"
    usual, when = missing.usual
    for name in sorted(fit, key=lambda one: -_quality(fit[one])):
        quality = _quality(fit[name])
        compared = f"{name} has NDCG {quality:.4f}, and the champion had {usual:.4f} {when}"
        if quality < (1 - settings.max_drop) * usual:
            return None, f"the best other, {compared} (gate.max_drop allows to lose {settings.max_drop:.0%})"
        if not _broken(settings, missing, fit[name], churn.get(name)):
            return name, f"in its place {compared}"
    return None, "no other model keeps the limits of [gate]"


def _broken(settings: GateSettings, missing: Missing, model: ModelSummary, churn: float | None) -> list[str]:
    """The guards that a model breaks, by the champion's figures of tonight, or of recent nights."""
    if missing.tonight:
        return broken_guards(settings, model, missing.tonight, churn, missing.slopes)
    usual, now, limit = missing.recent.medians().coverage, model.figure("all", "coverage"), settings.max_coverage_loss
    lost = bool(limit is not None and usual and now is not None and now < (1 - limit) * usual)
    return [*broken_limits(settings, model, churn), *(["loses coverage"] if lost else [])]


def _collapsed(
    settings: GateSettings, summaries: Mapping[str, ModelSummary], recent: Mapping[str, Recent], baseline: str
) -> str | None:
    """Whether the data are broken, by the model that was best in recent nights of those that were measured."""
    usual = {name: recent[name].medians() for name in summaries if name in recent}
    known = {name: one.value or 0.0 for name, one in usual.items() if one.nights >= settings.min_nights}
    if not known:
        return None
    name = max(known, key=lambda one: known[one])
    popular = _quality(summaries[baseline]) if baseline in summaries else 0.0
    quality = _quality(summaries[name])
    tonight = Tonight(f"The champion is missing, and {name}", quality, quality / popular if popular > 0 else None)
    return collapse(settings, tonight, recent[name])


def _quality(summary: ModelSummary) -> float:
    return summary.metrics[PRIMARY].value
