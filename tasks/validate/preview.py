"""What validation would refuse, found out in SQL: the same rules, without Great Expectations and its seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from expectations.rules import OCCURRENCE, Rule
from expectations.settings import ValidationSettings
from expectations.tables import DISPENSABLE, row_rules, table_rules
from tasks.store.duckdb import literal, quoted, read_parquet, read_parts
from tasks.store.parts import parts

Row = Mapping[str, Any]


def judged(
    db: duckdb.DuckDBPyConnection,
    raw: Path,
    settings: ValidationSettings,
    cutoff: datetime,
    now: datetime,
    events: Row,
    rejects: Mapping[str, int],
) -> tuple[list[str], list[str]]:
    """What validation would say of a night at the cutoff.

    Args:
        db: a database.
        raw: the folder of the raw tables, as the ingest writes them.
        settings: what the data must be.
        cutoff: aware; the night's.
        now: aware; a day later than it is the future.
        events: `users`, `items`, `newest` and `known_items_share` of the interactions before the cutoff.
        rejects: the lines of each table that are no rows.

    Returns:
        Why it would stop, a sentence for each rule that is broken, and what to do; which rows it would refuse, and why.
    """
    found, rows = [], []
    for name in ("items", "users", "interactions", "tags", "exposures"):
        if not (files := parts(raw, name)):
            continue
        columns = pq.read_schema(files[0])
        rules = row_rules(name, columns.names, settings, now)
        total, refused = _refused(db, columns, name, rules, raw, cutoff)
        bad = sum(refused.values())
        superseded = sum(refused[rule.reason] for rule in rules if rule.checked == OCCURRENCE)
        n_rejects = rejects.get(name, 0)
        share = (bad - superseded + n_rejects) / max(total - superseded + n_rejects, 1)
        reasons = {rule: count for rule, count in refused.items() if count}
        profile = {"table": name, "rows": total - bad, "quarantined_share": share} | dict(events)
        profile["refusals"] = _refusals(name, total - superseded, n_rejects, share, _refusing(rules, reasons))
        rows += [f"{name}: {_rows(n)} because {reason.split(': ', 1)[1]}" for reason, n in reasons.items()]
        stops = [said(rule) for rule in table_rules(name, profile, settings, cutoff) if broken(rule, profile)]
        if name in DISPENSABLE:
            rows += [f"the night would go on without the table {name}: {sentence}" for sentence in stops]
        else:
            found += stops
    return found, rows


def _refusing(rules: Sequence[Rule], reasons: Mapping[str, int]) -> dict[str, int]:
    """The reasons that are more than another row of the same id."""
    superseding = {rule.reason for rule in rules if rule.checked == OCCURRENCE}
    return {reason: count for reason, count in reasons.items() if reason not in superseding}


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _refused(
    db: duckdb.DuckDBPyConnection, columns: pa.Schema, name: str, rules: Sequence[Rule], raw: Path, cutoff: datetime
) -> tuple[int, dict[str, int]]:
    """The rows of a table before the cutoff, and how many each rule is the first to refuse."""
    table = read_parts(raw, name)
    texts = {field.name for field in columns if str(field.type) in ("string", "large_string")}
    if name in ("items", "users"):
        key = quoted(f"{name[:-1]}_id")
        table = f"(SELECT *, row_number() OVER (PARTITION BY {key}) AS {OCCURRENCE} FROM {table})"
    if any(rule.checked == "item_in_catalogue" for rule in rules):
        catalogue = read_parquet(raw / "items.parquet")
        table = f"(SELECT *, item_id IN (SELECT item_id FROM {catalogue}) AS item_in_catalogue FROM {table})"
    case = " ".join(f"WHEN {_breaks(rule, texts)} THEN {place}" for place, rule in enumerate(rules))
    timed = "timestamp" in columns.names
    where = f"WHERE coalesce(timestamp < {literal(cutoff.isoformat())}::TIMESTAMPTZ, true)" if timed else ""
    counted = db.execute(f"SELECT CASE {case} END AS rule, count(*) FROM {table} {where} GROUP BY ALL").fetchall()
    by_rule = dict(counted)
    return sum(by_rule.values()), {rule.reason: by_rule.get(place, 0) for place, rule in enumerate(rules)}


def _breaks(rule: Rule, texts: Collection[str]) -> str:
    """SQL: whether a row breaks a rule; blank `texts` are none."""
    column, bounds = quoted(rule.checked), rule.bounds
    match rule.expectation:
        case "ExpectColumnValuesToNotBeNull":
            return f"{column} IS NULL" + (f" OR trim({column}) = ''" if rule.checked in texts else "")
        case "ExpectColumnValuesToBeNull":
            return f"{column} IS NOT NULL"
        case "ExpectColumnValuesToBeInSet":
            return f"{column} NOT IN ({', '.join(map(_value, bounds['value_set']))})"
        case "ExpectColumnValuesToBeBetween":
            parts = [f"{column} < {_value(bounds['min_value'])}"] if "min_value" in bounds else []
            parts += [f"{column} > {_value(bounds['max_value'])}"] if "max_value" in bounds else []
            return " OR ".join(parts)
        case "ExpectColumnMaxToBeBetween":
            raise ValueError(f"{rule.expectation} judges tables, and no rows")


def _value(value: Any) -> str:
    return f"{literal(value.isoformat())}::TIMESTAMPTZ" if isinstance(value, datetime) else str(value)


def broken(rule: Rule, profile: Row) -> bool:
    """Whether a profile breaks a rule of its table that stops a night."""
    value = profile.get(rule.checked)
    if value is None or rule.severity != "critical":
        return False
    low, high = rule.bounds.get("min_value"), rule.bounds.get("max_value")
    return (low is not None and value < low) or (high is not None and value > high)


def _refusals(name: str, total: int, rejects: int, share: float, refused: Mapping[str, int]) -> str:
    reasons = [f"{count:,} because {reason.split(': ', 1)[1]}" for reason, count in refused.items()]
    reasons += [f"{rejects:,} because the line is no row"] if rejects else []
    bad = sum(refused.values()) + rejects
    return (
        f"{bad:,} of {total + rejects:,} rows ({share:.1%}) of the table {name} would be refused: {'; '.join(reasons)}"
    )


def said(rule: Rule) -> str:
    """What is said of a rule that is broken."""
    return f"{rule.says[0].upper()}{rule.says[1:]}; {rule.advice}."


def age_in_days(cutoff: datetime, newest: datetime) -> float:
    """How old the newest interaction is at the cutoff."""
    return (cutoff - newest) / timedelta(days=1)
