"""Seconds and peak memory of validating ten million interactions: ``python -m tests.benchmarks.validation``.

Each measurement is a fresh process, the import of Great Expectations included.
"""

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROWS, PART = 10_000_000, 1_000_000
NOW = datetime(2026, 11, 25, tzinfo=UTC)
CASES = {"clean": "nothing refused", "dirty": "0.3 % refused, everywhere", "text": "text ids, events, 0.3 % refused"}


def write(folder: Path, case: str) -> None:
    """Interactions of 200 thousand users with 50 thousand items in the three months before ``NOW``."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(7)
    bad = 0 if case == "clean" else 3000
    writer = None
    for begin in range(0, ROWS, PART):
        chosen = random.choice(PART, max(bad, 1), replace=False)
        nobody, never = np.zeros(PART, np.bool_), np.zeros(PART, np.bool_)
        nobody[chosen[: bad // 3]], never[chosen[bad // 3 : bad // 3 * 2]] = True, True
        user, item = random.integers(0, 200_000, PART), np.minimum(random.zipf(1.2, PART), 50_000)
        time_us = int(NOW.timestamp() * 1e6) - random.integers(1, 90 * 86_400_000_000, PART)
        rating = random.integers(1, 11, PART) / 2
        rating[chosen[bad // 3 * 2 : bad]] = 99
        columns = {
            "user_id": pa.array(user, mask=nobody),
            "item_id": pa.array(item),
            "timestamp": pa.array(time_us, mask=never).cast(pa.timestamp("us", tz="UTC")),
            "rating": pa.array(rating),
            "source_file": pa.array(["ratings.csv"]).take(pa.array(np.zeros(PART, np.int64))),
            "source_row": pa.array(np.arange(begin + 2, begin + PART + 2)),
            "timestamp_text": pa.array(["soon"]).take(pa.array(np.zeros(PART, np.int64), mask=~never)),
            "rating_text": pa.nulls(PART, pa.string()),
        }
        if case == "text":
            columns |= {name: columns[name].cast(pa.string()) for name in ("user_id", "item_id")}
            columns["event"] = pa.array(["view", "cart", "purchase"]).take(pa.array(random.integers(0, 3, PART)))
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(folder / "interactions.parquet", table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def measure(folder: Path) -> None:
    """Validate what ``write`` wrote, and print what it took."""
    started = time.perf_counter()
    from expectations.settings import ValidationSettings
    from tasks.validate.stage import write_valid

    out = {name: folder / name for name in ("valid", "quarantine", "docs")}
    for path in out.values():
        path.mkdir()
    rules = ValidationSettings(rating_min=0.5, rating_max=5)
    told = write_valid(folder, rules, NOW, NOW, [ROWS], out["valid"], out["quarantine"], out["docs"])["message"]
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, cpu = time.perf_counter() - started, used.ru_utime + used.ru_stime
    print(f"{seconds:.1f} s ({cpu:.1f} s of CPU), {used.ru_maxrss / 1024**2:.2f} GiB: {told}")


def main() -> None:
    for case, words in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            for step in ("write", "measure"):
                if step == "measure":
                    print(f"{words}: ", end="", flush=True)
                subprocess.run([sys.executable, "-m", "tests.benchmarks.validation", step, folder, case], check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder, case]:
            write(Path(folder), case)
        case ["measure", folder, _]:
            measure(Path(folder))
        case _:
            main()
