"""Ten million rows in several formats, ingested: ``python -m tests.benchmarks.ingest [--against FOLDER] [CASE …]``.

Ingest alone (`write_raw`): every line accounted for, ids and timestamps checked. Each case runs in a fresh process,
three times in turn with that of the other code, if FOLDER is a checkout of it. The table shows the median seconds of
the clock and of the CPUs, imports excluded, and the peak memory. CPU seconds compare on a machine that others use.
"""

import argparse
import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CUTOFF = datetime(2026, 11, 25, tzinfo=UTC)
ROUNDS = 3


def parquet(csv: Path, path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet as pq

    pq.write_table(pyarrow.csv.read_csv(csv), path)


def packed(csv: Path, path: Path) -> None:
    with csv.open("rb") as source, gzip.open(path, "wb", compresslevel=4) as out:
        shutil.copyfileobj(source, out, 1 << 20)


def texts(csv: Path, path: Path) -> None:
    """Ids that are texts, and ISO timestamps."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    table = pyarrow.csv.read_csv(csv)
    for place, letter in enumerate("ui"):
        ids = pc.binary_join_element_wise(letter, table[place].cast(pa.string()), "")
        table = table.set_column(place, table.column_names[place], ids)
    times = pc.strftime(table["timestamp"].cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    pyarrow.csv.write_csv(table.set_column(3, "timestamp", times), path)


def lines(csv: Path, path: Path) -> None:
    import duckdb

    duckdb.sql(f"COPY (FROM read_csv('{csv}')) TO '{path}' (FORMAT json)")


CASES: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "CSV": ("log.csv", lambda csv, path: None),
    "CSV, ids and timestamps as text": ("texts.csv", texts),
    "CSV, gzipped": ("log.csv.gz", packed),
    "JSON lines": ("log.jsonl", lines),
    "Parquet": ("log.parquet", parquet),
}


def measure(source: str) -> None:
    """One run in this process: a line of JSON."""
    from recmodels.compute import memory

    try:
        from tasks.ingest.raw_tables import write_raw
    except ImportError:  # where it was before
        from tasks.ingest.stage import write_raw
    from tasks.ingest.reading.inputs import Inputs, TableInput

    inputs = Inputs(interactions=TableInput(path=source))
    with tempfile.TemporaryDirectory(dir=Path(source).parent) as out:
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        rows = write_raw(inputs, CUTOFF, CUTOFF, Path(out))["rows"]
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": memory.peak() / 2**20, "rows": rows}))


def run(source: Path, code: Path) -> dict[str, float]:
    """A measurement with the code of a checkout."""
    command = [sys.executable, "-P", __file__, "--measure", str(source)]
    environment = os.environ | {"PYTHONPATH": str(code)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=code, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: Any) -> None:
    from tests.benchmarks.preparation import write

    here = Path(__file__).parents[2]
    codes = {"now": here} | ({"before": arguments.against.resolve()} if arguments.against else {})
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "log.csv"
        write(csv)
        print("| 10 million rows | seconds | CPU seconds | peak MiB |\n|---|---|---|---|")
        for case in arguments.cases or CASES:
            name, make = CASES[case]
            make(csv, Path(folder) / name)
            runs: dict[str, list[dict[str, float]]] = {code: [] for code in codes}
            for _ in range(ROUNDS):
                for code, place in codes.items():
                    runs[code].append(run(Path(folder) / name, place))
            for code, results in runs.items():
                middle = {key: statistics.median(one[key] for one in results) for key in results[0]}
                figures = f"{middle['seconds']:.1f} | {middle['cpu']:.1f} | {middle['peak']:,.0f}"
                print(f"| {case}{', before' if code == 'before' else ''} | {figures} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2])
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("--against", type=Path)
        parser.add_argument("cases", nargs="*", choices=[[], *CASES])
        main(parser.parse_args())
