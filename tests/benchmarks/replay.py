"""A replay of MovieLens 100K, timed, and its first and last night against two nights run by hand.

    python -m tests.benchmarks.replay FOLDER [--data PATH] [--every 4]

`FOLDER` gets a store. The replay is of the six models below; what is printed goes into docs/benchmarks.md.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.conftest import REAL_DATA

FIRST, LAST = "1997-10-05", "1998-04-19"
MODELS = ("popularity", "popularity_7d", "item_knn", "als", "ease", "content")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=REAL_DATA / "ml-100k")
    parser.add_argument("--every", type=int, default=4)
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    site = ["--store", str(folder / "store"), "--models", ",".join(MODELS)]
    for option, name in (("--interactions", "inter"), ("--items", "item"), ("--users", "user")):
        site += [option, str(asked.data / f"{name}.csv")]
    began = time.perf_counter()
    ran = nightrec("replay", "--from", FIRST, "--to", LAST, "--every", str(asked.every), "--json", *site)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    result: dict[str, Any] = json.loads(ran)
    nights = [night["run_date"] for night in result["nights"]]
    print(f"{len(nights)} nights, {len(MODELS)} models: {time.perf_counter() - began:.0f} s, "
          f"{used.ru_utime + used.ru_stime:.0f} s of CPU time")  # fmt: skip
    for line in result["sentences"]:
        print(line)
    for run_date in (nights[0], nights[-1]):
        by_hand(folder / f"by-hand-{run_date}", folder / "store" / "replays" / result["name"], run_date, site[2:])


def by_hand(store: Path, replay: Path, run_date: str, site: list[str]) -> None:
    """Run a night that publishes each of the models in turn, and compare it with what the replay has of them.

    On one core, as the replay trains each model on one of two: with other threads sums are rounded otherwise, and items
    whose scores are equal but for that change places.
    """
    manifests = store / "exports" / "manifests"
    for model in MODELS:
        before = set(manifests.glob("*.json"))
        nightrec("run", "--date", run_date, "--force-model", model, "--store", str(store), *site, cores={0})
        (new,) = set(manifests.glob("*.json")) - before
        kept = replay / "nights" / run_date / "measured" / model
        said = json.loads((store / "nights" / run_date / "metrics" / model / "manifest.json").read_text())["summary"]
        also = json.loads((kept / "manifest.json").read_text())["summary"]["holdout"]
        lists, export = rows(kept / "lists.parquet"), rows(store / "exports" / new.stem / "topk")
        print(f"{run_date} {model}: {len(export):,} rows published by hand, {same(lists, export)} as in the replay; "
              f"figures of the comparison {same(said['metrics'], also['metrics'])}")  # fmt: skip


def same(one: object, other: object) -> str:
    return "the same" if one == other else "NOT the same"


def rows(path: Path) -> list[dict[str, Any]]:
    table = pq.read_table(path, columns=["user_id", "rank", "item_id", "score"])
    return table.sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()


def nightrec(*arguments: str, cores: set[int] | None = None) -> str:
    """What a command prints; `cores` are those that it may use."""
    command = [sys.executable, "-m", "flows", *arguments]
    keep = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    ran = subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=keep)
    if ran.returncode not in (0, 5):
        sys.exit(ran.stderr)
    return ran.stdout


if __name__ == "__main__":
    main()
