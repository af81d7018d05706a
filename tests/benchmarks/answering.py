"""Answers between nights, one user at a time: `python -m tests.benchmarks.answering [--large]`.

A site of the size of MovieLens 1M (6,040 users, 3,706 items, a million interactions), or with `--large` one of 100,000
items, 50,000 users and five million interactions. The models are of their usual sizes and hold random numbers: how long
an answer takes does not depend on what was learned. Printed are, for each, the median and the 95th percentile of the
milliseconds of 200 answers (a user's history with a session of five items: ten items, with reasons but for the
Transformer's), the milliseconds of a processor, and the seconds and MiB that it takes to begin.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy import sparse

from recmodels.answering import Answering
from recmodels.base import Recommender
from recmodels.compute import memory
from recmodels.compute.device import has_torch
from recmodels.data.arrays import Csr
from recmodels.data.dataset import Dataset
from recmodels.factors.als import ALS
from recmodels.knn.item_knn import ItemKNN
from recmodels.linear.ease import EASE
from recmodels.linear.graph_filter import GraphFilter
from recmodels.persistence import load, save
from recmodels.popularity import Popularity
from recmodels.transformer.model import Transformer

SIZES = {False: (6_040, 3_706, 1_000_000), True: (50_000, 100_000, 5_000_000)}
SESSION = 5


def site(n_users: int, n_items: int, n: int) -> Dataset:
    """Interactions by popularity, n at most: some are drawn twice."""
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, n_users, n) * n_items + (n_items * rng.random(n) ** 3).astype(np.int64)
    users, items = np.divmod(np.unique(pairs), n_items)
    return Dataset.from_arrays(users, items, n_users=n_users, n_items=n_items)


def neighbors(n: int, k: int) -> Csr:
    """k neighbors of each of n items."""
    rng = np.random.default_rng(1)
    indices = np.sort(rng.integers(0, n, (n, k), np.int32), axis=1).ravel()
    return sparse.csr_array(
        (rng.random(n * k, np.float32), indices, np.arange(0, n * k + 1, k, np.int32)), shape=(n, n)
    )


def models(n: int) -> Iterator[tuple[Recommender, dict[str, Any]]]:
    """Models and what they have learned."""
    rng = np.random.default_rng(2)
    yield Popularity(), {"scores_": rng.random(n, np.float32)}
    yield ItemKNN(), {"similarity_": neighbors(n, 100), "baseline_": None}
    vectors = rng.standard_normal((n, 128), np.float32)
    weights = {"unobserved_weight_": 0.01, "unobserved_weight_of_user_": 0.01 * n, "mean_user_weight_": 200 + 0.01 * n}
    yield ALS(), {"item_vectors_": vectors, "gram_diagonal_": np.full(128, 0.01 * n, np.float32)} | weights
    if n <= 20_000:
        dense = {"items_": np.arange(n, dtype=np.int32), "weights_": rng.standard_normal((n, n), np.float32)}
        yield EASE(), {"method_": "exact"} | dense
    else:
        yield EASE(), {"method_": "approximate", "sparse_weights_": neighbors(n, 500)}
    ones = {"before_": np.ones(n, np.float32), "after_": np.ones(n, np.float32), "known_": np.ones(n, bool)}
    spectrum = {"vectors_": rng.standard_normal((n, 512), np.float32), "response_": rng.random(512, np.float32)}
    if has_torch():
        from recmodels.transformer.network import Network

        parameters = Network(Transformer(), 0).state_dict()
        network = {f"0.{name}": value.numpy() for name, value in parameters.items()}
        learned = {"item_vectors_": rng.standard_normal((n, Transformer().dim), np.float32), "network_": network}
        yield Transformer(), learned | {"epochs_": []}
    yield GraphFilter(), spectrum | ones | {"near_": neighbors(n, min(1000, n // 4))}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--answers", type=int, default=200)
    given = parser.parse_args()
    data = site(*SIZES[given.large])
    fallback = Popularity().fit(data)
    rng = np.random.default_rng(3)
    for model, learned in models(data.n_items):
        vars(model).update(learned | {"n_items_": data.n_items})
        with TemporaryDirectory() as folder:
            save(model, Path(folder))
            before, start = memory.peak(), time.perf_counter()
            answering = Answering(load(folder, mapped=True), data, fallback=fallback)
            began, grown = time.perf_counter() - start, (memory.peak() - before) / 2**20
            seconds, explain = [], not isinstance(model, Transformer)
            for _ in range(given.answers + 20):
                user, session = int(rng.integers(data.n_users)), rng.integers(0, data.n_items, SESSION).tolist()
                start, cpu = time.perf_counter(), time.process_time()
                answering.answer(user, session, explain=explain)
                seconds.append((time.perf_counter() - start, time.process_time() - cpu))
            times, cpus = (sorted(column) for column in zip(*seconds[20:], strict=True))
            print(
                f"{type(model).__name__:12} median {1000 * statistics.median(times):6.1f} ms"
                f"  95 % {1000 * times[int(0.95 * len(times))]:6.1f} ms  CPU {1000 * statistics.median(cpus):6.1f} ms"
                f"  to begin {began:.2f} s, {grown:.0f} MiB"
            )


if __name__ == "__main__":
    main()
