"""What a report shows, as one JSON document: read from the store, whatever of a night is there.

A night that failed, or the first one, lacks some of it: such parts are empty, never an error.
"""

import re
from contextlib import suppress
from typing import Any

import pyarrow.parquet as pq

from recmodels.errors import ConfigError, NightrecError
from recmodels.metrics.ranking import METRICS
from tasks.compare.champion import full_parameters
from tasks.compare.decision import ComparisonSummary, DecisionRecord
from tasks.offpolicy.values import SLICE
from tasks.report.answers import answers
from tasks.report.arms import arms_figures
from tasks.report.examples import examples
from tasks.report.foretold import foretold_figures
from tasks.report.long_term import long_term
from tasks.report.offpolicy import offpolicy_figures
from tasks.report.past import data_of_nights, nights_before
from tasks.report.record import NightRecord, NightStatus, StageLine
from tasks.report.shown_items import shown_items
from tasks.store.accounts import known, misfits, unused
from tasks.store.files import Json, read_json
from tasks.store.paths import Night
from tasks.store.versions import code_version
from tasks.train.settings import PRIMARY

OVERTAKEN = (
    "The night's working files are of a later run that came to nothing: curves, data and parameters below are its own."
)
EPOCH = re.compile(r"epoch (\d+): loss (\S+), validation NDCG@\d+ ([\d.]+)")
WHOLE = ("all", "window", "windows", SLICE)  # kinds of slices that are no group of users or items
STAGES = {"validation": "valid", "prepare": "features/prepared", "features": "features/train", "gate": "evaluation"}


def figures(night: Night) -> Json:
    """Everything that the report of a night shows.

    Raises:
        ConfigError: the night has left no record.
    """
    record = NightRecord.of_night(night)
    if record is None:
        raise ConfigError(
            f"The night {night.run_date} has left nothing in the store {night.store.root}: `nightrec status` shows "
            "the nights that have."
        )
    content = read_json(night.evaluation / "decision.json") if _compared(record) else None
    decision = None if content is None else DecisionRecord.of(content)
    overtaken = decision is not None and _is_overtaken(record, decision)
    if overtaken and record.gate:
        decision = DecisionRecord(**dict(record.gate), metrics=record.winner_figures, failed=record.failed)
    summary = record if overtaken else _comparison(night) if decision else None
    shown = record.json_ready()
    measured = _measured_of_record(record) if overtaken else _measured(night)
    models = _models(night, decision, measured) if decision else []
    slices = _slices(night) if decision and not overtaken else []
    items, history = shown_items(night, record.export_id), nights_before(night)
    stages = _stages(night, record)
    return {
        "run_date": str(night.run_date),
        "status": record.status.value,
        "news": [*news(record, decision), *([OVERTAKEN] if overtaken else [])],
        "answers": answers(record, decision, models, slices, items, history),
        "record": {
            key: shown.get(key)
            for key in (
                "started_at", "seconds", "peak_bytes", "reason", "winner", "export_id", "users", "cold_users", "rows",
                "k", "measured_on", "interactions", "quarantined", "notes",
            )
        },
        "decision": decision.json_ready() if decision else {},
        "unbeaten": decision.unbeaten if decision else "",
        "models": models,
        "remarks": _remarks(record),
        "reranking": {name: one.json_ready() for name, one in summary.reranking.items()} if summary else {},
        "backtests": {name: one.json_ready() for name, one in summary.backtests.items()} if summary else {},
        "offpolicy": offpolicy_figures(record.offpolicy or (summary.offpolicy if summary else None)),
        "arms": arms_figures(night, record.arms),
        "foretold": foretold_figures(record.foretold),
        "slices": slices,
        "curves": _curves(night),
        "data": _data(night),
        "stages": stages,
        "most_memory": _most_memory(record, stages),
        "history": history,
        "long_term": long_term(night),
        "shown": items,
        "examples": examples(night, record.export_id),
        "parameters": _parameters(night),
    }  # fmt: skip


def news(record: NightRecord, decision: DecisionRecord | None) -> list[str]:
    """What came of the night and why, the most important first: one sentence a paragraph."""
    lines = [*decision.warnings, *([decision.unbeaten] if decision.unbeaten else [])] if decision else []
    comparison = f"{decision.winner}: {decision.reason}." if decision else ""
    match record.status:
        case NightStatus.PUBLISHED:
            lines.append(f"{record.winner or 'A model'} was published as {record.export_id}: {record.reason}.")
            lines += [record.exploration.sentence] if record.exploration else []
            lines += [record.approximate.sentence] if record.approximate else []
            lines += record.sink_failures
        case NightStatus.COMPARED:
            instead = f"It would have been {comparison}"
            if decision and decision.refused:
                instead = f"Nothing would have been: {decision.refused}"
            lines.append(f"Nothing was published, as this was a dry run. {instead}")
        case NightStatus.RUNNING:
            lines.append("The night is still running, or was killed while it ran.")
        case NightStatus.FAILED | NightStatus.INTERRUPTED:
            lines.append(f"Nothing was published, the last export stays: {record.reason or ''}")
            if comparison:
                lines.append(f"By the comparison it would have been {comparison}")
    lines += [record.engine.sentence] if record.engine else []
    return lines


def _remarks(record: NightRecord) -> list[str]:
    """What is to be said of how candidates were trained: a sentence each. Those that failed have theirs."""
    notes = [
        (line.stage.removeprefix("train "), line.message)
        for line in record.stages
        if line.event == "note" and line.stage.startswith("train ")
    ]
    return [f"{name} {message.rstrip('.')}." for name, message in notes if name not in record.failed]


def _compared(record: NightRecord) -> bool:
    """Whether the comparison in the store is this run's; a night that failed before it may have that of an earlier."""
    ended = {line.stage for line in record.stages if line.event in ("done", "skipped")}
    return record.winner is not None or "compare" in ended


def _comparison(night: Night) -> ComparisonSummary | None:
    """The summary of the comparison; None where it was made before there was one."""
    manifest = read_json(night.evaluation / "manifest.json")
    return ComparisonSummary.of(manifest["summary"]) if manifest else None


def _is_overtaken(record: NightRecord, decision: DecisionRecord) -> bool:
    """Whether the comparison in the store is that of a later run, after the one that the record is about."""
    if record.status is not NightStatus.PUBLISHED or record.gate is None:
        return False
    kept, there = ((one.winner, one.reason, one.refused) for one in (record.gate, decision))
    return kept != there


def _measured(night: Night) -> dict[str, Json]:
    """The figures of each model over all users, from the night's comparison."""
    path = night.evaluation / "comparison.parquet"
    found: dict[str, Json] = {}
    for row in pq.read_table(path).to_pylist() if path.exists() else ():
        if row["slice"] == "all":
            figure = {key: row[key] for key in ("value", "low", "high") if row[key] is not None}
            found.setdefault(row["model"], {})[row["metric"]] = figure
    return found


def _measured_of_record(record: NightRecord) -> dict[str, Json]:
    """The same from the night's record, which outlives the comparison."""
    return {
        name: {metric: figure.json_ready() for metric, figure in metrics.items()}
        for name, metrics in record.models.items()
    }


def _models(night: Night, decision: DecisionRecord, found: dict[str, Json]) -> list[Json]:
    """A row a candidate, best first, then those that failed."""
    if not found:
        return []
    worth = worthy(found, decision)
    incumbent = decision.incumbent.name if decision.incumbent else None
    challenges = {one.model: one.json_ready() for one in decision.challengers}
    rows: list[Json] = [
        {
            "model": name,
            "winner": name == decision.winner,
            "champion": name == incumbent,
            "metrics": metrics,
            "challenge": challenges.get(name),
            "best": [metric for metric in metrics if best(metric, name, found, worth)],
        }
        | _cost(night, name)
        for name, metrics in found.items()
    ]
    rows.sort(key=lambda row: -found[row["model"]].get(PRIMARY, {"value": 0})["value"])
    return rows + [
        {"model": name, "winner": name == decision.winner, "failed": reason} for name, reason in decision.failed.items()
    ]


LESS_IS_BETTER = {"gini", "identical_lists", "rmse", "mae"}
NO_BETTER = {"average_popularity", "cold_share"}  # more of it is neither better nor worse
ACCURACY = {*METRICS, "rmse", "mae"}


def worthy(found: dict[str, Json], decision: DecisionRecord) -> set[str]:
    """The models whose lists are good enough for it to matter how varied or new they are: better than popularity."""
    return set(found) if decision.baseline is None else set(decision.baseline.beaten_by)


def best(metric: str, name: str, found: dict[str, Json], worth: set[str]) -> bool:
    """Whether no candidate has a better figure, of those that it is a merit of; where all are equal, none is.

    Accuracy is a merit of any; being diverse, say, only of lists that are better than what is popular.
    """
    among = set(found) if metric in ACCURACY else worth
    values = [found[one][metric]["value"] for one in found if one in among and metric in found[one]]
    if metric in NO_BETTER or name not in among or len(set(values)) < 2:
        return False
    best_value = min(values) if metric in LESS_IS_BETTER else max(values)
    return bool(found[name][metric]["value"] == best_value)


def _cost(night: Night, name: str) -> Json:
    """What training and listing took, and where it was done."""
    listed = (read_json(night.toplists(name) / "manifest.json") or {}).get("summary", {})
    made = listed.get("fit") or listed
    lists = {key: listed.get(key) for key in ("list_seconds", "peak_bytes", "seconds", "cpu_seconds", "host", "device")}
    learned = made.get("learned", {}).get("importances", [])
    return lists | {"fit_seconds": made.get("fit_seconds"), "warm": made.get("warm"), "importances": learned}


def _slices(night: Night) -> list[Json]:
    """The figures of each slice by model; of slices of users the primary metric, of slices of items the recall."""
    path = night.evaluation / "comparison.parquet"
    if not path.exists():
        return []
    found: dict[tuple[str, str], Json] = {}
    rows = [row for row in pq.read_table(path).to_pylist() if row["slice"].partition(":")[0] not in WHOLE]
    by_users = {row["slice"] for row in rows if row["metric"] == PRIMARY}
    for row in rows:
        if row["metric"] == (PRIMARY if row["slice"] in by_users else "recall"):
            one = found.setdefault(
                (row["slice"], row["metric"]),
                {"slice": row["slice"], "metric": row["metric"], "users": row["users"], "models": {}},
            )
            one["models"][row["model"]] = {key: row[key] for key in ("value", "low", "high")}
    return list(found.values())


def _curves(night: Night) -> dict[str, list[Json]]:
    """The epochs of the candidates that train in epochs, from their logs."""
    found = {}
    for path in sorted((night.folder / "logs").glob("*-train.log")):
        lines = EPOCH.findall(path.read_text(encoding="utf-8", errors="replace"))
        # A log of a training that was resumed starts later; of one that was repeated, the last time counts.
        epochs = {int(n): {"epoch": int(n), "loss": float(loss), "ndcg": float(ndcg)} for n, loss, ndcg in lines}
        if epochs:
            found[path.name.removesuffix("-train.log")] = [epochs[n] for n in sorted(epochs)]
    return found


def _data(night: Night) -> Json:
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
        "notes": [
            *(text for say in (unused, misfits, known) if (text := say(summary.get("balances", {})))),
            *raw.get("notes", []),
            *summary.get("notes", []),
        ],
        "recent": data_of_nights(night),
    }


def _stages(night: Night, record: NightRecord) -> list[Json]:
    """What the night did, in its order: when each stage began, how long it took (seconds), its memory and CPU time.

    Those of a training are of its `own` process, which may have waited for its share of the machine before; those of
    other stages of the night's process meanwhile.
    """
    found = []
    for line in record.stages:
        if line.event == "note":
            continue
        name = line.stage.removeprefix("train ")
        own = _cost(night, name) if line.stage.startswith("train ") else {}
        if line.stage.startswith("refit "):
            own = (read_json(night.champion / "manifest.json") or {}).get("summary", {})
        apart = own.get("peak_bytes") is not None
        costs = {key: own.get(key) if apart else getattr(line, key) for key in ("peak_bytes", "cpu_seconds")}
        seconds = (own.get("seconds") or line.seconds) if line.event == "done" else line.seconds
        about = {"stage": line.stage, "event": line.event, "message": line.message, "seconds": seconds}
        found.append(about | costs | {"begin": _begin(line, seconds), "own": apart})
    return sorted(found, key=lambda line: line["begin"] or 0)


def _most_memory(record: NightRecord, stages: list[Json]) -> Json | None:
    """The stage that took the most memory, and what the night planned with; None of a night without stages."""
    ran = [line for line in stages if line["event"] != "skipped" and line["peak_bytes"]]
    if not ran:
        return None
    most = max(ran, key=lambda line: line["peak_bytes"])
    return {"stage": most["stage"], "bytes": most["peak_bytes"], "memory_bytes": record.memory_bytes}


def _begin(line: StageLine, seconds: float) -> float | None:
    """When a stage that took so many seconds began, in seconds since the night did."""
    return None if line.ended is None else round(max(0.0, line.ended - seconds), 3)


def _parameters(night: Night) -> Json:
    """The parameters of each model and stage, the models' defaults included."""
    found: dict[str, Any] = {"models": {}, "stages": {}}
    for path in sorted(night.folder.glob("models/*/manifest.json")):
        recipe = (read_json(path) or {}).get("parameters", {})
        if "recommender" in recipe:
            params = recipe.get("params") or {}
            with suppress(NightrecError):  # of an earlier version, which had others
                params = full_parameters(recipe["recommender"], params)
            given = sorted(recipe.get("params") or {})
            found["models"][path.parent.name] = recipe | {"params": params, "given": given}
    for stage, folder in STAGES.items():
        given = (read_json(night.folder / folder / "manifest.json") or {}).get("parameters", {})
        found["stages"][stage] = given.get("settings", given.get("rules", given)) if stage == "gate" else given
    found["code"] = code_version()
    return found
