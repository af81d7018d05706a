"""What a night of one new file costs beside the night before it: `python -m tests.benchmarks.increments`.

Ten million interactions in a hundred Parquet files, with a catalogue and users; then a file more. Seconds of CPU of
all stages of data, each night in a process of its own, and of a night from scratch, whose prepared rows and features
must be the same; the import of Great Expectations, which every night needs, is told apart. `--format csv`
writes CSV files, `--rows` is for a smaller try.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from recmodels.data.layout import FIRST as FIRST_TIME
from recmodels.data.layout import HOLDOUT, ITEMS, USERS, Split
from recmodels.data.pairs import Pairs

FILES = 100
FIRST = date(2026, 11, 25)
SPLITS: tuple[Split, ...] = ("train", "full")
STAGES = ("ingest", "validate", "prepare", "features")


def write(folder: Path, file: int, rows: int, kind: str, dirty: bool) -> None:
    """A file of interactions of a day, of 200 thousand users with 50 thousand items; `dirty`: 0.1 % have no user."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    random = np.random.default_rng(file)
    day = datetime(2026, 11, 25, tzinfo=UTC) - timedelta(days=FILES - file)
    times = int(day.timestamp()) + np.sort(random.integers(0, 86_400, rows))
    table = pa.table(
        {
            "user_id": pa.array(random.integers(0, 200_000, rows), mask=random.random(rows) < 0.001 * dirty),
            "item_id": pa.array(np.minimum(random.zipf(1.2, rows), 50_000)),
            "timestamp": pa.array(times).cast(pa.timestamp("s", "UTC")),
            "rating": pa.array(random.integers(1, 11, rows) / 2),
        }
    )
    (folder / "log").mkdir(exist_ok=True)
    path = folder / "log" / f"{file:05}.{kind}"
    pq.write_table(table, path) if kind == "parquet" else pc.write_csv(table, path)


def write_rest(folder: Path) -> None:
    """The catalogue and the users."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    titles = pa.array([f"The item of the number {item}" for item in range(1, 50_001)])
    pq.write_table(pa.table({"item_id": range(1, 50_001), "title": titles}), folder / "items.parquet")
    pq.write_table(pa.table({"user_id": range(200_000)}), folder / "users.parquet")


def night(folder: Path, store: str, nth: int, fresh: bool) -> dict[str, Any]:
    """The stages of data; what they say, and their seconds of CPU."""
    from expectations.runner import great_expectations
    from expectations.settings import ValidationSettings
    from tasks.features.settings import FeatureSettings
    from tasks.features.stage import features
    from tasks.ingest.reading.inputs import Inputs, TableInput
    from tasks.ingest.stage import ingest
    from tasks.prepare.settings import PrepareSettings
    from tasks.prepare.stage import prepare
    from tasks.store.paths import Store
    from tasks.validate.stage import validate

    paths = {"interactions": "log", "items": "items.parquet", "users": "users.parquet"}
    inputs = Inputs(**{name: TableInput(path=str(folder / path)) for name, path in paths.items()})
    one = Store(folder / store).night(FIRST + timedelta(days=nth))
    cutoff = datetime(2026, 11, 25, tzinfo=UTC) + timedelta(days=nth)
    started = _seconds()
    great_expectations()
    began = _seconds()
    raw = ingest.fn(one, inputs, cutoff, fresh)
    between = _seconds()
    valid = validate.fn(one, ValidationSettings(), cutoff, raw, fresh)
    validated = _seconds()
    prepared = prepare.fn(one, PrepareSettings(), cutoff, valid, fresh)
    at_last = _seconds()
    described = [features.fn(one, split, FeatureSettings(), prepared, valid, fresh) for split in SPLITS]
    return {
        "import": began - started,
        "ingest": between - began,
        "validate": validated - between,
        "prepare": at_last - validated,
        "features": _seconds() - at_last,
        "bytes": [_read(one.prepared), *(made["output"] for made in described)],
        "known": raw["summary"]["accounts"]["interactions"]["known"],
        "says": _digest(valid["summary"]),
        "rows": _rows(one.valid),
    }


def _read(prepared: Path) -> str:
    """A digest of what is read of the prepared tables, which may share files with those of the night before."""
    found = hashlib.sha256()
    for split in SPLITS:
        pairs = Pairs(prepared, split)
        for name in (*(one for one in pairs.names if one != FIRST_TIME), FIRST_TIME):
            found.update(pairs.columns([name if name in pairs.names else "timestamp"]).popitem()[1].tobytes())
    for name in (USERS, ITEMS, HOLDOUT):
        found.update((prepared / name).read_bytes())
    return found.hexdigest()


def _rows(valid: Path) -> str:
    """A digest of the valid interactions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.store.parts import parts

    found = hashlib.sha256()
    for name in ("user_id", "item_id", "timestamp"):
        for path in parts(valid, "interactions"):
            for chunk in pq.read_table(path, columns=[name])[name].cast(pa.int64()).chunks:
                found.update(chunk.to_numpy().tobytes())
    return found.hexdigest()


def _digest(summary: Any) -> str:
    told = {name: value for name, value in summary.items() if name not in ("message", "balances")}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _total(told: dict[str, Any], *what: str) -> float:
    return sum(told[one] for one in what)


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--dirty", action="store_true", help="some rows of every file are refused")
    parser.add_argument("--night", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.night:
        store, nth, fresh = given.night
        (given.folder / "told.json").write_text(json.dumps(night(given.folder, store, int(nth), fresh == "fresh")))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rest(folder)
        for file in range(FILES):
            write(folder, file, given.rows // FILES, given.format, given.dirty)
        first = _told(folder, "store", 0)
        write(folder, FILES, given.rows // FILES, given.format, given.dirty)
        second, scratch = _told(folder, "store", 1), _told(folder, "scratch", 1)
    for what, told in (("first", first), ("second", second), ("second from scratch", scratch)):
        stages = ", ".join(f"{stage} {told[stage]:.1f} s" for stage in STAGES)
        share = _total(told, *STAGES) / _total(first, *STAGES)
        share_of_all = _total(told, "import", *STAGES) / _total(first, "import", *STAGES)
        print(
            f"{what}: {stages} of CPU ({share:.0%} of the first; {share_of_all:.0%} with the import of "
            f"{told['import']:.1f} s), {told['known']} files known"
        )
    same = all(second[what] == scratch[what] for what in ("says", "rows", "bytes"))
    print("the second says the same as from scratch" if same else "THE SECOND DIFFERS FROM ONE FROM SCRATCH")


def _told(folder: Path, store: str, nth: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.increments", "--folder", str(folder)]
    subprocess.run([*command, "--night", store, str(nth), "known"], check=True, env=os.environ)
    told: dict[str, Any] = json.loads((folder / "told.json").read_text())
    return told


if __name__ == "__main__":
    main()
