"""What reading a log costs, by where it lies, and what the day after: `python -m tests.benchmarks.sources`.

A hundred days of interactions in Parquet files, one a day, in a PostgreSQL server of its own, read by a watermark, and
in a Delta table with a partition for each day; then a day more. Seconds of CPU and the peak of memory of ingest, which
for a database begins with reading its rows, each in a process of its own. What the server takes is not in them.
`--rows` are those of the hundred days.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.tasks import servers

if TYPE_CHECKING:
    import psycopg

DAYS = 100
END = date(2026, 11, 1)
PASSWORD = "a secret"


def day_of(day: int, rows: int) -> pa.Table:
    """The interactions of a day, of 10,000 users with 20,000 items."""
    random = np.random.default_rng(day)
    begin = int(datetime(END.year, END.month, END.day, tzinfo=UTC).timestamp()) - (DAYS - day) * 86_400
    return pa.table(
        {
            "user_id": random.integers(0, 10_000, rows),
            "item_id": np.minimum(random.zipf(1.2, rows), 20_000),
            "timestamp": pa.array(begin + np.sort(random.integers(0, 86_400, rows))).cast(pa.timestamp("s", "UTC")),
            "event": pa.array(["view"] * rows),
        }
    )


class Site:
    """A log in three places, and how a night is given each."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        with self.connected() as connection:
            connection.execute(
                "CREATE TABLE events (user_id bigint, item_id bigint, timestamp timestamptz, event text);"
                "CREATE INDEX ON events (timestamp)"
            )
        (folder / "log").mkdir()
        place = f"postgresql://shop@{database.rpartition('@')[2]}"
        self.inputs = {
            "Parquet files": {"path": str(folder / "log")},
            "PostgreSQL, by a watermark": {"path": place, "table": "events", "watermark": "timestamp"},
            "Delta, a partition a day": {"path": str(folder / "lake")},
        }

    def connected(self) -> "psycopg.Connection":
        """A connection to the server, which ends once none is left."""
        import psycopg

        return psycopg.connect(self.database)

    def add(self, day: int, rows: int) -> None:
        """A day more, everywhere."""
        import deltalake
        import pyarrow.csv as pc

        table = day_of(day, rows)
        pq.write_table(table, self.folder / "log" / f"{day:05}.parquet")
        called = pa.array([f"{day:05}"] * rows)
        deltalake.write_deltalake(
            str(self.folder / "lake"), table.append_column("day", called), mode="append", partition_by=["day"]
        )
        text = pa.BufferOutputStream()
        pc.write_csv(table, text, pc.WriteOptions(include_header=False))
        with self.connected() as connection, connection.cursor().copy("COPY events FROM STDIN (FORMAT csv)") as copy:
            copy.write(text.getvalue().to_pybytes())


def night(folder: Path, given: dict[str, Any], nth: int) -> dict[str, Any]:
    """Ingest; what it says, its seconds of CPU, and its peak."""
    from tasks.ingest.reading.inputs import Inputs, TableInput
    from tasks.ingest.stage import ingest
    from tasks.store.paths import Store

    began = _used().ru_utime + _used().ru_stime
    day = END + timedelta(days=nth)
    inputs = Inputs(interactions=TableInput(**given))
    raw = ingest.fn(Store(folder).night(day), inputs, datetime(day.year, day.month, day.day, tzinfo=UTC))
    return {
        "rows": raw["summary"]["rows"],
        "known": raw["summary"]["accounts"]["interactions"]["known"],
        "seconds": _used().ru_utime + _used().ru_stime - began,
        "peak": _used().ru_maxrss / 1024,
    }


def _used() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_SELF)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--night", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.night:
        store, inputs, nth = given.night
        print(json.dumps(night(Path(store), json.loads(inputs), int(nth))))
        return
    with tempfile.TemporaryDirectory() as name, servers.postgres(password=PASSWORD) as database:
        site = Site(Path(name), database)
        for day in range(DAYS):
            site.add(day, given.rows // DAYS)
        for nth in range(2):
            for number, (place, inputs) in enumerate(site.inputs.items()):
                command = [sys.executable, "-m", "tests.benchmarks.sources", "--night", f"{name}/store-{number}"]
                done = subprocess.run(
                    [*command, json.dumps(inputs), str(nth)],
                    check=True,
                    env=os.environ | {"PGPASSWORD": PASSWORD},
                    capture_output=True,
                    text=True,
                )
                told = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"{'the day after' if nth else 'the first night'}, {place}: {told['rows']:,} rows, "
                    f"{told['known']} files known, {told['seconds']:.2f} s of CPU, {told['peak']:,.0f} MiB"
                )
            site.add(DAYS, given.rows // DAYS)


if __name__ == "__main__":
    main()
