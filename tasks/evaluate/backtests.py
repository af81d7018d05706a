"""A candidate over several holdouts: tonight's, and earlier ones that the same recipe was trained for."""

from datetime import datetime, timedelta
from statistics import mean, stdev

from recmodels.metrics.ranking import METRICS
from tasks.evaluate.summary import Backtest, Backtests, ModelSummary
from tasks.store.files import Json
from tasks.store.manifests import Manifest
from tasks.store.summaries import PreparedSummary
from tasks.train.settings import PRIMARY


def with_tonight(summary: ModelSummary, earlier: list[Json], prepared: Manifest[PreparedSummary]) -> Backtests:
    """The figures of tonight's holdout and of the earlier ones that the candidate's process has measured."""
    holdout = prepared["summary"]["holdout"]
    begins, days = datetime.fromisoformat(holdout["start"]), holdout["days"] or prepared["parameters"]["holdout_days"]
    tonight = Backtest(
        start=str(begins.date()) if holdout["days"] else "holdout",
        users=summary.users,
        metrics={name: summary.metrics[name].value for name in METRICS},
    )
    before = [
        Backtest.of(one | {"start": str((begins - one["window"] * timedelta(days=days)).date())}) for one in earlier
    ]
    values = [one.metrics[PRIMARY] for one in (tonight, *before) if one.metrics]
    return Backtests(
        days=days,
        each=[tonight, *before],
        measured=len(values),
        mean=mean(values),
        spread=stdev(values) if len(values) > 1 else None,
    )


def rows(found: Backtests) -> list[Json]:
    """Rows of the comparison: each holdout's figures as the slice `window:<first day>`, and `windows` for all."""
    measured = [one for one in found.each if one.metrics]
    each = [
        {"slice": f"window:{one.start}", "metric": name, "users": one.users, "value": one.metrics[name]}
        for one in measured
        for name in METRICS
    ]
    values, users = [one.metrics[PRIMARY] for one in measured], sum(one.users for one in measured)
    whole = {"slice": "windows", "users": users}
    return [
        *each,
        whole | {"metric": PRIMARY, "value": found.mean, "low": min(values), "high": max(values)},
        *([whole | {"metric": f"{PRIMARY}_spread", "value": found.spread}] if found.spread is not None else []),
    ]
