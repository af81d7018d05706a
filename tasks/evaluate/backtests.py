"""A candidate over several windows: the holdout, and earlier ones that the same recipe was trained for."""

from datetime import datetime, timedelta
from statistics import mean, stdev

from recmodels.metrics.ranking import METRICS
from tasks.store.files import Json
from tasks.store.manifests import Manifest
from tasks.train.jobs import PRIMARY


def over_windows(summary: Json, earlier: list[Json], prepared: Manifest) -> Json:
    """The figures of ``each`` window, the holdout first, with the mean and the spread of the primary one.

    The spread is the standard deviation over the windows (of n - 1), None where only one could be measured.
    """
    holdout = prepared["summary"]["holdout"]
    begins, days = datetime.fromisoformat(holdout["start"]), holdout["days"] or prepared["parameters"]["holdout_days"]
    each: list[Json] = [
        {"start": str(begins.date()) if holdout["days"] else "holdout", "users": summary["users"]}
        | {name: summary["metrics"][name]["value"] for name in METRICS}
    ]
    for one in earlier:
        start = begins - one["window"] * timedelta(days=days)
        each.append({"start": str(start.date())} | {key: value for key, value in one.items() if key != "window"})
    values = [one[PRIMARY] for one in each if PRIMARY in one]
    return {
        "days": days,
        "each": each,
        "measured": len(values),
        "mean": mean(values),
        "spread": stdev(values) if len(values) > 1 else None,
    }


def spread(found: Json) -> str:
    """Mean and spread in one clause."""
    beside = "" if found["spread"] is None else f" ± {found['spread']:.4f}"
    return f"{found['mean']:.4f}{beside} over {found['measured']} of {len(found['each'])} windows"


def rows(found: Json) -> list[Json]:
    """Rows of the comparison: each window's figures as the slice ``window:<first day>``, and ``windows`` for all."""
    measured = [one for one in found["each"] if PRIMARY in one]
    each = [
        {"slice": f"window:{one['start']}", "metric": name, "users": one["users"], "value": one[name]}
        for one in measured
        for name in METRICS
    ]
    values, users = [one[PRIMARY] for one in measured], sum(one["users"] for one in measured)
    whole = {"slice": "windows", "users": users}
    return [
        *each,
        whole | {"metric": PRIMARY, "value": found["mean"], "low": min(values), "high": max(values)},
        *([whole | {"metric": f"{PRIMARY}_spread", "value": found["spread"]}] if found["spread"] is not None else []),
    ]
