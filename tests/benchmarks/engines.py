"""What engines cost, and what lost nodes do: the same buckets on this machine, on Ray and on Dask.

    python -m tests.benchmarks.engines [--buckets N] [--rows N] [--kills N]

Each bucket sorts rows and sums them up, as stages do. Both clusters have two nodes of a core on this machine, and this
machine's engine two threads; their starting is not counted, and each has worked before. With `--kills` nodes of Ray are
killed at random moments, others join, and the work goes on until all kills were made: each part must be what it is
here, to the byte.
"""

import argparse
import hashlib
import os
import random
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event

import numpy as np

from recmodels.engine.local import LocalEngine
from recmodels.engine.watching import Progress, watched_by
from recmodels.engine.work import Bucket, Engine, Work
from tests.clusters import RayNodes, ray_nodes

SEED = 1


def summed(work: Work) -> None:
    """Sorts the rows of a bucket by item and user, and sums their values up."""
    rows = np.load(work.inputs["rows"], mmap_mode="r", allow_pickle=False)
    order = np.lexsort((rows["user"], rows["item"]))
    np.save(work.out / "sorted.npy", rows[order], allow_pickle=False)
    np.save(work.out / "sums.npy", np.bincount(rows["item"], rows["value"]), allow_pickle=False)


class Notes:
    """Who watches; keeps what is said of nodes that are lost."""

    def __init__(self) -> None:
        self.lost: list[str] = []

    def progressed(self, progress: Progress) -> None:
        pass

    def noted(self, sentence: str) -> None:
        self.lost += [sentence] if " was lost " in sentence else []


def main() -> None:
    """Print a line for each engine, and one for the kills."""
    from tests.benchmarks.engines import summed  # by the name that other processes find it by

    options = _options()
    os.environ["OMP_NUM_THREADS"] = "2"
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        buckets = made(folder / "in", options.buckets, options.rows)

        def work(engine: Engine, to: str, code: str = "1") -> tuple[float, str]:
            began = time.perf_counter()
            parts = engine.map(summed, buckets, folder / to, code=code)
            return time.perf_counter() - began, digest(parts)

        work(LocalEngine(), "warm", code="another")
        seconds, expected = work(LocalEngine(), "local")
        print(f"local: {seconds:.1f} s for {len(buckets)} buckets of {options.rows:,} rows", flush=True)

        def measure(kind: str, engine: Engine) -> None:
            work(engine, f"{kind}-warm", code="another")
            found, bytes_of_it = work(engine, kind)
            assert bytes_of_it == expected, f"{kind}: the parts are others"
            print(f"{kind}: {found:.1f} s, {found / seconds:.2f} times as long; the same bytes", flush=True)

        with ray_nodes() as nodes:
            from recmodels.engine.ray import RayEngine

            with RayEngine(nodes.address) as engine:
                measure("ray", engine)
                measure("ray by an exchange", RayEngine(nodes.address, str(folder / "exchange")))
                notes, ended = Notes(), Event()

                def rounds() -> int:
                    """Work until all kills were made; how often."""
                    with watched_by(notes):
                        for number in count(1):
                            assert work(engine, "kills", code=f"round {number}")[1] == expected
                            if ended.is_set():
                                return number
                    raise AssertionError

                with ThreadPoolExecutor(1) as pool:
                    working = pool.submit(rounds)
                    try:
                        kill(nodes, options.kills)
                    finally:
                        ended.set()
                    n_rounds = working.result()
                said = Counter(notes.lost)
                print(f"{options.kills} nodes killed in {n_rounds} rounds, each the same bytes; what was said:")
                for sentence, times in said.items():
                    print(f"  {times} times: {sentence}")
        from recmodels.engine.dask import DaskEngine

        with DaskEngine() as dask:
            measure("dask", dask)


def kill(nodes: RayNodes, kills: int) -> None:
    """Kill nodes at random moments; others join."""
    chance = random.Random(SEED)
    for _ in range(kills):
        time.sleep(chance.uniform(0.2, 3.0))
        nodes.kill(chance.choice(nodes.nodes))
        nodes.add()


def made(folder: Path, n_buckets: int, rows: int) -> list[Bucket]:
    """Files of rows with a user, an item and a value."""
    folder.mkdir()
    rng = np.random.default_rng(SEED)
    buckets = []
    for number in range(n_buckets):
        table = np.empty(rows, dtype=[("user", "i4"), ("item", "i4"), ("value", "f4")])
        table["user"], table["item"] = rng.integers(0, 10_000, rows), rng.zipf(1.5, rows) % 20_000
        table["value"] = rng.random(rows)
        np.save(folder / f"{number}.npy", table, allow_pickle=False)
        buckets.append(Bucket(f"b{number:04}", {"rows": folder / f"{number}.npy"}))
    return buckets


def digest(parts: list[Path]) -> str:
    """Of all files of some parts, but what they say of themselves."""
    found = hashlib.sha256()
    for part in parts:
        for path in sorted(part.glob("*.npy")):
            found.update(f"{part.name}/{path.name}".encode() + path.read_bytes())
    return found.hexdigest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--buckets", type=int, default=32)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each bucket")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", default=None, help="for its files")
    return parser.parse_args()


if __name__ == "__main__":
    main()
