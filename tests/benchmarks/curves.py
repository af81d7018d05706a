"""What nights of a million to a hundred million interactions take: ``python -m tests.benchmarks.curves [MILLIONS …]``.

Each is a real night on a demo site, by `nightrec run` with an empty store: one training at a time, so that figures are
those of a model alone, 10,000 users are measured, and the lists of one model are published whichever is best. Seconds,
CPU seconds and memory of stages and models are those of the night's own record; the most that all of its processes hold
at a time is sampled from /proc, so that this needs Linux. Of the smaller sizes (``--after``) the night after is
measured, too: in the same store, with a further file of a day, some 1 % of the rows. ``--data`` is a folder with the
sites (1m, 3m, 10m, …); what is missing there is made in ``--work``. There each night that is measured is kept, so that
a run that was cut short goes on with what is missing, and ``--again`` measures sizes once more. All goes to
docs/curves.json, beside what that has of other sizes; then ``python -m docs.site.scale`` makes the tables and pictures
of the documentation, and the speeds of estimates, from it.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from docs.site.curves import FILE, Curves, Machine, Model, Night, Stage
from tasks.compare.champion import full_parameters
from tasks.store.files import read_json
from tasks.store.machine import core_count
from tasks.train.process import IN_TIME
from tests.benchmarks.record import ROOT, git
from tests.benchmarks.watching import Watched, watched

DATE = "2026-11-01"
NEXT = str(date.fromisoformat(DATE) + timedelta(days=1))
AFTER = (1, 3, 10)
SITES = {
    1: (10_000, 20_000),
    3: (30_000, 35_000),
    10: (100_000, 60_000),
    30: (300_000, 110_000),
    100: (1_000_000, 200_000),
}
"""Millions of interactions, and the users and items of a site that has them."""

MODELS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "item_knn": {},
    "als": {},
    "bpr": {"parameters": {"epochs": 4}},
    "graph_filter": {"parameters": {"rank": 64, "neighbors": 200}},
    "ease": {"parameters": {"method": "approximate", "neighbors": 200}},
    "hybrid": {"parameters": {"epochs": 2}, "minutes": 3.0},
    "transformer": {"parameters": {"loss": "sampled", "epochs": 2, "dim": 64, "layers": 1}, "minutes": 3.0},
    "content": {},
}
"""Candidates: their parameters, and the minutes that end a training in epochs."""

LISTING_MINUTES = 60
PUBLISHED = "item_knn"
MEASURED_USERS = 10_000
OVER = re.compile(r"minutes (are over|have no room)")
"""What the log of a training says that its minutes ended."""
RANGES = re.compile(r", in (\d+) ranges of users")
"""What preparation says where the rows were not in memory at once."""


def main(arguments: list[str] | None = None) -> int:
    """Measure what is missing, and write what is there."""
    options = _options(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    for size in options.sizes:
        kept = options.work / f"{size}m.json"
        if not options.again and _is_enough(kept, size in options.after):
            print(f"{size} million: measured already")
            continue
        night = followed(size, options) if size in options.after else measured(size, site(size, options), options)
        kept.write_text(night.model_dump_json())
        print(
            f"{size} million: {night.seconds:,.0f} s, {night.cpu_seconds:,.0f} s of the cores, "
            f"{night.peak_bytes / 2**30:.1f} GiB at a time",
            f"; the night after {night.after.seconds:,.0f} s" if night.after else "",
            sep="",
            flush=True,
        )
        found = [path for path in options.work.glob("*m.json") if not path.name.startswith("next-")]
        write(options.out, [Night.model_validate_json(path.read_bytes()) for path in found])
    return 0


def _is_enough(kept: Path, after: bool) -> bool:
    """Whether a size was measured, with the night after if it is wanted."""
    return kept.exists() and (not after or Night.model_validate_json(kept.read_bytes()).after is not None)


def followed(size: int, options: argparse.Namespace) -> Night:
    """A night, and the night after."""
    keeping = argparse.Namespace(**vars(options) | {"keep": True})
    night = measured(size, linked(size, options), keeping)
    after = measured(size, linked(size, options, after=True), options, NEXT, after=True)
    return night.model_copy(update={"after": after})


def linked(size: int, options: argparse.Namespace, after: bool = False) -> Path:
    """A folder with the files of a site, as known files go by their paths; `after`: with that of the day after, too."""
    folder, day = options.work / f"next-{size}m", options.work / f"day-{size}m.parquet"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in site(size, options).glob("*.parquet"):
        (folder / path.name).symlink_to(path)
    if after:
        if not day.exists():
            _write_day(size, day, options)
        pq.write_table(pq.read_table(day).slice(0, options.rows), folder / f"interactions-{NEXT}.parquet")
    return folder


def _write_day(size: int, day: Path, options: argparse.Namespace) -> None:
    """The day after: what the same users do on it in a site that has it as its last day."""
    longer = options.work / f"longer-{size}m"
    users, items = SITES[size]
    counts = {"users": users, "items": items, "interactions": size * 1_000_000, "files": size}
    command = [sys.executable, "-m", "flows", "demo", str(longer), "--until", NEXT, "--dirty", "none"]
    if not longer.exists():
        subprocess.run([*command, *(f"--{key}={count}" for key, count in counts.items())], check=True, cwd=ROOT)
    log = ds.dataset(sorted(longer.glob("interactions*.parquet")))
    first = pc.scalar(date.fromisoformat(DATE)).cast(log.schema.field("timestamp").type)
    rows = log.to_table(filter=ds.field("timestamp") >= first)
    pq.write_table(rows, day)
    print(f"{rows.num_rows:,} rows of the day after.", flush=True)
    shutil.rmtree(longer)


def site(size: int, options: argparse.Namespace) -> Path:
    """The folder of a demo site of that many million interactions; made if it is nowhere."""
    folder = next((path for path in (options.data / f"{size}m", options.work / f"{size}m") if path.exists()), None)
    if folder is not None:
        return folder
    users, items = SITES[size]
    made = options.work / f"{size}m"
    counts = {"users": users, "items": items, "interactions": size * 1_000_000, "files": size}
    command = [sys.executable, "-m", "flows", "demo", str(made), "--until", DATE]
    subprocess.run([*command, *(f"--{name}={count}" for name, count in counts.items())], check=True, cwd=ROOT)
    return made


def measured(size: int, site: Path, options: argparse.Namespace, night: str = DATE, after: bool = False) -> Night:
    """Run a night, and take from what it leaves what it took; `after`: in the store of the night before."""
    store, settings = options.work / f"store-{size}m", options.work / "nightrec.toml"
    if not after:
        shutil.rmtree(store, ignore_errors=True)
    settings.write_text(configuration(options.models or list(MODELS)))
    inputs = {"interactions": "interactions*.parquet", "items": "items.parquet", "users": "users.parquet"}
    command = [sys.executable, "-m", "flows", "run", "--config", str(settings), "--store", str(store), "--date", night]
    command += ["--force-model", PUBLISHED, "--memory", options.memory]
    command += [part for name, pattern in inputs.items() for part in (f"--{name}", str(site / pattern))]
    with (options.work / f"{size}m-{night}.log").open("w") as log:
        seen = watched(command, log, ROOT)
    found = read_json(store / "nights" / night / "night.json") or {}
    if found.get("status") != "published":
        raise SystemExit(f"The night of {size} million ended with {seen.code}: see {log.name}.")
    for name, why in found["failed"].items():
        print(f"{size} million: {name} failed: {why}")
    figures = night_of(store, night, found, seen)
    if not options.keep:
        shutil.rmtree(store)
    return figures


def configuration(models: list[str]) -> str:
    """The settings of the nights, as `nightrec.toml`."""
    lines = ["[training]", "parallel = 1", "[prepare]", f"holdout_max_users = {MEASURED_USERS}"]
    for name in dict.fromkeys([PUBLISHED, *models]):
        about = MODELS.get(name, {})
        given = [f"{key} = {json.dumps(value)}" for key, value in about.get("parameters", {}).items()]
        lines += [f"[models.{name}]", f"parameters = {{ {', '.join(given)} }}"]
        lines += [f"timeout_minutes = {about['minutes'] / IN_TIME if 'minutes' in about else LISTING_MINUTES}"]
    return "\n".join(lines) + "\n"


def night_of(store: Path, night: str, record: dict[str, Any], seen: Watched) -> Night:
    folder = store / "nights" / night
    prepared = _summary(folder / "features" / "prepared")
    return Night(
        interactions=record["interactions"],
        users=prepared["users"],
        items=prepared["items"],
        pairs=prepared["rows"],
        seconds=record["seconds"],
        cpu_seconds=round(seen.cpu_seconds, 1),
        process_bytes=seen.process_bytes,
        peak_bytes=seen.peak_bytes,
        disk_bytes=_size(store),
        memory_bytes=record["memory_bytes"],
        commit=git("rev-parse", "--short=12", "HEAD"),
        date=_today(),
        ranges=int(found[1]) if (found := RANGES.search(prepared["message"])) else 1,
        stages=list(stages_of(folder, record)),
        models=list(models_of(folder)),
    )


def stages_of(night: Path, record: dict[str, Any]) -> Iterator[Stage]:
    """The stages that did something, in the order of their ends."""
    for line in record["stages"]:
        if line["event"] != "done":
            continue
        stage, _, name = line["stage"].partition(" ")
        left = {
            "ingest": ["raw"],
            "validate": ["valid", "quarantine", "known"],
            "prepare": ["features/prepared"],
            "features": [f"features/{name}"],
            "train": [f"models/{name}", f"toplists/{name}"],
            "evaluate": [f"metrics/{name}"],
            "compare": ["evaluation"],
            "refit": ["champion"],
            "export": [f"../../exports/{night.name}"],
            "panel": [f"../../panel/{night.name}"],
        }.get(stage, [])
        own = _summary(night / {"train": f"toplists/{name}", "refit": "champion"}.get(stage, "none"))
        cost = own if own else line
        yield Stage(
            name=line["stage"],
            seconds=round(cost["seconds"], 3),
            cpu_seconds=None if cost.get("cpu_seconds") is None else round(cost["cpu_seconds"], 3),
            peak_bytes=cost["peak_bytes"],
            disk_bytes=sum(_size(night / folder) for folder in left),
        )


def models_of(night: Path) -> Iterator[Model]:
    """The candidates that were fitted, by name."""
    for folder in sorted((night / "toplists").iterdir()):
        name, found = folder.name, _summary(folder)
        recipe = (read_json(folder / "manifest.json") or {})["parameters"]
        minutes = MODELS.get(name, {}).get("minutes")
        log = (night / "logs" / f"{name}-train.log").read_text(encoding="utf-8", errors="replace")
        figures = ("fit_seconds", "fit_cpu_seconds", "list_seconds", "list_cpu_seconds")
        yield Model(
            name=name,
            recommender=recipe["recommender"],
            parameters=full_parameters(recipe["recommender"], recipe["params"]),
            **{figure: round(found[figure], 3) for figure in figures},
            listed_users=found["n_users"],
            peak_bytes=found["peak_bytes"],
            minutes=minutes,
            bounded=minutes is not None and OVER.search(log) is not None,
        )


def write(out: Path, nights: list[Night]) -> None:
    """Write the nights, beside those of other sizes that are there."""
    earlier = Curves.model_validate_json(out.read_bytes()).nights if out.exists() else []
    found = {_millions(night): night for night in [*earlier, *nights]}
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    newest = max(found.values(), key=lambda night: night.date)
    machine = Machine(
        cores=core_count(),
        cpu=cpu[1] if cpu else "",
        memory=psutil.virtual_memory().total,
        commit=newest.commit,
        date=newest.date,
    )
    curves = Curves(machine=machine, nights=[found[size] for size in sorted(found)])
    out.write_text(json.dumps(curves.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")


def _millions(night: Night) -> int:
    return round(night.interactions / 1_000_000)


def _summary(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = (read_json(folder / "manifest.json") or {}).get("summary", {})
    return summary


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.curves", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("sizes", nargs="*", type=int, choices=[*SITES, []], metavar="MILLIONS", help=f"{list(SITES)}")
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE.json", help="[docs/curves.json]")
    parser.add_argument("--again", action="store_true", help="measure sizes that were measured already")
    parser.add_argument("--keep", action="store_true", help="keep the stores, which else are removed")
    parser.add_argument(
        "--after", nargs="*", type=int, default=AFTER, metavar="MILLIONS", help=f"with the night after {list(AFTER)}"
    )
    add_options(parser)
    options = finished(parser.parse_args(arguments))
    options.sizes = options.sizes or list(SITES)
    options.out = options.out.absolute()
    return options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the sites are and the nights run, and what is trained."""
    parser.add_argument("--data", type=Path, default=Path("curves"), metavar="FOLDER", help="demo sites [curves]")
    parser.add_argument("--work", type=Path, default=Path("curves"), metavar="FOLDER", help="where nights run [curves]")
    parser.add_argument("--models", nargs="+", choices=MODELS, metavar="MODEL", help="and the published one [all]")
    parser.add_argument("--memory", default="12GiB", help="what a night plans with [12GiB]")
    parser.add_argument("--rows", type=int, help="of the day after at most [all of its]")


def finished(options: argparse.Namespace) -> argparse.Namespace:
    """The options with whole paths; nights leave the user's own Prefect alone."""
    options.data, options.work = options.data.absolute(), options.work.absolute()
    os.environ["PREFECT_HOME"] = str(options.work / "prefect")
    return options


if __name__ == "__main__":
    sys.exit(main())
