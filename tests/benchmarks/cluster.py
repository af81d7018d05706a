"""What the maps of a night take: ``python -m tests.benchmarks.cluster SITE [--nodes N ...]``.

A night runs on `[engine] kind = "local"` in this process, its candidates one after the other in it as well, and of each
map over buckets it is noted how many there were, their CPU seconds, the bytes that they read and wrote, and those that
several of them read, which a node needs once. With the CPU seconds of what the stages did besides, for which a cluster
waits, that is what nights on clusters are simulated from: docs/cluster.json, from which ``python -m docs.site.scale``
makes its tables.

With `--nodes`, the night then runs on a Ray cluster of so many nodes of this machine, each with a core, and what it
takes is printed beside what it takes simulated. Where there are more nodes than cores, as many nodes as cores are
simulated.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs.site.cluster import FILE, Map, Measured, StageTime, phases, read
from docs.site.cluster import Site as SiteSize
from flows.api import run_night
from recmodels.compute.cores import threads
from recmodels.engine import local
from recmodels.engine.parts import name_of
from recmodels.engine.work import Bucket, Function
from tasks.estimates.cluster import Cluster, simulate
from tasks.store.events import current_stage
from tasks.store.files import Json, read_json
from tasks.store.paths import Night, Store
from tasks.train.process import in_this_process
from tests.benchmarks.record import git
from tests.clusters import ray_nodes

DATE = "2026-11-01"
MODELS = ("popularity", "item_knn", "als")
PUBLISHED = "item_knn"
DISK = 1.5e9  # bytes a second, of this machine's disk and its cache


class Measuring:
    """Notes what each map of an engine takes."""

    def __init__(self) -> None:
        self.maps: list[Map] = []
        self.ended: dict[str, float] = {}  # by stage, the CPU seconds when its last map had
        self.plain = local.LocalEngine.map

    def map(
        self,
        engine: local.LocalEngine,
        function: Function,
        buckets: Sequence[Bucket],
        to: Path,
        **options: Any,
    ) -> list[Path]:
        began, cpu = time.perf_counter(), time.process_time()
        parts = self.plain(engine, function, buckets, to, **options)
        seconds, ended = time.perf_counter() - began, time.process_time()
        readers = Counter(path for bucket in buckets for path in bucket.inputs.values())
        stage = current_stage.get()
        since, self.ended[stage] = cpu - self.ended.get(stage, cpu), ended
        self.maps.append(
            Map(
                stage=stage,
                function=name_of(function),
                buckets=len(buckets),
                seconds=seconds,
                work=ended - cpu,
                read=sum(size(path) for path, times in readers.items() if times == 1),
                once=sum(size(path) for path, times in readers.items() if times > 1),
                written=sum(map(size, parts)),
                fetched=options.get("fetch", True),
                since=since,
            )
        )
        return parts


def size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) if path.is_dir() else path.stat().st_size


def run(site: Path, store: Path, engine: str) -> Json:
    """Run a night with these settings of the engine; its record."""
    settings = store.parent / f"{store.name}.toml"
    settings.write_text(f"[engine]\n{engine}\n[training]\nparallel = 1\n")
    run_night(
        str(site / "interactions*.parquet"), str(site / "items.parquet"), str(site / "users.parquet"),
        store=store, run_date=DATE, models=list(MODELS), config=settings, forced_model=PUBLISHED,
    )  # fmt: skip
    return read_json(_night(store).summary) or {}


def _night(store: Path) -> Night:
    return Store(store).night(next(iter(Store(store).all_nights())).run_date)


def measured(site: Path, store: Path) -> Measured:
    """Run a night on the local engine."""
    measuring = Measuring()

    def noting(engine: local.LocalEngine, *args: Any, **kwargs: Any) -> list[Path]:
        return measuring.map(engine, *args, **kwargs)

    local.LocalEngine.map = noting  # type: ignore[method-assign]
    token = in_this_process.set(True)
    try:
        record = run(site, store, 'kind = "local"')
    finally:
        in_this_process.reset(token)
        local.LocalEngine.map = measuring.plain  # type: ignore[method-assign]
    stages = [
        StageTime(stage=line["stage"], seconds=line["seconds"], work=line["cpu_seconds"] or 0.0)
        for line in record["stages"]
        if line["event"] == "done"
    ]
    counts = (read_json(_night(store).prepared / "manifest.json") or {})["summary"]
    return Measured(
        interactions=counts["events"],
        users=counts["users"],
        items=counts["items"],
        pairs=counts["full"]["rows"],
        commit=git("rev-parse", "--short=12", "HEAD"),
        maps=measuring.maps,
        stages=stages,
    )


def beside(site: Path, folder: Path, found: Measured, counts: Sequence[int]) -> None:
    """Print what the night takes on so many nodes, simulated and measured."""
    here = SiteSize(found.interactions, found.users, found.items, found.pairs)
    print("| nodes | simulated | measured |\n|---|---|---|")
    for count in counts:
        cluster = Cluster(min(count, threads()), 1, DISK)
        simulated = simulate(phases(found, here, skipped=()), cluster).seconds
        with ray_nodes(count) as nodes:
            record = run(site, folder / f"nodes-{count}", f'kind = "ray"\naddress = "{nodes.address}"')
        print(f"| {count} | {simulated:.0f} s | {record['seconds']:.0f} s |", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Measure a night, and write what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cluster", description=__doc__)
    parser.add_argument("site", type=Path, help="a folder of a demo site")
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE.json", help="[docs/cluster.json]")
    parser.add_argument("--nodes", type=int, nargs="*", default=(), metavar="N", help="clusters to compare with")
    parser.add_argument("--measured", action="store_true", help="take what the file has: measure no night for it")
    options = parser.parse_args(arguments)
    site = options.site.absolute()
    with tempfile.TemporaryDirectory(prefix="nightrec-cluster-") as name:
        folder = Path(name)
        found = read(options.out) if options.measured else measured(site, folder / "store")
        if not options.measured:
            options.out.write_text(json.dumps(found.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
        for one in found.maps:
            print(f"{one.stage:24} {one.function:60} {one.buckets:4} {one.work:7.2f} s {one.written / 1e6:8.1f} MB")
        if options.nodes:
            beside(site, folder, found, options.nodes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
