"""The gate: whether a challenger may replace the standing champion, and whether the night may publish at all."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from recmodels.errors import GateRefused
from recmodels.metrics.ranking import Metric
from recmodels.metrics.significance import Difference, holm, paired
from tasks.compare.champion import Incumbent
from tasks.compare.recent import Recent
from tasks.store.files import Json
from tasks.store.manifests import Manifest
from tasks.store.stage import log_event
from tasks.train.jobs import PRIMARY

NOTHING = Recent()
ADVICE = (
    "Something is wrong with the data or the training: look at them, or publish all the same with --force-champion. "
    "The last export stays."
)


class GateSettings(BaseModel):
    """What a challenger must show before its lists replace the champion's."""

    model_config = ConfigDict(extra="forbid")

    champion: str | None = Field(
        default=None, description="Always publish this model, whatever the figures say (pinned)."
    )
    min_gain: float = Field(
        default=0.01, ge=0, description="Gain of NDCG over the champion's that promotes a challenger, as a share of it."
    )
    significance: float = Field(
        default=0.05, gt=0, le=1, description="The gain's p-value, corrected for all challengers, must be below this."
    )
    max_coverage_loss: float | None = Field(
        default=0.5, ge=0, le=1, description="Share of the champion's coverage that a challenger may lose."
    )
    max_tail_loss: float | None = Field(
        default=None, ge=0, le=1, description="Share of the champion's recall of tail items that it may lose."
    )
    min_cold_share: float | None = Field(
        default=None, ge=0, le=1, description="Share of its lists that items without any history must have."
    )
    max_cold_share: float | None = Field(default=None, ge=0, le=1, description="The same, at most.")
    max_churn: float | None = Field(
        default=None, ge=0, le=1, description="Share of its lists that may differ from those of the last export."
    )
    max_slice_loss: float | None = Field(
        default=0.2, ge=0, le=1, description="Share of the champion's NDCG that it may lose in any slice of users."
    )
    slice_users: int = Field(default=200, ge=1, description="Slices of fewer users are not guarded.")
    max_training_minutes: float | None = Field(default=None, gt=0, description="How long its training may take.")
    min_quality: float | None = Field(
        default=0.7,
        ge=0,
        description="The night stops if the champion's NDCG falls below this share of its median of recent nights.",
    )
    min_lift: float | None = Field(
        default=0.7,
        ge=0,
        description="It stops, too, if that NDCG in proportion to that of the popularity of the last 7 days does.",
    )
    recent_nights: int = Field(default=7, ge=1, description="How many nights are recent.")
    min_nights: int = Field(default=2, ge=1, description="Recent nights without which its quality is not judged.")


def decide(
    rules: GateSettings,
    summaries: Mapping[str, Json],
    values: Mapping[str, Metric],
    incumbent: Incumbent | None,
    churn: Mapping[str, float],
    recent: Recent = NOTHING,
    baseline: str = "",
    seed: int = 0,
) -> Json:
    """Who is published, and why: ``winner``, ``reason``, ``verdict``, ``refused`` and what each challenger showed.

    ``summaries`` are those of tonight's candidates, ``values`` their primary metric by user (the same users for all),
    ``churn`` the share of their lists that the last export did not have, ``recent`` the champion's earlier figures,
    ``baseline`` the candidate that is the popularity of the last week.
    """
    k, n = next(iter(summaries.values()))["k"], len(summaries)
    best = max(summaries, key=lambda name: primary(summaries[name]))  # the first of equals
    first: Json = {
        "winner": best,
        "reason": f"the highest NDCG@{k} of {n} models",
        "verdict": "first",
        "refused": None,
        "champion": None,
        "challengers": [],
    }
    if incumbent is None:
        return first
    if incumbent.name not in summaries:
        why = f"the champion {incumbent.name} could not be measured tonight, so no challenger was held against it"
        return first | {"reason": f"{first['reason']}; {why}", "verdict": "champion failed"}
    name, quality = incumbent.name, primary(summaries[incumbent.name])
    popular = primary(summaries[baseline]) if baseline in summaries else 0.0
    lift = quality / popular if popular > 0 else None
    champion = incumbent.model_dump() | {"value": quality, "lift": lift, "recent": recent.told()}
    rivals = sorted((one for one in summaries if one != name), key=lambda one: -primary(summaries[one]))
    found = [paired(values[rival] - values[name], seed) for rival in rivals]
    corrected = holm([difference.p_permutation for difference in found])
    challengers = [
        challenge(rules, rival, summaries, name, difference, p, churn.get(rival))
        for rival, difference, p in zip(rivals, found, corrected, strict=True)
    ]
    decision = first | {
        "champion": champion,
        "challengers": challengers,
        "refused": collapsed(rules, name, quality, lift, recent),
    }
    passed = next((one for one in challengers if one["passed"]), None)
    if passed:
        gain = f"{passed['gain']:+.1%}" if passed["gain"] is not None else "up from 0"
        reason = f"promoted: NDCG@{k} {gain} over the champion {name}, p = {passed['p']:.2g}"
        return decision | {"winner": passed["model"], "reason": reason, "verdict": "promoted"}
    reason = f"the champion stays: it has {first['reason']}"
    if best != name:
        reason = f"the champion stays: {best} {'; '.join(challengers[0]['reasons'])}"
    return decision | {"winner": name, "reason": reason, "verdict": "stays"}


def challenge(
    rules: GateSettings,
    rival: str,
    summaries: Mapping[str, Json],
    champion: str,
    difference: Difference,
    p: float,
    churn: float | None,
) -> Json:
    """What a challenger showed against the champion, and every reason why it does not pass."""
    mine, theirs = summaries[rival], summaries[champion]
    base = primary(theirs)
    gain = difference.mean / base if base > 0 else None
    reasons = []
    if difference.mean <= 0:
        reasons.append("is not better")
    elif gain is not None and gain < rules.min_gain:
        reasons.append(f"gains {gain:+.2%}, and {rules.min_gain:.2%} is asked for (gate.min_gain)")
    if p >= rules.significance and difference.mean > 0:
        reasons.append(f"may be better by chance: p = {p:.2g}, and below {rules.significance:g} is asked for")
    reasons += broken(rules, mine, theirs, churn)
    return {
        "model": rival,
        "value": primary(mine),
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "gain": gain,
        "p": p,
        "p_permutation": difference.p_permutation,
        "p_bootstrap": difference.p_bootstrap,
        "churn": churn,
        "passed": not reasons,
        "reasons": reasons,
    }


def broken(rules: GateSettings, mine: Json, theirs: Json, churn: float | None) -> list[str]:
    """The guards that a challenger breaks, as clauses."""
    reasons = []
    for what, limit, key in (
        ("coverage", rules.max_coverage_loss, ("all", "coverage")),
        ("recall of tail items", rules.max_tail_loss, ("items:tail", "recall")),
    ):
        here, there = figure(mine, *key), figure(theirs, *key)
        if limit is not None and here is not None and there and here < (1 - limit) * there:
            reasons.append(f"loses {1 - here / there:.0%} of the champion's {what}, and {limit:.0%} is allowed")
    if rules.max_slice_loss is not None:
        for row in theirs.get("slices", []):
            here, there = figure(mine, row["slice"], PRIMARY), row["value"]
            guarded = row["metric"] == PRIMARY and row["users"] >= rules.slice_users and here is not None
            if guarded and here is not None and here < (1 - rules.max_slice_loss) * there:
                reasons.append(
                    f"loses {1 - here / there:.0%} of NDCG for {row['users']:,} users ({row['slice']}), and "
                    f"{rules.max_slice_loss:.0%} is allowed"
                )
    cold = figure(mine, "all", "cold_share")
    if cold is not None and rules.min_cold_share is not None and cold < rules.min_cold_share:
        reasons.append(f"fills {cold:.1%} of its lists with new items, and {rules.min_cold_share:.1%} is the least")
    if cold is not None and rules.max_cold_share is not None and cold > rules.max_cold_share:
        reasons.append(f"fills {cold:.1%} of its lists with new items, and {rules.max_cold_share:.1%} is the most")
    if churn is not None and rules.max_churn is not None and churn > rules.max_churn:
        reasons.append(f"changes {churn:.0%} of the lists of the last export, and {rules.max_churn:.0%} is allowed")
    minutes = (mine.get("trained") or {}).get("fit_seconds", 0) / 60
    if rules.max_training_minutes is not None and minutes > rules.max_training_minutes:
        reasons.append(f"trains for {minutes:.1f} minutes, and {rules.max_training_minutes:g} are allowed")
    return reasons


def collapsed(rules: GateSettings, champion: str, quality: float, lift: float | None, recent: Recent) -> str | None:
    """Why nothing may be published tonight: the champion itself is far from what it was.

    Its lift is judged, too: in a log whose items are mixed up, popularity is as easy to foresee as ever or easier, and
    only what is personal is lost.
    """
    least, k_nights = rules.min_quality, f"the median of its last {len(recent.quality)} nights"
    if least is not None and len(recent.quality) >= rules.min_nights and quality < least * median(recent.quality):
        usual = median(recent.quality)
        found = f"reaches NDCG {quality:.4f} tonight, {quality / usual:.0%} of {k_nights}, {usual:.4f}"
        return f"The champion {champion} {found} (gate.min_quality asks for {least:.0%}). {ADVICE}"
    least = rules.min_lift
    if least is None or lift is None or len(recent.lift) < rules.min_nights or lift >= least * median(recent.lift):
        return None
    usual = median(recent.lift)
    found = (
        f"reaches {lift:.2f} times the NDCG of the popularity of the last 7 days, and {usual:.2f} times is {k_nights}"
    )
    return f"The champion {champion} {found} (gate.min_lift asks for {least:.0%} of it). {ADVICE}"


def admit(comparison: Manifest) -> None:
    """Let a night go on to publish. Raises GateRefused where its comparison says that it must not."""
    if refused := comparison["summary"]["gate"]["refused"]:
        log_event("gate", "failed", refused)
        raise GateRefused(refused)


def against_baseline(baseline: str, values: Mapping[str, Metric], rules: GateSettings, seed: int = 0) -> Json | None:
    """Which models beat the popularity of the last week, by the test of the gate; None where that was not measured."""
    if baseline not in values:
        return None
    rivals = [name for name in values if name != baseline]
    found = [paired(values[name] - values[baseline], seed) for name in rivals]
    corrected = holm([difference.p_permutation for difference in found])
    beaten_by = [
        name
        for name, difference, p in zip(rivals, found, corrected, strict=True)
        if difference.mean > 0 and p < rules.significance
    ]
    return {"name": baseline, "value": float(values[baseline].mean()), "beaten_by": beaten_by}


def per_user(folder: Path) -> Metric | None:
    """A candidate's primary metric by user, in the order of the users; None where nothing was measured."""
    path = folder / "per_user.parquet"
    return pq.read_table(path, columns=[PRIMARY])[PRIMARY].to_numpy() if path.exists() else None


def primary(summary: Json) -> float:
    value: float = summary["metrics"][PRIMARY]["value"]
    return value


def figure(summary: Json, slice_name: str, metric: str) -> float | None:
    """A figure of a candidate, over all users or of a slice; None where it was not measured."""
    if slice_name == "all":
        found = summary["metrics"].get(metric)
        return None if found is None else found["value"]
    rows = summary.get("slices", [])
    return next((row["value"] for row in rows if row["slice"] == slice_name and row["metric"] == metric), None)
