"""Stage 6, compare: all candidates side by side, and which of them is published."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from tasks.evaluate import PRIMARY
from tasks.orders import Candidate
from tasks.stage import stage_task, told_stage
from tasks.store import Json, Manifest, Night, outputs, place_copy, write_json


@stage_task("compare")
def compare(
    night: Night,
    candidates: dict[str, Candidate],
    measured: dict[str, Manifest],
    failed: dict[str, str],
    chosen: str | None = None,
    fresh: bool = False,
) -> Manifest:
    """Decide which candidate is published, and write the comparison to ``evaluation/`` and the history.

    ``measured`` holds the manifest of each candidate's metrics in the order of the configuration, ``failed`` the
    reason of each that has none. ``chosen`` wins whatever the figures say.

    Raises:
        NightrecError: a required candidate, every candidate, or the chosen one failed.
    """
    if missing := [name for name in failed if candidates[name].required]:
        raise NightrecError(
            f"The required model {missing[0]} failed: {failed[missing[0]]} The last export stays as it is."
        )
    if not measured:
        raise NightrecError(f"No model could be trained: {next(iter(failed.values()), 'none is enabled')}")
    if chosen and chosen not in measured:
        reason = failed.get(chosen, "it is not among tonight's models.")
        raise NightrecError(f"{chosen} was chosen to be published, and there is no such model tonight: {reason}")

    def build(out: Path) -> Json:
        return write_comparison(night, measured, failed, chosen, out)

    inputs, parameters = outputs(**measured), {"failed": failed, "chosen": chosen}
    manifest = told_stage("compare", night.evaluation, build, inputs=inputs, parameters=parameters, fresh=fresh)
    place_copy(night.evaluation / "comparison.parquet", night.store.history(night.run_date))
    return manifest


def write_comparison(
    night: Night, measured: dict[str, Manifest], failed: dict[str, str], chosen: str | None, out: Path
) -> Json:
    """``comparison.parquet`` (a row a model and metric) and ``decision.json``."""
    summaries = {name: manifest["summary"] for name, manifest in measured.items()}
    rows = [
        {
            "run_date": night.run_date,
            "model": model,
            "metric": metric,
            "k": summary["k"],
            "slice": "all",
            "users": summary["users"],
            "value": figure["value"],
            "low": figure.get("low"),
            "high": figure.get("high"),
        }
        for model, summary in summaries.items()
        for metric, figure in summary["metrics"].items()
    ]
    winner = max(summaries, key=lambda name: summaries[name]["metrics"][PRIMARY]["value"])  # the first of equals
    k = summaries[winner]["k"]
    reason = f"the highest NDCG@{k} of {len(summaries)} models"
    if chosen:
        reason = f"chosen by hand; {reason} is that of {winner}" if chosen != winner else f"chosen by hand; {reason}"
        winner = chosen
    best = summaries[winner]["metrics"][PRIMARY]
    decision = {"winner": winner, "reason": reason, "metrics": summaries[winner]["metrics"], "failed": failed}
    table = pa.Table.from_pylist(rows, schema=COMPARISON)
    pq.write_table(table, out / "comparison.parquet")
    write_json(out / "decision.json", decision)
    return {
        **decision,
        "k": k,
        "users": summaries[winner]["users"],
        "models": {name: summary["metrics"] for name, summary in summaries.items()},
        "trained": {name: summary["trained"] for name, summary in summaries.items() if summary.get("trained")},
        "reranking": {name: summary["reranking"] for name, summary in summaries.items() if "reranking" in summary},
        "told": f"{winner}, {reason}: {best['value']:.4f}",
    }


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
