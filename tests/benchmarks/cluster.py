"""What the maps of a night take: ``python -m tests.benchmarks.cluster SITE --interactions MILLIONS``.

A night runs on `[engine] kind = "local"` in this process, its candidates one after the other in it as well, and of each
map over buckets it is noted how many there were, their CPU seconds, the bytes that they read and wrote, and those that
several of them read, which a node needs once. With what the stages did besides, for which a cluster waits, that is what
nights on clusters are simulated from: docs/cluster.json, from which ``python -m docs.site.scale`` makes its tables.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs.site.cluster import FILE, Map, Measured, StageTime
from flows.api import run_night
from recmodels.engine import local
from recmodels.engine.parts import name_of
from recmodels.engine.work import ONE_CORE, Bucket, Function, Needs
from tasks.store.events import current_stage
from tasks.store.files import read_json
from tasks.store.paths import Store
from tasks.train.process import in_this_process
from tests.benchmarks.record import git

DATE = "2026-11-01"
MODELS = ("popularity", "item_knn", "als")
PUBLISHED = "item_knn"


class Measuring:
    """Notes what each map of an engine takes."""

    def __init__(self) -> None:
        self.maps: list[Map] = []
        self.ended: dict[str, float] = {}  # by stage, when its last map has
        self.plain = local.LocalEngine.map

    def map(
        self,
        engine: local.LocalEngine,
        function: Function,
        buckets: Sequence[Bucket],
        to: Path,
        *,
        code: str,
        needs: Needs = ONE_CORE,
        fetch: bool = True,
    ) -> list[Path]:
        began, cpu = time.perf_counter(), time.process_time()
        parts = self.plain(engine, function, buckets, to, code=code, needs=needs, fetch=fetch)
        seconds, work = time.perf_counter() - began, time.process_time() - cpu
        readers = Counter(path for bucket in buckets for path in bucket.inputs.values())
        stage = current_stage.get()
        since, self.ended[stage] = began - self.ended.get(stage, began), began + seconds
        self.maps.append(
            Map(
                stage=stage,
                function=name_of(function),
                buckets=len(buckets),
                seconds=seconds,
                work=work,
                read=sum(size(path) for path, times in readers.items() if times == 1),
                once=sum(size(path) for path, times in readers.items() if times > 1),
                written=sum(map(size, parts)),
                fetched=fetch,
                since=since,
            )
        )
        return parts


def size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) if path.is_dir() else path.stat().st_size


def measured(site: Path, store: Path) -> Measured:
    """Run a night on the local engine."""
    measuring = Measuring()

    def noting(engine: local.LocalEngine, *args: Any, **kwargs: Any) -> list[Path]:
        return measuring.map(engine, *args, **kwargs)

    settings = store.parent / "nightrec.toml"
    settings.write_text('[engine]\nkind = "local"\n[training]\nparallel = 1\n')
    local.LocalEngine.map = noting  # type: ignore[method-assign]
    token = in_this_process.set(True)
    try:
        run_night(
            str(site / "interactions*.parquet"), str(site / "items.parquet"), str(site / "users.parquet"),
            store=store, run_date=DATE, models=list(MODELS), config=settings, forced_model=PUBLISHED,
        )  # fmt: skip
    finally:
        in_this_process.reset(token)
        local.LocalEngine.map = measuring.plain  # type: ignore[method-assign]
    night = Store(store).night(next(iter(Store(store).all_nights())).run_date)
    record, prepared = read_json(night.summary) or {}, read_json(night.prepared / "manifest.json") or {}
    stages = [
        StageTime(stage=line["stage"], seconds=line["seconds"]) for line in record["stages"] if line["event"] == "done"
    ]
    counts = prepared["summary"]
    return Measured(
        interactions=counts["events"],
        users=counts["users"],
        items=counts["items"],
        pairs=counts["full"]["rows"],
        commit=git("rev-parse", "--short=12", "HEAD"),
        maps=measuring.maps,
        stages=stages,
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure a night, and write what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cluster", description=__doc__)
    parser.add_argument("site", type=Path, help="a folder of a demo site")
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE.json", help="[docs/cluster.json]")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="nightrec-cluster-"))
    try:
        found = measured(options.site.absolute(), folder / "store")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    options.out.write_text(json.dumps(found.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    for one in found.maps:
        print(f"{one.stage:24} {one.function:60} {one.buckets:4} {one.work:7.2f} s {one.written / 1e6:8.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
