"""Stage 6, compare: all candidates side by side, and which of them is published."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from tasks.compare.champion import Incumbent
from tasks.compare.churn import churn
from tasks.compare.gate import GateSettings, against_baseline, decide, per_user
from tasks.compare.recent import Recent, recent_figures
from tasks.evaluate.backtests import rows
from tasks.store.files import Json, place_copy, write_json
from tasks.store.manifests import Manifest, outputs
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of
from tasks.train.jobs import PRIMARY, Candidate

DEFAULT = GateSettings()


@stage_task("compare")
def compare(
    night: Night,
    candidates: dict[str, Candidate],
    measured: dict[str, Manifest],
    failed: dict[str, str],
    chosen: str | None = None,
    fresh: bool = False,
    rules: GateSettings = DEFAULT,
    incumbent: Incumbent | None = None,
    baseline: str = "popularity_7d",
) -> Manifest:
    """Decide which candidate is published, and write the comparison to ``evaluation/`` and the history.

    ``measured`` holds the manifest of each candidate's metrics in the order of the configuration, ``failed`` the
    reason of each that has none. A challenger of the ``standing`` champion must pass the gate. ``chosen`` wins
    whatever the figures say, and so does the champion that ``rules`` pin.

    Raises:
        NightrecError: a required candidate, every candidate, or the chosen one failed.
    """
    if missing := [name for name in failed if candidates[name].required]:
        why = failed[missing[0]].rstrip(".")
        raise NightrecError(f"The required model {missing[0]} failed: {why}. The last export stays as it is.")
    if not measured:
        raise NightrecError(f"No model could be trained: {next(iter(failed.values()), 'none is enabled')}")
    wanted = chosen or rules.champion
    if wanted and wanted not in measured:
        how = "chosen to be published" if chosen else "pinned in gate.champion"
        reason = failed.get(wanted, "it is not among tonight's models.")
        raise NightrecError(f"{wanted} was {how}, and there is no such model tonight: {reason}")
    summaries = {name: manifest["summary"] for name, manifest in measured.items()}
    k = next(iter(summaries.values()))["k"]
    recent = recent_figures(night.store, night.run_date, incumbent, k, rules.recent_nights, baseline)

    def build(out: Path) -> Json:
        gate = judge(night, summaries, rules, incumbent, recent, baseline)
        return write_comparison(night, summaries, failed, by_hand(gate, rules, chosen), out)

    inputs = outputs(**measured)
    parameters = {
        "failed": failed,
        "chosen": chosen,
        "rules": rules.model_dump(),
        "standing": incumbent and incumbent.model_dump(),
        "recent": asdict(recent),
        "baseline": baseline,
    }
    manifest = logged_stage(
        "compare", night.evaluation, build, code=code_of(__name__), inputs=inputs, parameters=parameters, fresh=fresh
    )
    place_copy(night.evaluation / "comparison.parquet", night.store.history(night.run_date))
    return manifest


def judge(
    night: Night,
    summaries: dict[str, Json],
    rules: GateSettings,
    incumbent: Incumbent | None,
    recent: Recent,
    baseline: str,
) -> Json:
    """What the gate says of tonight's figures."""
    found = {name: per_user(night.metrics(name)) for name in summaries}
    values = {name: value for name, value in found.items() if value is not None}
    k = next(iter(summaries.values()))["k"]
    changed = churn(night, incumbent.export_id, list(values), k) if incumbent and values else {}
    decision = decide(rules, summaries, values, incumbent, changed, recent, baseline)
    return decision | {"baseline": against_baseline(baseline, values, rules), "churn": changed}


def by_hand(decision: Json, rules: GateSettings, chosen: str | None) -> Json:
    """The decision under the name of the model that a person wants published, if there is one."""
    wanted = chosen or rules.champion
    if wanted is None:
        return decision
    winner, reason = decision["winner"], decision["reason"]
    reason = f"{reason} is that of {winner}" if wanted != winner and decision["verdict"] == "first" else reason
    if wanted != winner and decision["verdict"] != "first":
        reason = f"by the gate it would be {winner}: {reason}"
    how, verdict = ("chosen by hand", "forced") if chosen else ("pinned in the configuration", "pinned")
    refused = None if chosen else decision["refused"]
    return decision | {"winner": wanted, "reason": f"{how}; {reason}", "verdict": verdict, "refused": refused}


def write_comparison(
    night: Night, summaries: dict[str, Json], failed: dict[str, str], gate: Json, out: Path
) -> dict[str, Any]:
    """``comparison.parquet`` (a row a model, metric and slice) and ``decision.json``."""
    figures = [
        {"run_date": night.run_date, "model": model, "k": summary["k"], "low": None, "high": None, **figure}
        for model, summary in summaries.items()
        for figure in (*whole(summary), *summary.get("slices", []), *over_windows(summary))
    ]
    winner, reason = gate["winner"], gate["reason"]
    best = summaries[winner]["metrics"][PRIMARY]
    decision = gate | {"metrics": summaries[winner]["metrics"], "failed": failed}
    table = pa.Table.from_pylist(figures, schema=COMPARISON)
    pq.write_table(table, out / "comparison.parquet")
    write_json(out / "decision.json", decision)
    told = f"{winner}, {reason}: {best['value']:.4f}"
    if baseline := unbeaten(gate):
        told = f"{baseline} {told}"
    return {
        "winner": winner,
        "reason": reason,
        "metrics": summaries[winner]["metrics"],
        "failed": failed,
        "gate": gate,
        "k": summaries[winner]["k"],
        "users": summaries[winner]["users"],
        "models": {name: summary["metrics"] for name, summary in summaries.items()},
        "trained": {name: summary["trained"] for name, summary in summaries.items() if summary.get("trained")},
        "reranking": {name: summary["reranking"] for name, summary in summaries.items() if "reranking" in summary},
        "windows": {name: summary["windows"] for name, summary in summaries.items() if "windows" in summary},
        "message": told,
    }


def unbeaten(gate: Json) -> str:
    """A sentence where nothing is better than what sold most last week, else nothing."""
    baseline = gate.get("baseline")
    if not baseline or baseline["beaten_by"]:
        return ""
    return f"No model beats the popularity of the last 7 days ({baseline['name']})."


def over_windows(summary: Json) -> list[Json]:
    return rows(summary["windows"]) if "windows" in summary else []


def whole(summary: Json) -> list[Json]:
    """The figures over all users, as rows."""
    return [
        {"slice": "all", "metric": metric, "users": summary["users"], **figure}
        for metric, figure in summary["metrics"].items()
    ]


COMPARISON = pa.schema(
    [
        ("run_date", pa.date32()),
        ("model", pa.string()),
        ("metric", pa.string()),
        ("k", pa.int32()),
        ("slice", pa.string()),
        ("users", pa.int64()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)
