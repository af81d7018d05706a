"""What a report shows, as one JSON document: read from the store, whatever of a night is there.

A night that failed, or the first one, lacks some of it: such parts are empty, never an error.
"""

import re
from contextlib import suppress
from typing import Any

import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from tasks.compare.champion import full
from tasks.compare.stage import unbeaten
from tasks.publish.sinks.settings import failures
from tasks.report.examples import examples
from tasks.report.past import data_of_nights, nights_before
from tasks.store.files import Json, read_json
from tasks.store.paths import Night
from tasks.store.versions import code_version
from tasks.train.jobs import PRIMARY

EPOCH = re.compile(r"epoch (\d+): loss (\S+), validation NDCG@\d+ ([\d.]+)")
WHOLE = ("all", "window")  # what is no group of users or items
STAGES = {"validation": "valid", "prepare": "features/prepared", "features": "features/train", "gate": "evaluation"}


def figures(night: Night) -> Json:
    """Everything that the report of a night shows.

    Raises:
        NightrecError: the night has left no record.
    """
    record = read_json(night.summary)
    if record is None:
        raise NightrecError(
            f"The night {night.run_date} has left nothing in the store {night.store.root}: `nightrec status` shows "
            "the nights that have."
        )
    decision = read_json(night.evaluation / "decision.json") if compared(record) else None
    decision = decision or {}
    return {
        "run_date": str(night.run_date),
        "status": record["status"],
        "news": news(record, decision),
        "record": {
            key: record.get(key)
            for key in (
                "started_at", "seconds", "peak_bytes", "reason", "winner", "export_id", "users", "cold_users", "rows",
                "k", "measured_on", "interactions", "quarantined", "notes",
            )
        },
        "decision": decision,
        "models": models(night, decision),
        "reranking": compared_with(night, "reranking") if decision else {},
        "windows": compared_with(night, "windows") if decision else {},
        "slices": slices(night) if decision else [],
        "curves": curves(night),
        "data": data(night),
        "stages": stages(night, record),
        "history": nights_before(night),
        "examples": examples(night, record.get("export_id")),
        "parameters": parameters(night),
    }  # fmt: skip


def compared(record: Json) -> bool:
    """Whether the comparison in the store is this run's; a night that failed before it may have that of an earlier."""
    told = {line["stage"] for line in record.get("stages", []) if line["event"] in ("done", "skipped")}
    return "winner" in record or "compare" in told


def news(record: Json, decision: Json) -> list[str]:
    """What came of the night and why, the most important first: one sentence a paragraph."""
    lines = [first] if (first := unbeaten(decision)) else []
    winner, reason = decision.get("winner"), decision.get("reason")
    if record["status"] == "published":
        lines.append(
            f"{record.get('winner', 'A model')} was published as {record['export_id']}: {record.get('reason')}."
        )
        lines += failures(record)
    elif record["status"] == "compared":
        lines.append(f"Nothing was published, as this was a dry run. It would be {winner}: {reason}.")
    elif record["status"] == "running":
        lines.append("The night is still running, or was killed at work.")
    else:
        lines.append(f"Nothing was published, the last export stays: {record.get('reason', '')}")
        if winner:
            lines.append(f"The comparison says {winner}: {reason}.")
    return lines


def models(night: Night, decision: Json) -> list[Json]:
    """A row a candidate, best first, then those that failed."""
    path = night.evaluation / "comparison.parquet"
    if not decision or not path.exists():
        return []
    found: dict[str, Json] = {}
    for row in pq.read_table(path).to_pylist():
        if row["slice"] == "all":
            figure = {key: row[key] for key in ("value", "low", "high") if row[key] is not None}
            found.setdefault(row["model"], {})[row["metric"]] = figure
    champion = (decision.get("champion") or {}).get("name")
    against = {one["model"]: one for one in decision.get("challengers", [])}
    rows = [
        {
            "model": name,
            "winner": name == decision["winner"],
            "champion": name == champion,
            "metrics": metrics,
            "challenge": against.get(name),
            "best": [metric for metric in metrics if best(metric, name, found)],
        }
        | cost(night, name)
        for name, metrics in found.items()
    ]
    rows.sort(key=lambda row: -row["metrics"].get(PRIMARY, {"value": 0})["value"])
    return rows + [{"model": name, "failed": reason} for name, reason in decision.get("failed", {}).items()]


def compared_with(night: Night, what: str) -> Json:
    """What the comparison says of each candidate beside the figures of its lists; empty where it says nothing."""
    summary: Json = (read_json(night.evaluation / "manifest.json") or {}).get("summary", {})
    found: Json = summary.get(what, {})
    return found


LESS_IS_BETTER = {"gini", "identical_lists", "rmse", "mae"}
NO_BETTER = {"average_popularity", "cold_share"}  # more of it is neither better nor worse


def best(metric: str, name: str, found: dict[str, Json]) -> bool:
    """Whether no candidate has a better figure; where all are equal, none is."""
    values = [metrics[metric]["value"] for metrics in found.values() if metric in metrics]
    if metric in NO_BETTER or len(set(values)) < 2:
        return False
    wanted = min(values) if metric in LESS_IS_BETTER else max(values)
    return bool(found[name][metric]["value"] == wanted)


def cost(night: Night, name: str) -> Json:
    """What training and listing took, and where it was done."""
    listed = (read_json(night.toplists(name) / "manifest.json") or {}).get("summary", {})
    made = listed.get("fit") or listed
    lists = {key: listed.get(key) for key in ("list_seconds", "peak_bytes", "host", "device")}
    return lists | {"fit_seconds": made.get("fit_seconds")}


def slices(night: Night) -> list[Json]:
    """The figures of each slice by model; of slices of users the primary metric, of slices of items the recall."""
    path = night.evaluation / "comparison.parquet"
    if not path.exists():
        return []
    found: dict[tuple[str, str], Json] = {}
    rows = [row for row in pq.read_table(path).to_pylist() if not row["slice"].startswith(WHOLE)]
    by_users = {row["slice"] for row in rows if row["metric"] == PRIMARY}
    for row in rows:
        if row["metric"] == (PRIMARY if row["slice"] in by_users else "recall"):
            one = found.setdefault(
                (row["slice"], row["metric"]),
                {"slice": row["slice"], "metric": row["metric"], "users": row["users"], "models": {}},
            )
            one["models"][row["model"]] = {key: row[key] for key in ("value", "low", "high")}
    return list(found.values())


def curves(night: Night) -> dict[str, list[Json]]:
    """The epochs of the candidates that train in epochs, from their logs."""
    found = {}
    for path in sorted((night.folder / "logs").glob("*-train.log")):
        lines = EPOCH.findall(path.read_text(encoding="utf-8", errors="replace"))
        # A log of a training that was resumed starts later; one that was repeated tells the last time.
        epochs = {int(n): {"epoch": int(n), "loss": float(loss), "ndcg": float(ndcg)} for n, loss, ndcg in lines}
        if epochs:
            found[path.name.removesuffix("-train.log")] = [epochs[n] for n in sorted(epochs)]
    return found


def data(night: Night) -> Json:
    """Rows in, rows refused by reason, and how tonight's data compare with those of recent nights."""
    summary = (read_json(night.valid / "manifest.json") or {}).get("summary", {})
    raw = (read_json(night.raw / "manifest.json") or {}).get("summary", {})
    reasons = [
        {"table": table, "reason": reason.partition(": ")[2] or reason, "rows": rows}
        for table, counts in summary.get("reasons", {}).items()
        for reason, rows in counts.items()
    ]
    rejects = [
        {"table": table, "reason": "not a row of the table", "rows": counts["rejects"]}
        for table, counts in summary.get("tables", {}).items()
        if counts["rejects"]
    ]
    overview = {key: summary.get(key) for key in ("rows", "users", "items", "newest", "newest_age_days")}
    return overview | {
        "tables": [{"table": name, **counts} for name, counts in summary.get("tables", {}).items()],
        "reasons": sorted(reasons + rejects, key=lambda row: -row["rows"]),
        "notes": [*raw.get("notes", []), *summary.get("notes", [])],
        "recent": data_of_nights(night),
    }


def stages(night: Night, record: Json) -> list[Json]:
    """What the night did, in its order: when each stage began and how long it took (seconds), and its memory.

    The memory of a training is that of its own process, the others share that of the night, which can only grow.
    """
    found = []
    for line in record.get("stages", []):
        if line["event"] == "note":
            continue
        name = line["stage"].removeprefix("train ")
        own = cost(night, name).get("peak_bytes") if line["stage"].startswith("train ") else None
        begin = round(max(0.0, line["ended"] - line["seconds"]), 3) if "ended" in line else None
        found.append(
            {key: line[key] for key in ("stage", "event", "message", "seconds")}
            | {"begin": begin, "peak_bytes": own or line.get("peak_bytes"), "own": own is not None}
        )
    return sorted(found, key=lambda line: line["begin"] or 0)


def parameters(night: Night) -> Json:
    """What each model and stage was told, the models' defaults included."""
    found: dict[str, Any] = {"models": {}, "stages": {}}
    for path in sorted(night.folder.glob("models/*/manifest.json")):
        recipe = (read_json(path) or {}).get("parameters", {})
        if "recommender" in recipe:
            params = recipe.get("params") or {}
            with suppress(NightrecError):  # of an earlier version, which had others
                params = full(recipe["recommender"], params)
            given = sorted(recipe.get("params") or {})
            found["models"][path.parent.name] = recipe | {"params": params, "given": given}
    for stage, folder in STAGES.items():
        told = (read_json(night.folder / folder / "manifest.json") or {}).get("parameters", {})
        found["stages"][stage] = told.get("rules", told) if stage == "gate" else told
    found["code"] = code_version()
    return found
