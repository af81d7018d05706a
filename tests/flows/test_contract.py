"""The export contract, checked on the files of a demo night by plain SQL and Arrow, not by our own audit."""

import hashlib
import json
import math
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.published.schema import contract
from tests.flows.running import ROOT, Demo, nightrec
from tests.flows.sites import DAY

K = 10
TEXT_CODE = pa.dictionary(pa.int8(), pa.string())


@pytest.fixture(scope="module")
def exports(demo: Demo) -> Path:
    assert demo.ran.code == 0, demo.ran.err
    return demo.store / "exports"


@pytest.fixture(scope="module")
def manifest(exports: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((exports / "manifests" / f"{DAY}.json").read_text())
    return found


@pytest.fixture(scope="module")
def db(demo: Demo, exports: Path) -> duckdb.DuckDBPyConnection:
    """``topk`` (with the place ``n`` of each row in its file), ``popular``, and what the site itself knows:

    ``seen``: pairs before the night by users that take part; ``users``: those that have not opted out; ``items``:
    those on offer. Rows that lack an id or a time are none (validation puts them aside).
    """
    db = duckdb.connect()
    site, export = demo.store / "demo", exports / str(DAY)
    db.execute(
        f"""
        SET TimeZone = 'UTC';
        CREATE TABLE topk AS SELECT *, row_number() OVER () AS n FROM '{export}/topk/*.parquet';
        CREATE TABLE popular AS SELECT *, row_number() OVER () AS n FROM '{export}/popular/*.parquet';
        CREATE TABLE alike AS SELECT *, row_number() OVER () AS n FROM '{export}/similar/*.parquet';
        CREATE TABLE gone AS SELECT user_id FROM '{site}/users.parquet' WHERE opted_out;
        CREATE TABLE seen AS SELECT DISTINCT user_id, item_id FROM '{site}/interactions.parquet'
            WHERE timestamp < TIMESTAMPTZ '{DAY} 00:00:00Z' AND item_id IS NOT NULL AND user_id IS NOT NULL
            AND user_id NOT IN (FROM gone);
        CREATE TABLE events AS SELECT user_id, item_id, max(timestamp) AS timestamp
            FROM '{site}/interactions.parquet' JOIN seen USING (user_id, item_id)
            WHERE timestamp < TIMESTAMPTZ '{DAY} 00:00:00Z' GROUP BY ALL;
        CREATE TABLE users AS SELECT user_id FROM '{site}/users.parquet' WHERE NOT coalesce(opted_out, false)
            UNION SELECT user_id FROM seen;
        CREATE TABLE items AS SELECT item_id FROM '{site}/items.parquet' WHERE coalesce(available, true)
            UNION SELECT item_id FROM seen WHERE item_id NOT IN (SELECT item_id FROM '{site}/items.parquet');
        """
    )
    return db


def count(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(f"SELECT count(*) FROM ({sql})").fetchone()
    assert row is not None
    return int(row[0])


def test_the_site_puts_the_contract_to_the_test(db: duckdb.DuckDBPyConnection, demo: Demo) -> None:
    """There are users without any history, users that opted out, and items that are not on offer but were liked."""
    assert count(db, "FROM gone") > 0
    assert count(db, "FROM users WHERE user_id NOT IN (SELECT user_id FROM seen)") > 0
    assert count(db, "FROM seen WHERE item_id NOT IN (FROM items)") > 0


COLUMNS = {
    "topk": {
        "run_date": pa.date32(),
        "user_id": pa.string(),
        "rank": pa.int16(),
        "item_id": pa.int64(),
        "score": pa.float32(),
        "model": TEXT_CODE,
        "source": TEXT_CODE,
        "reason_item_id": pa.int64(),
        "arm": TEXT_CODE,
        "policy": TEXT_CODE,
        "propensity": pa.float32(),
    },
    "listed": {
        "run_date": pa.date32(),
        "item_id": pa.int64(),
        "lists": pa.int64(),
        "mean_rank": pa.float32(),
        "first_row": pa.int64(),
        "last_row": pa.int64(),
    },
    "similar": {
        "run_date": pa.date32(),
        "item_id": pa.int64(),
        "rank": pa.int16(),
        "similar_item_id": pa.int64(),
        "score": pa.float32(),
        "model": TEXT_CODE,
    },
    "popular": {
        "run_date": pa.date32(),
        "window": TEXT_CODE,
        "category": pa.string(),
        "rank": pa.int16(),
        "item_id": pa.int64(),
        "score": pa.float32(),
        "model": TEXT_CODE,
    },
}


@pytest.mark.parametrize("table", COLUMNS)
def test_columns_are_those_of_the_contract_and_of_the_manifest(
    exports: Path, manifest: dict[str, Any], table: str
) -> None:
    schema = pq.read_schema(next((exports / str(DAY) / table).iterdir()))
    assert {field.name: field.type for field in schema} == COLUMNS[table]
    assert {field.name for field in schema if field.nullable} <= {"reason_item_id", "category"}
    about = manifest["schema"][table]["columns"]
    assert [(c["name"], c["type"], c["nullable"]) for c in about] == [(f.name, str(f.type), f.nullable) for f in schema]


def test_the_page_of_the_contract_has_every_column(manifest: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    assert set(manifest["schema"]) <= set(contract()["tables"])
    for table, about in contract()["tables"].items():
        section = page.partition(f"\n## `{table}`")[2].partition("\n## ")[0]
        named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        assert named == [column["name"] for column in about["columns"]], table


def test_rows_are_sorted_by_user_and_rank(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "SELECT n, row_number() OVER (ORDER BY user_id, rank) AS m FROM topk QUALIFY n <> m") == 0


def test_every_known_user_has_a_list_and_nobody_else(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "FROM users EXCEPT SELECT user_id FROM topk") == 0
    assert count(db, "SELECT user_id FROM topk EXCEPT FROM users") == 0


def test_users_that_opted_out_are_nowhere(db: duckdb.DuckDBPyConnection, demo: Demo) -> None:
    assert count(db, "FROM topk WHERE user_id IN (FROM gone)") == 0
    prepared = demo.store / "nights" / str(DAY) / "features" / "prepared" / "users.parquet"
    assert count(db, f"FROM '{prepared}' WHERE user_id IN (FROM gone)") == 0


def test_lists_have_k_items_or_all_that_are_eligible(db: duckdb.DuckDBPyConnection) -> None:
    eligible = f"""
        SELECT user_id, least({K}, (SELECT count(*) FROM items) - count(seen.item_id)) AS length
        FROM users LEFT JOIN (FROM seen WHERE item_id IN (FROM items)) AS seen USING (user_id) GROUP BY user_id
    """
    lists = "SELECT user_id, count(*) AS length FROM topk GROUP BY user_id"
    assert count(db, f"({eligible}) EXCEPT ({lists})") == 0


def test_ranks_run_from_one_without_gaps(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "FROM topk QUALIFY rank <> row_number() OVER (PARTITION BY user_id ORDER BY n)") == 0


def test_no_item_is_repeated_seen_or_not_on_offer(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "SELECT 1 FROM topk GROUP BY user_id, item_id HAVING count(*) > 1") == 0
    assert count(db, "FROM topk SEMI JOIN seen USING (user_id, item_id)") == 0
    assert count(db, "FROM topk WHERE item_id NOT IN (FROM items)") == 0


def test_scores_are_finite_and_do_not_increase(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "FROM topk WHERE score IS NULL OR NOT isfinite(score)") == 0
    assert count(db, "FROM topk QUALIFY score > lag(score) OVER (PARTITION BY user_id ORDER BY rank)") == 0


def test_users_without_a_history_get_popular_items_marked_cold(db: duckdb.DuckDBPyConnection) -> None:
    new = "FROM topk WHERE user_id NOT IN (SELECT user_id FROM seen)"
    assert count(db, f"{new} AND source <> 'cold'") == 0
    best = "SELECT rank, item_id FROM popular WHERE category IS NULL AND \"window\" = 'all'"
    assert count(db, f"SELECT rank, item_id {new} EXCEPT {best}") == 0
    assert count(db, "FROM topk WHERE source = 'personal'") > 0
    assert count(db, "FROM topk WHERE source NOT IN ('personal', 'cold')") == 0


def test_a_reason_is_an_item_of_the_users_own_history(db: duckdb.DuckDBPyConnection) -> None:
    reasons = "SELECT user_id, reason_item_id AS item_id FROM topk WHERE reason_item_id IS NOT NULL"
    assert count(db, reasons) > 0
    assert count(db, f"({reasons}) EXCEPT FROM seen") == 0
    assert count(db, "FROM topk WHERE source = 'cold' AND reason_item_id IS NOT NULL") == 0


def test_popular_items_are_those_with_most_users(db: duckdb.DuckDBPyConnection, demo: Demo) -> None:
    """A user that did one thing only is not learnt from; each other user counts once for an item."""
    assert db.execute('SELECT DISTINCT "window"::VARCHAR AS w FROM popular ORDER BY w').fetchall() == [
        ("1d",),
        ("7d",),
        ("all",),
    ]
    for window, days in (("all", 100_000), ("7d", 7), ("1d", 1)):
        since = f"TIMESTAMPTZ '{DAY} 00:00:00Z' - INTERVAL {days} DAYS"
        learnt = "SELECT * FROM events QUALIFY count(*) OVER (PARTITION BY user_id) > 1"
        tally = f"SELECT item_id, count(*)::FLOAT AS score FROM ({learnt}) WHERE timestamp >= {since} GROUP BY item_id"
        overall = f"""
            SELECT row_number() OVER (ORDER BY score DESC, item_id) AS rank, item_id, score
            FROM ({tally}) WHERE item_id IN (FROM items) ORDER BY rank LIMIT {K}
        """
        mine = f"FROM popular WHERE \"window\" = '{window}' AND category"
        assert db.execute(f"SELECT rank, item_id, score {mine} IS NULL ORDER BY n").fetchall() == (
            db.execute(overall).fetchall()
        )
        each = f"""
            SELECT category, row_number() OVER (PARTITION BY category ORDER BY score DESC, item_id) AS rank, item_id
            FROM ({tally}) JOIN '{demo.store}/demo/items.parquet' USING (item_id) WHERE available QUALIFY rank <= {K}
        """
        assert count(db, f"SELECT category, rank, item_id {mine} IS NOT NULL EXCEPT ({each})") == 0
        assert count(db, f"({each}) EXCEPT SELECT category, rank, item_id {mine} IS NOT NULL") == 0


def test_similar_items_are_on_offer_ranked_and_never_the_item_itself(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "SELECT DISTINCT item_id FROM alike") > 50
    assert count(db, "FROM alike WHERE similar_item_id NOT IN (FROM items) OR similar_item_id = item_id") == 0
    assert count(db, "SELECT 1 FROM alike GROUP BY item_id, similar_item_id HAVING count(*) > 1") == 0
    assert count(db, "SELECT n, row_number() OVER (ORDER BY item_id, rank) AS m FROM alike QUALIFY n <> m") == 0
    assert count(db, "FROM alike QUALIFY rank <> row_number() OVER (PARTITION BY item_id ORDER BY n)") == 0
    assert count(db, "FROM alike QUALIFY score > lag(score) OVER (PARTITION BY item_id ORDER BY rank)") == 0
    assert count(db, "FROM alike WHERE NOT isfinite(score) OR rank > 20") == 0


def test_every_row_names_the_night_and_the_model(db: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> None:
    assert db.execute("SELECT DISTINCT run_date, model::VARCHAR FROM topk").fetchall() == [(DAY, manifest["champion"])]
    assert db.execute("SELECT DISTINCT run_date, model::VARCHAR FROM popular").fetchall() == [(DAY, "popularity")]


def test_the_manifest_says_what_is_there(
    exports: Path, manifest: dict[str, Any], db: duckdb.DuckDBPyConnection
) -> None:
    folder = exports / str(DAY)
    assert (manifest["schema_version"], manifest["export_id"], manifest["run_date"]) == (1, str(DAY), str(DAY))
    assert datetime.fromisoformat(manifest["cutoff"]) == datetime.fromisoformat(f"{DAY}T00:00:00+00:00")
    assert manifest["k"] == K
    assert manifest["users"] == count(db, "FROM users")
    assert manifest["rows"] == count(db, "FROM topk")
    cold = "SELECT user_id FROM topk GROUP BY user_id HAVING bool_and(source = 'cold')"
    assert manifest["cold_users"] == count(db, cold)
    assert {file["path"] for file in manifest["files"]} == {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    }
    for file in manifest["files"]:
        path = folder / file["path"]
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert file["bytes"] == path.stat().st_size
        assert file["rows"] == pq.read_metadata(path).num_rows
        if file["path"].startswith("topk/"):
            limits = db.execute(f"SELECT min(user_id), max(user_id) FROM '{path}'").fetchone()
            assert (file["min_user"], file["max_user"]) == limits
    ndcg = manifest["metrics"]["ndcg"]
    assert 0 < ndcg["low"] <= ndcg["value"] <= ndcg["high"] <= 1
    most = {"novelty": math.log2(manifest["users"])}  # in bits; everything else is a share
    assert all(0 <= figure["value"] <= most.get(name, 1) for name, figure in manifest["metrics"].items())
    created, until = (datetime.fromisoformat(manifest[name]) for name in ("created_at", "valid_until"))
    assert created.utcoffset() == timedelta(0) and until - created == timedelta(hours=48)
    assert manifest["nightrec_version"] and manifest["inputs"] and manifest["fingerprint"]


def test_the_pointer_and_the_link_lead_to_the_export(exports: Path) -> None:
    pointer = json.loads((exports / "latest.json").read_text())
    assert pointer["export_id"] == pointer["run_date"] == pointer["path"] == str(DAY)
    named = (exports / pointer["manifest"]).read_bytes()
    assert pointer["manifest_sha256"] == hashlib.sha256(named).hexdigest()
    assert datetime.fromisoformat(pointer["published_at"]).utcoffset() == timedelta(0)
    assert (exports / "latest").readlink() == Path(str(DAY))


def test_there_is_nothing_but_parquet_in_an_export(exports: Path) -> None:
    assert {path.suffix for path in (exports / str(DAY)).rglob("*") if path.is_file()} == {".parquet"}
    assert {path.name for path in exports.iterdir()} == {str(DAY), "latest", "latest.json", "manifests"}


def test_one_users_list_is_found_by_pruning(exports: Path) -> None:
    """Statistics, a page index and the sort order are in the files."""
    metadata = pq.read_metadata(next((exports / str(DAY) / "topk").iterdir()))
    names = metadata.schema.names
    group = metadata.row_group(0)
    assert group.column(names.index("user_id")).statistics.has_min_max
    assert group.column(names.index("user_id")).has_column_index
    assert [names[column.column_index] for column in group.sorting_columns] == ["user_id", "rank"]


def test_verify_agrees_and_finds_a_changed_file(demo: Demo, exports: Path, tmp_path: Path) -> None:
    agreed = nightrec("verify", cwd=demo.folder)
    assert agreed.code == 0, agreed.err
    assert f"{DAY}: 4 files and" in agreed.out and "keep the contract" in agreed.out
    copy = tmp_path / "store"
    (copy / "exports" / "manifests").mkdir(parents=True)
    (copy / "exports" / str(DAY) / "topk").mkdir(parents=True)
    for path in [p for p in exports.rglob("*") if p.is_file() and not p.is_symlink()]:
        target = copy / "exports" / path.relative_to(exports)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    part = next((copy / "exports" / str(DAY) / "topk").iterdir())
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    changed = nightrec("verify", "--store", copy, cwd=tmp_path)
    assert changed.code == 4 and "is not what was published" in changed.err and str(part) in changed.err
    part.unlink()
    missing = nightrec("verify", "--store", copy, cwd=tmp_path)
    assert missing.code == 4 and "is missing" in missing.err and str(part) in missing.err
