"""Stage 8, report: what the night leaves behind for people: its record in the store, and artifacts in Prefect."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from recmodels import memory
from recmodels.errors import NightrecError
from tasks.evaluate import PRIMARY
from tasks.publish import sweep_unpublished
from tasks.stage import stage_task, story, tell
from tasks.store import Json, Manifest, Night, now_text, read_json, write_json


@contextmanager
def recorded(night: Night) -> Iterator[Json]:
    """Hold the store for a night, and keep ``night.json`` true to how it goes: running, published or failed.

    A night that is run again and has nothing to do leaves the record of when it was done.
    """
    with night.store.lock(), timed_stages() as stages:
        night.sweep()
        sweep_unpublished(night.store)
        before = read_json(night.summary)
        started = time.perf_counter()
        record: Json = {"run_date": str(night.run_date), "status": "running", "started_at": now_text()}
        write_json(night.summary, record)
        try:
            yield record
            record["status"] = "published"
        except BaseException as error:
            known = isinstance(error, NightrecError)
            record |= {"status": "failed", "reason": str(error) if known else f"{type(error).__name__}: {error}"}
            raise
        finally:
            record |= {"seconds": round(time.perf_counter() - started, 1), "peak_bytes": memory.peak()}
            record["stages"] = stages
            idle = record["status"] == "published" and all(stage["event"] in ("skipped", "note") for stage in stages)
            there = before is not None and before.get("export_id") == record.get("export_id")
            write_json(night.summary, before if before and idle and there else record)


@contextmanager
def timed_stages() -> Iterator[list[Json]]:
    """The stages as they end: what was told of them and how long each took."""
    stages: list[Json] = []

    class Collect(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            told: Any = line
            if told.event != "start":
                stages.append({"stage": told.label, "event": told.event, "told": told.text, "seconds": told.seconds})

    handler = Collect()
    story.addHandler(handler)
    try:
        yield stages
    finally:
        story.removeHandler(handler)


@stage_task("report")
def report(
    night: Night, raw: Manifest, valid: Manifest, prepared: Manifest, comparison: Manifest, export: Json
) -> Json:
    """What happened in the night, as a small record; shown in Prefect as a table and a summary."""
    decision = comparison["summary"]
    record = {
        "export_id": export["export_id"],
        "new_export": not export["skipped"],
        "winner": decision["winner"],
        "reason": decision["reason"],
        "k": decision["k"],
        "models": decision["models"],
        "failed": decision["failed"],
        "measured_on": holdout_text(prepared["summary"]["holdout"]),
        "interactions": raw["summary"]["rows"],
        "quarantined": valid["summary"]["quarantined"],
        "users": export["users"],
        "cold_users": export["cold_users"],
        "rows": export["rows"],
        "notes": [*raw["summary"].get("notes", []), *valid["summary"].get("notes", [])],
    }
    try:
        show(night, record)
    except Exception as error:  # a report that cannot be shown must not cost the night
        tell("report", "note", f"the artifacts could not be written: {error}")
    return record


def show(night: Night, record: Json) -> None:
    k = record["k"]
    table = [
        {"model": name} | {f"{metric}@{k}": interval(figure) for metric, figure in metrics.items()}
        for name, metrics in ranked(record["models"])
    ]
    table += [{"model": name, f"{PRIMARY}@{k}": f"failed: {reason}"} for name, reason in record["failed"].items()]
    create_table_artifact(key="model-comparison", table=table, description=f"Models of the night {night.run_date}")
    create_markdown_artifact(key="night-summary", markdown=markdown(night, record), description="What was published")


def ranked(models: dict[str, Json]) -> list[tuple[str, Json]]:
    """The models, best first."""
    return sorted(models.items(), key=lambda entry: -entry[1][PRIMARY]["value"])


def interval(figure: Json) -> str:
    if "low" not in figure:
        return f"{figure['value']:.4f}"
    return f"{figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}]"


def markdown(night: Night, record: Json) -> str:
    ndcg = record["models"][record["winner"]][PRIMARY]
    lines = [
        f"# Night {night.run_date}",
        f"**{record['winner']}** was published as `{record['export_id']}`: {record['reason']}.",
        "",
        "| | |",
        "|---|---|",
        f"| NDCG@{record['k']} | {interval(ndcg)} |",
        f"| measured on | {record['measured_on']} |",
        f"| interactions | {record['interactions']:,} read, {record['quarantined']:,} quarantined |",
        f"| lists | {record['rows']:,} rows for {record['users']:,} users, {record['cold_users']:,} of them cold |",
        f"| export | `{night.store.export(record['export_id'])}` |",
    ]
    lines += [f"| left out | {name}: {reason} |" for name, reason in record["failed"].items()]
    return "\n".join(lines)


def holdout_text(holdout: Json) -> str:
    what = f"the last {holdout['days']} days" if holdout["protocol"] == "days" else "each user's last item"
    return f"{what}: {holdout['users']:,} users, {holdout['pairs']:,} interactions"
