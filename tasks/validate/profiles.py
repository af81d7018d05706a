"""What the rules of a table judge: a row of numbers about it, its profile; and what was refused of it, by examples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations.rules import OCCURRENCE
from expectations.runner import Suite
from expectations.settings import ValidationSettings
from tasks.store.duckdb import literal, quoted, read_files, read_parquet
from tasks.store.opted_out import are_among, opted_out_ids
from tasks.store.parts import parts
from tasks.store.summaries import InteractionsProfile
from tasks.validate.counts import Earlier, count, spread


def of_interactions(
    db: duckdb.DuckDBPyConnection,
    valid: Path,
    settings: ValidationSettings,
    cutoff: datetime,
    earlier: Earlier | None = None,
) -> dict[str, Any]:
    """The numbers of the interactions in a folder of valid tables that table rules judge.

    Args:
        db: gets the tables `by_user` and `by_item`.
        valid: the folder.
        settings: what the data must be.
        cutoff: aware; the night's.
        earlier: the counts of an earlier night that these are made from.
    """
    files, catalogue = parts(valid, "interactions"), valid / "items.parquet"
    count(db, files, earlier)
    n_users, n_items = (_one(db, f"SELECT count(*) FROM by_{name}")[0] for name in ("user", "item"))
    profile: dict[str, Any] = {"users": n_users, "items": n_items}
    seen = spread(files)
    if seen.oldest is not None and seen.newest is not None:
        profile |= {"oldest": seen.oldest, "newest": seen.newest}
        profile["newest_age_days"] = (cutoff - seen.newest) / timedelta(days=1)
    if "rating" in pq.read_schema(files[0]).names:
        profile["ratings"] = seen.ratings
    if catalogue.exists() and n_items:
        unknown = f"item_id NOT IN (SELECT item_id FROM {_scan(catalogue)})"
        rows, missing = _one(db, f"SELECT sum(n), coalesce(sum(n) FILTER ({unknown}), 0) FROM by_item")
        profile |= {"unknown_rows": int(missing), "known_items_share": 1 - int(missing) / int(rows)}
        low = profile["known_items_share"] < settings.min_known_items_share
        profile["unknown_examples"] = _examples(db, read_files(files), "item_id", unknown) if low else ""
    return profile


def of_opted_out(db: duckdb.DuckDBPyConnection, users: Path) -> int:
    """How many of the interactions that `of_interactions` has seen are of users who have opted out."""
    gone = opted_out_ids(users)
    if not len(gone):
        return 0
    found = db.sql("SELECT user_id, n FROM by_user").to_arrow_table()  # texts of millions of users are no objects there
    theirs = found["n"].filter(are_among(found["user_id"].cast(gone.type), gone))
    return int(pc.sum(theirs).as_py() or 0)


def of_items(db: duckdb.DuckDBPyConnection, good: Path) -> dict[str, Any]:
    """How many items have a title, where there are titles."""
    if "title" not in pq.read_schema(good).names:
        return {}
    return {"titles": _one(db, f"SELECT count(title) FROM {_scan(good)}")[0]}


def of_exposures(db: duckdb.DuckDBPyConnection, good: Path, out: Path, listed: Mapping[str, Path]) -> dict[str, Any]:
    """How many exposures are of known users and items, and of items that the export they name has in no list.

    `by_user` and `by_item` are there, from `of_interactions`. `listed`: export -> its table of listed items.
    """
    known = {name: f"SELECT {name}_id FROM by_{name}" for name in ("user", "item")}
    for name in known:
        if (table := out / f"{name}s.parquet").exists():
            known[name] += f" UNION SELECT {name}_id FROM {_scan(table)}"
    both = " AND ".join(f"{name}_id IN ({ids})" for name, ids in known.items())
    rows, unknown = _one(db, f"SELECT count(*), count(*) FILTER (NOT ({both})) FROM {_scan(good)}")
    profile: dict[str, Any] = {}
    if rows:
        profile |= {"unknown_exposures": unknown, "known_exposures_share": 1 - unknown / rows}
    if not listed or "export_id" not in pq.read_schema(good).names:
        return profile
    items = " UNION ALL ".join(
        f"SELECT {literal(export_id)} AS export_id, CAST(item_id AS VARCHAR) AS item FROM {_scan(path)}"
        for export_id, path in listed.items()
    )
    named, unpublished = _one(
        db,
        f"""
        WITH shown AS (
            SELECT export_id, CAST(item_id AS VARCHAR) AS item, count(*) AS n FROM {_scan(good)}
            WHERE export_id IN ({", ".join(map(literal, listed))}) GROUP BY ALL
        )
        SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (listed.item IS NULL), 0)
        FROM shown LEFT JOIN ({items}) AS listed USING (export_id, item)
        """,
    )
    if named:
        profile |= {
            "of_exports": int(named),
            "unpublished": int(unpublished),
            "unpublished_share": int(unpublished) / int(named),
        }
    return profile


def overview(profile: Mapping[str, Any]) -> InteractionsProfile:
    """The profile of the interactions as the summary of the stage gives it."""
    times = {name: profile[name].isoformat() for name in ("oldest", "newest") if name in profile}
    names = ("rows", "users", "items", "newest_age_days", "known_items_share")
    found: Any = {name: profile[name] for name in names if name in profile} | times
    overview: InteractionsProfile = found
    return overview


def refusals(
    db: duckdb.DuckDBPyConnection, name: str, suite: Suite, counts: Mapping[str, Any], bad: Path, quarantine: Path
) -> str:
    """How many rows were refused and why, with examples: the most frequent three reasons."""
    total = counts["rows_in"] - counts["superseded"] + counts["rejects"]
    reasons = [
        (
            finding.refused,
            f"{finding.refused:,} because {finding.rule.column} {finding.rule.says} "
            f"({finding.rule.expectation} on {finding.rule.column}; for example "
            + _examples(db, _scan(bad), finding.rule.shown, f"contains(reason, {literal(finding.rule.reason)})")
            + ")",
        )
        for finding in suite.findings
        if finding.refused and finding.rule.checked != OCCURRENCE
    ]
    if counts["rejects"]:
        rejects = quarantine / "rejects.parquet"
        examples = _examples(db, _scan(rejects), "text", f'"table" = {literal(name)}')
        why = _one(db, f'SELECT reason FROM {_scan(rejects)} WHERE "table" = {literal(name)} LIMIT 1')[0]
        reasons.append(
            (counts["rejects"], f"{counts['rejects']:,} because the line is no row ({why}; for example {examples})")
        )
    reasons.sort(key=lambda reason: -reason[0])
    return (
        f"{counts['refused'] + counts['rejects']:,} of {total:,} rows ({counts['share']:.1%}) of the table {name} are "
        f"refused and in quarantine: {'; '.join(text for _, text in reasons[:3])}"
    )


def _examples(db: duckdb.DuckDBPyConnection, rows: str, column: str, where: str) -> str:
    """Up to three different values of a column, the first with where it stands in the input."""
    found = db.execute(
        f"""
        WITH seen AS (SELECT {quoted(column)} AS value, source_file, source_row, row_number() OVER () AS n
                      FROM {rows} WHERE {where} LIMIT 100000)
        SELECT CASE WHEN value IS NULL THEN 'nothing' ELSE '''' || left(value::VARCHAR, 40) || '''' END,
               arg_min(source_file, n) || ':' || arg_min(source_row, n)
        FROM seen GROUP BY value ORDER BY min(n) LIMIT 3
        """
    ).fetchall()
    return ", ".join(value for value, _ in found) + (f", first at {found[0][1]}" if found else "")


def _scan(file: Path) -> str:
    return read_parquet(file)


def _one(db: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...]
    (row,) = db.execute(query).fetchall()
    return row
