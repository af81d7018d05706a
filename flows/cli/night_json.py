"""A night as commands print it for scripts. Keys are never renamed or removed; what is not known is null."""

from typing import TYPE_CHECKING, Any

from tasks.train.settings import PRIMARY

if TYPE_CHECKING:
    from tasks.report.record import NightRecord
    from tasks.store.records import Pointer


def night_json(record: "NightRecord", pointer: "Pointer | None") -> dict[str, Any]:
    """What became of a night; see docs/commands.md."""
    figure = record.winner_figures.get(PRIMARY)
    gate = record.gate
    return {
        "run_date": record.run_date,
        "status": standing(record, pointer),
        "latest": is_latest(record, pointer),
        "exit_code": record.exit_code,
        "reason": record.reason,
        "winner": record.winner,
        "verdict": gate.verdict.value if gate else None,
        "refused": gate.refused if gate else None,
        "ndcg": None if figure is None else {"value": figure.value, "low": figure.low, "high": figure.high},
        "k": record.k,
        "export_id": record.export_id,
        "users": record.users,
        "cold_users": record.cold_users,
        "rows": record.rows,
        "exploration": record.exploration.json_ready() if record.exploration else None,
        "approximate": record.approximate.json_ready() if record.approximate else None,
        "interactions": record.interactions,
        "quarantined": record.quarantined,
        "started_at": record.started_at,
        "seconds": record.seconds,
        "warnings": record.warnings,
        "failed_models": record.failed,
        "failed_sinks": record.sink_failures,
        "attempts": [one.json_ready() for one in record.attempts],
    }


def standing(record: "NightRecord", pointer: "Pointer | None") -> str:
    """How a night stands: its status, or `withdrawn` where its export was rolled back."""
    withdrawn = pointer.get("withdrawn", []) if pointer else []
    return "withdrawn" if record.export_id in withdrawn else record.status.value


def is_latest(record: "NightRecord", pointer: "Pointer | None") -> bool:
    """Whether readers are pointed to its export."""
    return pointer is not None and pointer["export_id"] == record.export_id
