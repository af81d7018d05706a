"""Lists of everybody as files, against the bare matrix product: ``python -m tests.benchmarks.export [--users N] ...``.

In one run and one process, one after the other: the float32 product of all users' and items' vectors alone, by numpy or
by torch, whichever is faster, on a part of the users; then scoring and writing as the night does it (`serve` and
`Writer`; vectors of one length on average, so that no bound saves much, and `--seen` items a user, which are left out).
Printed are seconds of the clock and the cores, their ratios, the peak of memory from when the data are there (data and
vectors included), bytes a row, and how long it takes to look up one user with pyarrow and DuckDB: files opened anew
each time, the median of many.
"""

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recmodels.compute import matmul, memory
from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.fallback import serve
from recmodels.options import FitOptions
from recmodels.popularity import Popularity
from recmodels.scoring.dot_product import DotProduct
from tasks.export.writer import Writer, batches
from tests.benchmarks.topk import bare, normal_vectors


@dataclass
class Given(DotProduct):
    """A model whose vectors are there already."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        raise NotImplementedError

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        return self.users[users]

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 0


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock, and of all cores."""
    start = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def write(model: Given, data: Dataset, ids: tuple[pa.Array, pa.Array], k: int, out: Path) -> None:
    popular = Popularity().fit(data)
    with Writer(date(2026, 1, 1), "given", *ids, out) as writer:
        for users in batches(data.n_users, k):
            writer.write(serve(model, popular, data, users, k, explain=True))


def look_up(out: Path, user_ids: pa.Array) -> dict[str, float]:
    """Milliseconds to find one user's list: the median and the largest of some users all over the files."""
    files = [str(path) for path in sorted(out.iterdir())]
    wanted = [user_ids[int(n)].as_py() for n in np.random.default_rng(1).integers(0, len(user_ids), 40)]

    def arrow(user: str) -> int:
        return len(ds.dataset(files).to_table(filter=pc.field("user_id") == user))

    def sql(user: str) -> int:
        return len(duckdb.connect().execute(f"FROM read_parquet({files}) WHERE user_id = ?", [user]).fetchall())

    found: dict[str, float] = {}
    for name, look in (("pyarrow", arrow), ("duckdb", sql)):
        look(wanted[0])
        milliseconds = [1000 * timed(lambda user=user, look=look: look(user))[0] for user in wanted]  # type: ignore[misc]
        found |= {f"{name}_ms": statistics.median(milliseconds), f"{name}_ms_most": max(milliseconds)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--factors", type=int, default=128)
    parser.add_argument("--k", type=int, default=50)
    parser.add_argument("--seen", type=int, default=50, help="Interactions of each user.")
    parser.add_argument("--product-users", type=int, default=20_000, help="Users of the bare product.")
    parser.add_argument("--out", type=Path, help="Folder to write into [a temporary one].")
    options = parser.parse_args()

    users, items, seen = normal_vectors(options, options.seen)
    pairs = both(seen)
    times = np.arange(len(pairs[0]))  # zeros would take no memory
    data = Dataset.from_arrays(*pairs, timestamp=times, n_users=options.users, n_items=options.items)
    del seen, pairs, times
    sizes = {"u": options.users, "i": options.items}
    ids = tuple(pa.array([f"{kind}{n:07d}" for n in range(size)]) for kind, size in sizes.items())
    model = Given()
    model.users, model.item_vectors_, model.n_items_ = users, items, len(items)
    some = users[: options.product_users]
    products: dict[str, Callable[[Floats, Floats, Floats], None]] = {
        "numpy": matmul.numpy_product,
        "torch": matmul.torch_product,
    }
    alone = {name: min(timed(lambda m=m: bare(m, some, items)) for _ in range(2)) for name, m in products.items()}  # type: ignore[misc]
    faster = min(alone, key=lambda name: alone[name][0])
    scale = options.users / len(some)
    folder = options.out or Path(mkdtemp(prefix="nightrec-export-"))
    out = folder / "topk"
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory.peak()
    clock, cores = timed(lambda: write(model, data, ids, options.k, out))
    product = [seconds * scale for seconds in alone[faster]]
    rows, size = options.users * options.k, sum(path.stat().st_size for path in out.iterdir())
    result: dict[str, Any] = {
        "users": options.users,
        "product": faster,
        "product_seconds": product[0],
        "seconds": clock,
        "ratio": clock / product[0],
        "ratio_of_core_seconds": cores / product[1],
        "data_gib": before / 2**30,
        "peak_gib": memory.peak() / 2**30,
        "files": len(list(out.iterdir())),
        "bytes_a_row": size / rows,
        **look_up(out, ids[0]),
    }
    print(json.dumps({name: round(v, 3) if isinstance(v, float) else v for name, v in result.items()}, indent=2))
    if options.out is None:
        shutil.rmtree(folder)


def both(seen: Any) -> tuple[Any, Any]:
    """Users and items of what is stored, each pair once."""
    seen.sum_duplicates()
    return np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr)), seen.indices


if __name__ == "__main__":
    main()
