"""Stage 6, compare: all candidates side by side, and which of them is published."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from recmodels.metrics.ranking import Metric
from tasks.compare.churn import churn
from tasks.compare.decision import ComparisonSummary, Decision, DecisionRecord, Incumbent
from tasks.compare.gate import against_baseline, by_hand, decide, within_bounds
from tasks.compare.recent import Recent, recent_figures, recent_of_all
from tasks.compare.settings import GateSettings
from tasks.compare.steep import Steep, steep
from tasks.evaluate.backtests import rows
from tasks.evaluate.summary import RANKS_NOTHING, ModelSummary, flaw_of
from tasks.offpolicy.values import OffPolicySummary, offpolicy_rows
from tasks.store.files import Json, write_json
from tasks.store.history import COMPARISON as FILE
from tasks.store.history import ROWS, keep
from tasks.store.manifests import Manifest, told
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of
from tasks.train.settings import PRIMARY, Candidate

DEFAULT = GateSettings()
MOST_NAMES = 160  # characters of the names of candidates that failed
COMPARISON = ROWS


@stage_task("compare")
def compare(
    night: Night,
    candidates: dict[str, Candidate],
    measured: dict[str, Manifest],
    failed: dict[str, str],
    forced_model: str | None = None,
    fresh: bool = False,
    settings: GateSettings = DEFAULT,
    incumbent: Incumbent | None = None,
    baseline: str = "popularity_7d",
    unfit: Mapping[str, str] | None = None,
    earned: OffPolicySummary | None = None,
) -> Manifest:
    """Decide which candidate is published, and write the comparison to `evaluation/` and the history.

    Args:
        night: the night's folder.
        candidates: tonight's candidates by name.
        measured: the manifest of each candidate's metrics, in the order of the configuration.
        failed: the reason of each candidate that has none.
        forced_model: it wins whatever the figures say, as the model does that the settings pin.
        fresh: compare again, whatever is there.
        settings: what a challenger of the incumbent must show.
        incumbent: what is published now; None before the first export.
        baseline: the candidate that is the popularity of the last week.
        unfit: the models that could not be fitted on all data, and why.
        earned: what the candidates would have earned by the log; None where there is none.

    Raises:
        NightrecError: a required candidate, every candidate, or the forced or pinned one failed.
    """
    measured, failed = with_figures(measured, failed)
    unfit = {**(unfit or {}), **_unknown(candidates, incumbent), **_constant(failed)}
    _require(candidates, measured, failed, unfit)
    standing = incumbent.name if incumbent and settings.on_missing_champion == "refit_last" else None
    _require_chosen(measured, failed, unfit, forced_model, settings.pinned_model, standing)
    summaries = {name: ModelSummary.of(manifest["summary"]) for name, manifest in measured.items()}
    k = next(iter(summaries.values())).k
    about = (night.store, night.run_date)
    recent = recent_figures(*about, incumbent, k, settings.recent_nights, baseline)
    alone = incumbent is not None and (incumbent.name not in measured or incumbent.name in unfit)
    slopes = steep(*about, settings.slopes)
    others = recent_of_all(*about, k, settings.recent_nights, baseline) if alone else {}

    def build(out: Path) -> Json:
        decision = _judge(
            night, summaries, settings, incumbent, recent, baseline, failed, unfit, others, earned, slopes
        )
        decision = by_hand(_with_slopes(decision, incumbent, slopes), settings, forced_model)
        decision = within_bounds(_with_warning(decision, settings, failed, len(candidates)), settings, summaries)
        return _write_comparison(night, summaries, failed, decision, earned, out)

    inputs = told(**measured)
    parameters = {
        "failed": failed,
        "forced_model": forced_model,
        "settings": settings.model_dump(),
        "incumbent": incumbent and incumbent.model_dump(),
        "recent": asdict(recent),
        "baseline": baseline,
        "unfit": unfit,
        "earned": earned and earned.json_ready(),
        "others": {name: asdict(one) for name, one in others.items()},
        "slopes": [asdict(one) for one in slopes],
    }
    manifest = logged_stage(
        "compare", night.evaluation, build, code=code_of(__name__), inputs=inputs, parameters=parameters, fresh=fresh
    )
    keep(night)
    return manifest


def per_user(folder: Path) -> Metric | None:
    """A candidate's primary metric by user, in the order of the users; None where nothing was measured."""
    path = folder / "per_user.parquet"
    return pq.read_table(path, columns=[PRIMARY])[PRIMARY].to_numpy() if path.exists() else None


def with_figures(
    measured: Mapping[str, Manifest], failed: Mapping[str, str]
) -> tuple[dict[str, Manifest], dict[str, str]]:
    """The candidates that have figures to be compared by, and the others with the reason."""
    flaws = {name: flaw for name, manifest in measured.items() if (flaw := flaw_of(manifest["summary"]))}
    return {name: one for name, one in measured.items() if name not in flaws}, {**failed, **flaws}


def _constant(failed: Mapping[str, str]) -> dict[str, str]:
    """The models whose scores are all equal: fitted again on all data, they would rank nothing either."""
    return {name: why for name, why in failed.items() if why == RANKS_NOTHING}


def _unknown(candidates: Mapping[str, Candidate], incumbent: Incumbent | None) -> dict[str, str]:
    """The champion, where its recipe is none that can be trained."""
    if incumbent is None or incumbent.name in candidates:
        return {}
    return {incumbent.name: f"this installation does not know its recommender {incumbent.recommender or '(none)'}"}


def _require(
    candidates: Mapping[str, Candidate],
    measured: Mapping[str, Manifest],
    failed: Mapping[str, str],
    unfit: Mapping[str, str],
) -> None:
    """Raise NightrecError where a model is missing without which nothing can be published."""
    if missing := [name for name in failed if candidates[name].required]:
        why = failed[missing[0]].rstrip(".")
        raise NightrecError(f"The required model {missing[0]} failed: {why}. The last export stays as it is.")
    if not measured:
        raise NightrecError(f"No model could be trained: {next(iter(failed.values()), 'none is enabled')}")
    if all(name in unfit for name in measured):
        raise NightrecError(f"No model could be fitted on all data: {next(iter(unfit.values()))}")


def _require_chosen(
    measured: Mapping[str, Manifest],
    failed: Mapping[str, str],
    unfit: Mapping[str, str],
    forced_model: str | None,
    pinned_model: str | None,
    standing: str | None,
) -> None:
    """Raise NightrecError where the model that a person has chosen is missing; `standing` may be fitted unmeasured."""
    by_name = forced_model or pinned_model
    if by_name is None or by_name in {*measured, standing}.difference(unfit):
        return
    how = "chosen to be published" if forced_model else "pinned in gate.pinned_model"
    reason = unfit.get(by_name) or failed.get(by_name, "it is not among tonight's models.")
    raise NightrecError(f"{by_name} was {how}, and there is no such model tonight: {reason}")


def _with_warning(decision: Decision, settings: GateSettings, failed: Mapping[str, str], total: int) -> Decision:
    """The decision, with a warning where most candidates failed."""
    if len(failed) <= settings.max_failed * total:
        return decision
    names = shorten(", ".join(failed), MOST_NAMES, placeholder=" …")
    warning = f"{len(failed)} of {total} candidates failed (gate.max_failed is {settings.max_failed:.0%}): {names}."
    return decision.model_copy(update={"warnings": [*decision.warnings, warning]})


def _with_slopes(decision: Decision, incumbent: Incumbent | None, slopes: Sequence[Steep]) -> Decision:
    """The decision, with a warning where the champion goes on while figures of the long run change too much."""
    if not slopes or incumbent is None or decision.winner != incumbent.name:
        return decision
    warning = f"The champion {incumbent.name} goes on, while {'; '.join(one.clause for one in slopes)}."
    return decision.model_copy(update={"warnings": [*decision.warnings, warning]})


def _judge(
    night: Night,
    summaries: Mapping[str, ModelSummary],
    settings: GateSettings,
    incumbent: Incumbent | None,
    recent: Recent,
    baseline: str,
    failed: Mapping[str, str],
    unfit: Mapping[str, str],
    others: Mapping[str, Recent],
    earned: OffPolicySummary | None,
    slopes: Sequence[Steep],
) -> Decision:
    """What the gate says of tonight's figures."""
    found = {name: per_user(night.metrics(name)) for name in summaries}
    values = {name: value for name, value in found.items() if value is not None}
    k = next(iter(summaries.values())).k
    changed = churn(night, incumbent.export_id, list(values), k) if incumbent and values else {}
    decision = decide(
        settings,
        summaries,
        values,
        incumbent,
        changed,
        recent,
        baseline,
        failed=failed,
        unfit=unfit,
        others=others,
        earned=earned,
        slopes=slopes,
    )
    return decision.model_copy(
        update={"baseline": against_baseline(baseline, values, settings), "churn": changed},
    )


def _write_comparison(
    night: Night,
    summaries: Mapping[str, ModelSummary],
    failed: dict[str, str],
    decision: Decision,
    earned: OffPolicySummary | None,
    out: Path,
) -> Json:
    """Write `comparison.parquet` (a row a model, metric and slice) and `decision.json`, and return the summary."""
    figures = [
        {"run_date": night.run_date, "model": model, "k": summary.k, "low": None, "high": None, **row}
        for model, summary in summaries.items()
        for row in [*_rows(summary), *(offpolicy_rows(earned, model) if earned else [])]
    ]
    pq.write_table(pa.Table.from_pylist(figures, schema=COMPARISON), out / FILE)
    first, best = next(iter(summaries.values())), summaries.get(decision.winner)
    metrics = best.metrics if best else {}  # none of a champion that is fitted unmeasured
    record = DecisionRecord(**dict(decision), metrics=metrics, failed=failed)
    write_json(out / "decision.json", record.json_ready())
    message = f"{decision.winner}, {decision.reason}"
    if best:
        message += f": {metrics[PRIMARY].value:.4f}"
    if decision.unbeaten:
        message = f"{decision.unbeaten} {message}"
    return ComparisonSummary(
        winner=decision.winner,
        reason=decision.reason,
        metrics=metrics,
        failed=failed,
        gate=decision,
        k=first.k,
        users=first.users,
        models={name: summary.metrics for name, summary in summaries.items()},
        trained={name: summary.trained for name, summary in summaries.items() if summary.trained},
        reranking={name: summary.reranking for name, summary in summaries.items() if summary.reranking},
        backtests={name: summary.backtests for name, summary in summaries.items() if summary.backtests},
        offpolicy=earned,
        message=message,
    ).json_ready()


def _rows(summary: ModelSummary) -> list[Json]:
    """The figures of a candidate as rows of the comparison: over all users, of slices, of backtests."""
    whole = [
        {"slice": "all", "metric": metric, "users": summary.users, **figure.json_ready()}
        for metric, figure in summary.metrics.items()
    ]
    slices = [row.json_ready() for row in summary.slices]
    return [*whole, *slices, *(rows(summary.backtests) if summary.backtests else [])]
