"""A night beside a script of RecTools and implicit.

`python -m tests.benchmarks.night_beside_peers --peers PYTHON --data FOLDER --date DATE`: FOLDER and DATE are those of
`nightrec demo FOLDER --users 100000 --items 60000 --interactions 10000000 --files 10 --until DATE`; PYTHON has the
peers, in an environment of their own. Both start from the same files and end with lists of ten for every user and
similar items of every item, by the best of popularity, item-KNN and ALS on the last seven days (`peer_night`). Ours
validates, asks the gate, explains and audits the lists, and writes the report on top. They run in turn, `--runs` times,
with all cores. Printed are the seconds of the clock and of the cores, the most memory that all processes of each held
at a time, as medians, and the ratios of ours to theirs.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.watching import watched

SITE = """
store = "store"
[inputs.interactions]
path = "{data}/interactions*.parquet"
[inputs.items]
path = "{data}/items.parquet"
[inputs.users]
path = "{data}/users.parquet"
[models.popularity]
[models.als]
[models.item_knn]
parameters = {{ popularity_power = 0.5 }}  # the cosine, as theirs
"""


class Cost(NamedTuple):
    """What a program and all that it started took."""

    seconds: float
    of_cores: float
    gib: float


def run(command: list[str], folder: Path, log: Path) -> Cost:
    """Run a program to its end, whose output goes to a file."""
    start = time.perf_counter()
    with log.open("w") as output:
        found = watched(command, output, folder)
    if found.code:
        sys.exit(f"{command[0]} ended with {found.code}:\n{log.read_text()[-2000:]}")
    return Cost(time.perf_counter() - start, found.cpu_seconds, found.peak_bytes / 2**30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--date", required=True)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    data, root, script = options.data.absolute(), Path(__file__).parents[2], Path(__file__).with_name("peer_night.py")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as implicit asks for; ours sets its own
    costs: dict[str, list[Cost]] = {"ours": [], "theirs": []}
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "nightrec.toml").write_text(SITE.format(data=data))
            ours = [sys.executable, "-m", "flows", "run", "--date", options.date, "--config", f"{folder}/nightrec.toml"]
            theirs = [options.peers, str(script), str(data), options.date, f"{folder}/out"]
            for side, command in (("theirs", theirs), ("ours", ours)):
                costs[side].append(run(command, root, log := folder / f"{side}.log"))
                print(f"--- {side}: {costs[side][-1]}\n{log.read_text()}", flush=True)
    medians = {side: [statistics.median(column) for column in zip(*runs, strict=True)] for side, runs in costs.items()}
    for what, ours_, theirs_ in zip(Cost._fields, medians["ours"], medians["theirs"], strict=True):
        print(f"{what}: ours {ours_:.2f}, theirs {theirs_:.2f}: {ours_ / theirs_:.2f}")


if __name__ == "__main__":
    main()
