"""From a CSV of ten million rows to encoded, sorted Parquet: ``python -m tests.benchmarks.preparation [CASE …]``.

Read, drop duplicates, 5-core, dense ids, sort by user and time, write; validation aside. Cases: ``nightrec`` (ingest
and prepare, with quarantine and manifests, one window), ``both`` (the same, and the training window too, as a night
does), ``2GiB`` (the same with ``memory = "2GiB"``, by ranges of users), ``engine`` (prepared bucket by bucket on this
machine's engine, to the same bytes), ``duckdb``, ``polars`` and ``pandas`` (the same work in a few lines of each). Each
runs in a fresh process, three times in turn; the table shows the median seconds, imports excluded, and the peak memory.
"""

import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recmodels.compute import memory

ROWS, DAYS = 10_000_000, 90
CUTOFF = datetime(2026, 11, 25, tzinfo=UTC)
ROUNDS = 3


def write(path: Path, n: int = ROWS) -> None:
    """`n` interactions of a fiftieth as many users and a two-hundredth as many items, in order of time, as in a log."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    random = np.random.default_rng(7)
    begin = int((CUTOFF - timedelta(days=DAYS)).timestamp())
    columns = {
        "user_id": (random.random(n) ** 1.5 * (n // 50)).astype(np.int64) + 1,
        "item_id": (random.random(n) ** 2.5 * (n // 200)).astype(np.int64) + 1,
        "rating": random.integers(1, 11, n) / 2,
        "timestamp": begin + np.sort(random.integers(0, DAYS * 86_400, n)),
    }
    pyarrow.csv.write_csv(pa.table(columns), path)


def nightrec(source: Path, out: Path, holdout: str = "none") -> None:
    from recmodels.engine.current import asked_for
    from tasks.ingest.raw_tables import write_raw
    from tasks.ingest.reading.inputs import Inputs, TableInput
    from tasks.prepare import ranges, reading, tables
    from tasks.prepare import stage as prepare
    from tasks.prepare.holdout import microseconds
    from tasks.prepare.settings import PrepareSettings
    from tasks.store.manifests import run_stage

    inputs = Inputs(interactions=TableInput(path=str(source)))
    rules = PrepareSettings(min_user_interactions=5, min_item_interactions=5, holdout="days")
    run_stage(out / "raw", lambda raw: write_raw(inputs, CUTOFF, CUTOFF, raw), code="", inputs={}, parameters={})
    if holdout == "none":

        def one_window(folder: Path) -> dict[str, int]:
            log = reading.read_ranges(out / "raw", rules, memory.total(), folder)
            rows = log.pairs(0)
            rows = ranges.k_core(log, ranges.PAIRS, rules).of(rows)
            tables.write_index(folder / "users.parquet", "user", log.user_ids, out / "none")
            tables.write_index(folder / "items.parquet", "item", log.item_ids, out / "none")
            tables.write_rows(folder / "interactions.parquet", [rows], microseconds(CUTOFF), began=False)
            return {"rows": len(rows)}

        run_stage(out / "prepared", one_window, code="", inputs={}, parameters={})
    else:
        run_stage(
            out / "prepared",
            lambda folder: prepare.write_prepared(
                out / "raw", rules, CUTOFF, folder, on_engine=out / "parts" if asked_for() else None
            ),
            code="",
            inputs={},
            parameters={},
        )


def both(source: Path, out: Path) -> None:
    nightrec(source, out, "days")


def both_in_2_gib(source: Path, out: Path) -> None:
    with memory.at_most(2**31):
        nightrec(source, out, "days")


def on_engine(source: Path, out: Path) -> None:
    from recmodels.engine.current import using
    from recmodels.engine.local import LocalEngine

    with using(LocalEngine()):
        nightrec(source, out, "days")


def duckdb(source: Path, out: Path) -> None:
    import duckdb

    db = duckdb.connect(config={"temp_directory": str(out)})
    db.execute(
        f"""
        CREATE TABLE log AS SELECT user_id, item_id, max(timestamp) AS timestamp, arg_max(rating, timestamp) AS rating
        FROM read_csv('{source}') GROUP BY user_id, item_id
        """
    )
    before = -1
    while before != (left := db.sql("SELECT count(*) FROM log").fetchall()[0][0]):
        before = left
        db.execute(
            """
            CREATE OR REPLACE TABLE log AS FROM log
            WHERE user_id IN (SELECT user_id FROM log GROUP BY 1 HAVING count(*) >= 5)
              AND item_id IN (SELECT item_id FROM log GROUP BY 1 HAVING count(*) >= 5)
            """
        )
    for kind in ("user", "item"):
        db.execute(
            f"""
            CREATE TABLE {kind}s AS SELECT row_number() OVER (ORDER BY {kind}_id) - 1 AS {kind}_index, {kind}_id
            FROM (SELECT DISTINCT {kind}_id FROM log)
            """
        )
        db.execute(f"COPY {kind}s TO '{out}/{kind}s.parquet'")
    db.execute(
        f"""
        COPY (SELECT user_index::INT AS user_index, item_index::INT AS item_index, timestamp, rating
              FROM log JOIN users USING (user_id) JOIN items USING (item_id) ORDER BY user_index, timestamp)
        TO '{out}/interactions.parquet'
        """
    )


def polars(source: Path, out: Path) -> None:
    import polars as pl

    log = pl.read_csv(source).sort("timestamp", maintain_order=True)
    log = log.unique(["user_id", "item_id"], keep="last", maintain_order=True)
    before = -1
    while before != len(log):
        before = len(log)
        log = log.filter((pl.len().over("user_id") >= 5) & (pl.len().over("item_id") >= 5))
    for kind in ("user", "item"):
        index = log.select(pl.col(f"{kind}_id").unique().sort()).with_row_index(f"{kind}_index")
        index.write_parquet(out / f"{kind}s.parquet")
        log = log.join(index, on=f"{kind}_id", maintain_order="left").drop(f"{kind}_id")
    log.sort("user_index", "timestamp", maintain_order=True).write_parquet(out / "interactions.parquet")


def pandas(source: Path, out: Path) -> None:
    import pandas as pd

    log = (
        pd.read_csv(source).sort_values("timestamp", kind="stable").drop_duplicates(["user_id", "item_id"], keep="last")
    )
    before = -1
    while before != len(log):
        before = len(log)
        for kind in ("user_id", "item_id"):
            log = log[log.groupby(kind)[kind].transform("size") >= 5]
    for kind in ("user", "item"):
        codes, ids = pd.factorize(log[f"{kind}_id"], sort=True)
        log[f"{kind}_index"] = codes.astype("int32")
        pd.DataFrame({f"{kind}_id": ids}).to_parquet(out / f"{kind}s.parquet")
    log = log.drop(columns=["user_id", "item_id"]).sort_values(["user_index", "timestamp"], kind="stable")
    log.to_parquet(out / "interactions.parquet")


CASES: dict[str, Callable[[Path, Path], None]] = {
    "nightrec": nightrec,
    "both": both,
    "2GiB": both_in_2_gib,
    "engine": on_engine,
    "duckdb": duckdb,
    "polars": polars,
    "pandas": pandas,
}


def measure(case: str, source: str) -> None:
    """One run in this process: a line of JSON."""
    for module in (
        [case] if case in ("duckdb", "polars", "pandas") else ["tasks.ingest.raw_tables", "tasks.prepare.stage"]
    ):
        importlib.import_module(module)  # the time of imports is not that of the work
    with tempfile.TemporaryDirectory(dir=Path(source).parent) as out:
        started = time.perf_counter()
        CASES[case](Path(source), Path(out))
        print(json.dumps({"seconds": time.perf_counter() - started, "peak": memory.peak()}))


def main(cases: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "log.csv"
        write(source)
        runs: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
        for _ in range(ROUNDS):
            for case in cases:
                command = [sys.executable, "-m", "tests.benchmarks.preparation", "--measure", case, str(source)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                runs[case].append(json.loads(done.stdout.splitlines()[-1]))
        print("| engine | seconds (median of 3; min to max) | peak MiB |\n|---|---|---|")
        for case, results in runs.items():
            seconds = sorted(result["seconds"] for result in results)
            peak = max(result["peak"] for result in results) / 2**20
            middle = statistics.median(seconds)
            print(f"| {case} | {middle:.1f} ({seconds[0]:.1f} to {seconds[-1]:.1f}) | {peak:,.0f} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:4])
    else:
        main(sys.argv[1:] or list(CASES))
