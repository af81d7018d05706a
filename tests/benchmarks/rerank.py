"""What rules cost a list: ``python -m tests.benchmarks.rerank [--users N] [--pool N] [--k N] [--terms N]``.

Made-up items with terms as of TF-IDF (``--terms`` of each, by a popularity as of Zipf), and made-up candidates. Printed
are users a CPU second of `rerank.choose` for the model's order, for marginal relevance, with caps, and steered; beside
them a plain version in numpy that computes all cosines within a pool. Threads by OMP_NUM_THREADS.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy import sparse

from recmodels.compute.jit import threads
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.ranking.rerank import Rules, choose, scaled


def made_up(options: argparse.Namespace) -> tuple[Csr, Ints, Floats]:
    rng = np.random.default_rng(0)
    share = 1 / (np.arange(options.vocabulary) + 10.0)
    columns = rng.choice(options.vocabulary, (options.items, options.terms), p=share / share.sum())
    rows = np.repeat(np.arange(options.items), options.terms)
    shape = (options.items, options.vocabulary)
    weights = rng.random(len(rows)).astype(np.float32)
    counts = sparse.coo_array((weights, (rows, columns.ravel())), shape=shape).tocsr()
    length = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(length, np.diff(counts.indptr))
    items = rng.integers(0, options.items, (options.users, options.pool), dtype=np.int32)
    scores = -np.sort(-rng.gamma(2.0, 1.0, items.shape).astype(np.float32), axis=1)
    return counts, items, scores


def by_numpy(weight: float, terms: Csr, items: Ints, scores: Floats, k: int) -> Ints:
    """A user at a time: all cosines within the pool, then a loop over the places."""
    relevance, chosen = scaled(scores), np.empty((len(items), k), np.int64)
    dense = terms[items.ravel()]
    step, n = items.shape[1], len(items)
    for user in range(n):
        block = dense[user * step : (user + 1) * step]
        cosine = (block @ block.T).toarray()
        near, open_ = np.zeros(step), np.ones(step, bool)
        for place in range(k):
            value = np.where(open_, weight * relevance[user] - (1 - weight) * near, -np.inf)
            best = int(value.argmax())
            chosen[user, place] = best
            open_[best] = False
            near = np.maximum(near, cosine[best])
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("users", 20_000), ("items", 100_000), ("pool", 100), ("k", 50), ("terms", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--vocabulary", type=int, default=50_000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    terms, items, scores = made_up(options)
    lengths = np.full(options.users, options.k, np.int32)
    order = Rules(allowed=np.ones(options.items, bool))
    category = (np.arange(options.items) % 20).astype(np.int32)
    caps = {"categories": (np.arange(options.items + 1), category), "caps": np.full(20, 5, np.int32)}
    ways = {
        "the model's order": order,
        "relevance_weight 0.9": replace(order, relevance_weight=0.9),
        "relevance_weight 0.7": replace(order, relevance_weight=0.7),
        "relevance_weight 0.3": replace(order, relevance_weight=0.3),
        "0.7, 5 of a category": replace(order, relevance_weight=0.7, **caps),  # type: ignore[arg-type]
    }
    popularity = (1 / (np.arange(options.items) + 1)).astype(np.float32)
    mixed = replace(order, categories=caps["categories"], caps=np.full(20, 1000, np.int32))  # type: ignore[arg-type]
    ways |= {
        "popularity_damping 0.3": replace(order, popularity_damping=0.3, popularity=popularity),
        "prices of exposure": replace(order, prices=popularity),
        "calibration 0.5": replace(mixed, calibration=0.5),
        "0.7, calibration 0.5": replace(mixed, calibration=0.5, relevance_weight=0.7),
    }
    before = np.random.default_rng(1).integers(0, options.items, (options.users, 50))
    rows = np.repeat(np.arange(options.users), 50)
    weights = np.ones(before.size, np.float32)
    history = sparse.csr_array((weights, (rows, before.ravel())), shape=(options.users, options.items))
    print(
        f"{options.users:,} users, {options.pool} candidates, k {options.k}, {options.terms} terms, {threads()} threads"
    )
    for name, rules in ways.items():
        best = np.inf
        for _ in range(options.turns + 1):
            start = time.process_time()
            choose(rules, terms, items, scores, 0, options.pool, lengths, options.k, history)
            best = min(best, time.process_time() - start)
        print(f"{name:<24}{options.users / best:>12,.0f} users/s")
    some = min(options.users, 500)
    start = time.process_time()
    by_numpy(0.7, terms, items[:some], scores[:some], options.k)
    print(f"{'0.7 by numpy':<24}{some / (time.process_time() - start):>12,.0f} users/s")


if __name__ == "__main__":
    main()
