"""Lists for everyone, against the bare matrix product: ``python -m tests.benchmarks.topk [--users N] [--items N] ...``.

In one run, one after the other and several times over: the float32 product alone by numpy and by torch, the engine
(`top_products`, each user's seen items removed), the dense selection after numpy's product, approximate lists with the
recall of --recall, unless none are worth it, and implicit where --peers names a Python that has it. Printed are the
best seconds of each, users a second, and ratios to the faster product; the same for the seconds that all cores worked,
which other programs on the machine change less. Vectors are normally distributed, all of about one length, so that no
bound saves anything (the worst case); of one length and in clusters (``--clusters``); those that ALS learns on made-up
interactions with clusters of taste (``--als``); or those that a model learns of a demo site (``--model``). A few
thousand users are enough: each takes as long whatever the others. ``--quick`` leaves out the products alone and the
dense selection, and makes exact lists for 2,048 users, from whom the seconds of all follow.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from recmodels import registry
from recmodels.compute import matmul, memory
from recmodels.data.arrays import Csr, Floats
from recmodels.data.dataset import Dataset
from recmodels.demo import write_site
from recmodels.options import FitOptions
from recmodels.ranking import topk
from recmodels.ranking.approximation import MEASURED_ON, TUNED_ON, Sample, approximate
from recmodels.ranking.product_search import SearchedItems, top_products
from recmodels.scoring.dot_product import DotProduct

BATCH = 1024  # users of a bare product
EXACT = 2048  # users whose exact lists --quick makes: each takes some ten milliseconds with a million items

PEER = """
import sys, time, json
import numpy as np
from scipy import sparse
from implicit.cpu.matrix_factorization_base import MatrixFactorizationBase

folder, k, turns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

class Fitted(MatrixFactorizationBase):
    def fit(self, *_): ...
    def save(self, *_): ...

model = Fitted()
model.user_factors, model.item_factors = (np.load(f"{folder}/{side}.npy") for side in ("users", "items"))
model.num_threads = 0
parts = (np.load(f"{folder}/{part}.npy") for part in ("data", "indices", "indptr"))
seen = sparse.csr_matrix(tuple(parts), shape=(len(model.user_factors), len(model.item_factors)))
everybody, best = np.arange(len(model.user_factors)), [1e9, 1e9]
for _ in range(turns):
    start = time.perf_counter(), time.process_time()
    model.recommend(everybody, seen, N=k)
    best = [min(best[0], time.perf_counter() - start[0]), min(best[1], time.process_time() - start[1])]
print(json.dumps(best))
"""


def normal_vectors(options: argparse.Namespace, each: int = 50) -> tuple[Floats, Floats, Csr]:
    """Users, items, and so many seen items each (repeats included), by a popularity as of Zipf."""
    rng = np.random.default_rng(0)
    users = rng.standard_normal((options.users, options.factors), dtype=np.float32)
    items = rng.standard_normal((options.items, options.factors), dtype=np.float32)
    share = 1 / (np.arange(options.items) + 20.0)
    chosen = rng.choice(options.items, (options.users, each), p=share / share.sum())
    seen: Csr = sparse.csr_array(
        (np.ones(chosen.size, np.float32), (np.repeat(np.arange(options.users), each), chosen.ravel())),
        shape=(options.users, options.items),
    )
    return users, items, seen


def clustered_vectors(options: argparse.Namespace) -> tuple[Floats, Floats, Csr]:
    """Directions around those of clusters of 1,000 items, and users around an item."""
    users, items, seen = normal_vectors(options)
    rng = np.random.default_rng(1)
    clusters = rng.standard_normal((max(1, options.items // 1000), options.factors), dtype=np.float32)
    items = clusters[rng.integers(0, len(clusters), options.items)] + np.float32(0.5) * items
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    users *= np.float32(0.5 / options.factors**0.5)
    users += items[rng.integers(0, options.items, options.users)]
    return users, items, seen


def als_vectors(options: argparse.Namespace) -> tuple[Floats, Floats, Csr]:
    """What ALS learns from 50 interactions a user, in 8 clusters of taste."""
    from recmodels.factors.als import ALS

    rng = np.random.default_rng(0)
    n = 50 * options.users
    users, rank = rng.integers(0, options.users, n), np.arange(options.items)
    share = 1 / (rank + 20.0)
    items = rng.choice(options.items, n, p=share / share.sum())
    own = rng.random(n) < 0.8  # four in five within the user's cluster
    items = np.where(own, np.minimum(items // 8 * 8 + users % 8, options.items - 1), items)
    users, items = np.divmod(np.unique(users * options.items + items), options.items)
    data = Dataset.from_arrays(users, items, n_users=options.users, n_items=options.items)
    model = ALS(factors=options.factors, iterations=3).fit(data)
    return model._user_vectors(data, np.arange(options.users, dtype=np.int32)), model.item_vectors_, data.seen


def demo_vectors(options: argparse.Namespace) -> tuple[Floats, Floats, Csr]:
    """What a model learns in some minutes of a demo site with 40 interactions a user; of those users, some."""
    names = {"transformer": "dim", "hybrid": "dim", "als": "factors", "bpr": "factors", "mf": "factors"}
    with TemporaryDirectory() as folder:
        of_site = {"users": options.interactions // 40, "items": options.items, "interactions": options.interactions}
        write_site(Path(folder), **of_site, end=date(2026, 11, 1), dirty="none")
        log = pq.read_table(Path(folder) / "interactions.parquet", columns=["user_id", "item_id"])
    users, items = (np.asarray(log[name].combine_chunks().dictionary_encode().indices) for name in log.column_names)
    pairs = np.unique(users.astype(np.int64) * options.items + items)
    users, items = np.divmod(pairs, options.items)
    data = Dataset.from_arrays(users, items, n_users=of_site["users"], n_items=options.items)
    params = {names[options.model]: options.factors} | ({"loss": "sampled"} if options.model == "transformer" else {})
    model = registry.create(options.model, params, seed=0)
    assert isinstance(model, DotProduct)
    model.fit(data, FitOptions(minutes=options.minutes))
    active = np.flatnonzero(model.knows(data, np.arange(data.n_users, dtype=np.int32)))
    chosen = np.sort(np.random.default_rng(0).permutation(active)[: options.users]).astype(np.int32)
    there = np.flatnonzero(model.item_vectors.any(axis=1))  # an item without any numbers is on no list
    return model._user_vectors(data, chosen), model.item_vectors[there], data.seen[chosen][:, there]


def bare(multiply: Callable[[Floats, Floats, Floats], None], users: Floats, items: Floats) -> None:
    """The product alone, in batches, over and over into the same memory."""
    scores = np.empty((BATCH, len(items)), np.float32)
    for start in range(0, len(users), BATCH):
        part = users[start : start + BATCH]
        multiply(part, items, scores[: len(part)])


def dense(users: Floats, items: Floats, seen: Csr, k: int) -> None:
    """Product, mask, and the selection from dense scores that serves all other models."""
    for start in range(0, len(users), BATCH):
        scores: Floats = users[start : start + BATCH] @ items.T
        masked = seen[start : start + BATCH]
        scores[np.repeat(np.arange(len(scores)), np.diff(masked.indptr)), masked.indices] = -np.inf
        topk.top_k(scores, k)


def implicit(python: Path, users: Floats, items: Floats, seen: Csr, k: int, turns: int) -> tuple[float, float]:
    """Seconds, and seconds of all cores, that implicit takes in a process of its own."""
    with TemporaryDirectory() as folder:
        arrays = {"users": users, "items": items, "data": seen.data, "indices": seen.indices, "indptr": seen.indptr}
        for name, array in arrays.items():
            np.save(Path(folder) / f"{name}.npy", array)
        command = [str(python), "-c", PEER, folder, str(k), str(turns)]
        environment = {"OPENBLAS_NUM_THREADS": "1"}  # as implicit asks for
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, of_cores = json.loads(ran.stdout)
    return seconds, of_cores


def main() -> None:
    """Print a row for each way."""
    options = _options()
    kind = options.model or ("als" if options.als else "clusters" if options.clusters else "normal")
    vectors = {"als": als_vectors, "clusters": clustered_vectors, "normal": normal_vectors}
    users, items, seen = demo_vectors(options) if options.model else vectors[kind](options)
    few = slice(0, EXACT if options.quick else len(users))
    ways: dict[str, Callable[[], None]] = {
        "product alone, numpy": lambda: bare(matmul.numpy_product, users, items),
        "product alone, torch": lambda: bare(matmul.torch_product, users, items),
        "lists, engine": lambda: void(top_products(users[few], items, options.k, seen=seen[few])),
        "lists, dense": lambda: dense(users, items, seen, options.k),
    }
    if options.quick:
        ways = {"lists, engine": ways["lists, engine"]}
    searched = SearchedItems(items)
    start = time.process_time()
    chosen = np.random.default_rng(0).permutation(len(users))[: TUNED_ON + MEASURED_ON]
    search, about = approximate(searched, Sample(users[chosen], seen[chosen]), options.k, options.recall)
    tuned = time.process_time() - start
    if search is not None:
        ways["lists, approximate"] = lambda: void(search(users, k=options.k, seen=seen))
    top_products(users[:BATCH], items, options.k, seen=seen[:BATCH])  # compiles
    if not options.quick:
        dense(users[:BATCH], items, seen[:BATCH], options.k)
    seconds = dict.fromkeys(ways, (np.inf, np.inf))
    for _ in range(options.turns):
        for name, way in ways.items():
            start, of_cores = time.perf_counter(), time.process_time()
            way()
            share = len(users[few] if name == "lists, engine" else users) / len(users)
            took = (time.perf_counter() - start) / share, (time.process_time() - of_cores) / share
            seconds[name] = min(seconds[name][0], took[0]), min(seconds[name][1], took[1])
    if options.peers:
        seconds["lists, implicit"] = implicit(options.peers, users, items, seen, options.k, options.turns)
    products = [took for way, took in seconds.items() if way.startswith("product")] or list(seconds.values())[:1]
    product, of_cores = (min(took[i] for took in products) for i in (0, 1))
    print(f"{len(users):,} users, {len(items):,} items, f = {options.factors}, k = {options.k}, ", end="")
    print(f"{kind} vectors")
    print("| way | s | users/s | of the product | s of all cores | of the product's |\n|---|---|---|---|---|---|")
    for name, (best, cores) in seconds.items():
        print(f"| {name} | {best:.2f} | {len(users) / best:,.0f} | {best / product:.2f}", end=" | ")
        print(f"{cores:.2f} | {cores / of_cores:.2f} |")
    print(f"approximate: {about}, found in {tuned:.1f} s of all cores")
    print(f"peak memory {memory.peak() / 1e6:,.0f} MB")


def void(_: object) -> None:
    """Drop a result."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.topk", description=__doc__)
    for name, default in (("users", 20_000), ("items", 50_000), ("factors", 128), ("k", 50), ("turns", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--recall", type=float, default=0.99, help="of approximate lists")
    parser.add_argument("--als", action="store_true", help="vectors that ALS has learnt")
    parser.add_argument("--clusters", action="store_true", help="vectors of one length in clusters")
    parser.add_argument("--model", help="vectors that this model learns of the demo site, e.g. als or transformer")
    parser.add_argument("--interactions", type=int, default=4_000_000, help="of the demo site")
    parser.add_argument("--minutes", type=float, default=2, help="of training")
    parser.add_argument("--quick", action="store_true", help="lists alone; ratios are to the engine's")
    parser.add_argument("--peers", type=Path, help="a Python that has implicit")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
