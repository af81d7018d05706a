"""What it costs to join what was shown to what was published: ``python -m tests.benchmarks.exposures FOLDER``.

A site of so many users and items, an export with lists of 20 for each of so many nights, and so many exposures of
them, nine in ten as they were published; all of it is written into the folder, which must be empty. Seconds are wall
time and those of the cores; the peak is that of the process, which has written the tables before.
"""

import argparse
import resource
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.exposures.settings import FeedbackSettings
from tasks.exposures.stage import write_exposures
from tasks.store.files import append_line, write_json
from tasks.store.paths import Night, Store

K = 20
RUN_DATE = date(2026, 3, 31)


def write_site(root: Path, users: int, items: int, nights: int, exposures: int, seed: int = 0) -> Night:
    rng = np.random.default_rng(seed)
    night = Store(root).night(RUN_DATE)
    for folder in (night.prepared, night.valid, night.exposures):
        folder.mkdir(parents=True)
    for kind, n in (("user", users), ("item", items)):
        index = pa.array(np.arange(n, dtype=np.int32))
        table = pa.table({f"{kind}_index": index, f"{kind}_id": pa.array(np.arange(n) * 3 + 7)})
        pq.write_table(table, night.prepared / f"{kind}s.parquet")
    parts = []
    for back in range(nights, 0, -1):
        day = RUN_DATE - timedelta(back)
        lists = (rng.integers(items, size=(users, 1)) + np.arange(K) * 977) % items
        publish(night.store, day, lists)
        parts.append(shown(rng, day, lists, exposures // nights))
    pq.write_table(pa.concat_tables(parts), night.valid / "exposures.parquet")
    return night


def publish(store: Store, day: date, lists: np.ndarray) -> None:
    users = len(lists)
    rows = users * K
    topk = store.export(str(day)) / "topk"
    topk.mkdir(parents=True)
    explored = np.tile(np.arange(K) == K - 1, users) & (np.arange(rows) // K % 10 == 0)
    code = pa.DictionaryArray.from_arrays(pa.array(explored.astype(np.int8)), pa.array(["ease", "explore"]))
    table = pa.table(
        {
            "user_id": np.repeat(np.arange(users) * 3 + 7, K),
            "rank": np.tile(np.arange(1, K + 1, dtype=np.int16), users),
            "item_id": lists.ravel() * 3 + 7,
            "model": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array(["ease"])),
            "arm": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array(["main"])),
            "policy": code,
            "propensity": np.where(explored, 0.02, 1).astype(np.float32),
        }
    )
    pq.write_table(table, topk / "part-00000.parquet", row_group_size=128_000)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    about = {"export_id": str(day), "run_date": str(day), "champion": "ease", "files": [], "cutoff": start.isoformat()}
    write_json(store.export_manifest(str(day)), about)
    at = (start + timedelta(hours=5)).isoformat()
    append_line(store.root / "published.jsonl", {"at": at, "export_id": str(day), "instead_of": None, "by": "night"})


def shown(rng: np.random.Generator, day: date, lists: np.ndarray, rows: int) -> pa.Table:
    user, rank = rng.integers(len(lists), size=rows), rng.integers(10, size=rows)
    item = np.where(rng.random(rows) < 0.9, lists[user, rank], rng.integers(lists.shape[1], size=rows))
    start = datetime(day.year, day.month, day.day, 5, tzinfo=UTC).timestamp()
    times = ((start + np.sort(rng.random(rows)) * 60_000) * 1_000_000).astype(np.int64)
    return pa.table(
        {
            "user_id": user * 3 + 7,
            "item_id": item * 3 + 7,
            "rank": (rank + 1).astype(np.int32),
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
            "export_id": pa.array([str(day)] * rows),
            "clicked": rng.random(rows) < 0.05,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, default in (("users", 500_000), ("items", 50_000), ("nights", 7), ("exposures", 10_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    night = write_site(given.folder, given.users, given.items, given.nights, given.exposures)
    began, cpu = time.perf_counter(), time.process_time()
    cutoff = datetime(RUN_DATE.year, RUN_DATE.month, RUN_DATE.day, tzinfo=UTC)
    summary = write_exposures(night, FeedbackSettings(), cutoff, night.exposures)
    seconds, of_cores = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{summary['message']}: {seconds:.1f} s, {of_cores:.1f} s of the cores, peak {peak:.1f} GiB")


if __name__ == "__main__":
    main()
