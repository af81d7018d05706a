"""What a warm start saves and costs, night after night: ``python -m tests.benchmarks.warm [MODEL …] [--site FOLDER]``.

A model is name:parameter=value,…; default: those that have a warm start. Nights follow one another, each with about a
hundredth of the log more: MovieLens 1M (positives) by time, or the demo site in FOLDER (what ``nightrec demo FOLDER``
wrote), a day a night. Each night a model is trained from nothing, and from the model of the night before, which was
trained that way itself, except on the first. Both are measured on what came next: a tenth of the log, or seven days.

Printed are NDCG@10 and CPU seconds of both, and the difference of NDCG after so many nights in a row, with the standard
error of that difference over users.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from recmodels import registry
from recmodels.base import Recommender
from recmodels.data.arrays import Csr, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.metrics.ranking import per_user
from recmodels.options import DEFAULTS, FitOptions, WarmStart
from tasks.features.documents import item_documents
from tasks.features.settings import FeatureSettings
from tasks.features.terms import fit_terms, unit_rows
from tests.benchmarks.demo_features import FIRST_ITEM, SECOND, without_faults
from tests.benchmarks.quality import parse
from tests.benchmarks.splits import movielens_1m, movielens_1m_log

K = 10
DAY = 86_400
MODELS = ("als", "graph_filter", "bpr", "hybrid", "ncf", "transformer")


@dataclass
class Site:
    """A log in order of time, and the times at which nights end and what they are measured on ends."""

    users: Ints
    items: Ints
    seconds: Longs
    terms: Csr
    ends: list[tuple[float, float]]

    def nights(self) -> Iterator[tuple[Dataset, Ints, Csr]]:
        """What each night learns from, its tested users [n], and what they chose next [n, n_items]."""
        n_users, n_items = int(self.users.max()) + 1, self.terms.shape[0]
        for end, measured in self.ends:
            then, later = np.searchsorted(self.seconds, (end, measured))
            pairs = self.users[:then] * np.int64(n_items) + self.items[:then]
            last = then - 1 - np.unique(pairs[::-1], return_index=True)[1]
            data = Dataset.from_arrays(
                self.users[last], self.items[last], timestamp=self.seconds[last] * SECOND, terms=self.terms,
                n_users=n_users, n_items=n_items, end=int(end) * SECOND,
            )  # fmt: skip
            chosen = sparse.csr_array(
                (np.ones(later - then, np.float32), (self.users[then:later], self.items[then:later])),
                shape=(n_users, n_items),
            )
            new = sparse.csr_array(chosen - chosen.multiply(data.matrix > 0))
            new.eliminate_zeros()
            tested = np.flatnonzero((np.diff(new.indptr) > 0) & (np.diff(data.indptr) > 0)).astype(np.int32)
            yield data, tested, sparse.csr_array(new[tested] > 0)


def movielens(nights: int) -> Site:
    """A night ends after 80 % of the log, the next ones a hundredth later each."""
    log, terms = movielens_1m_log()[0], movielens_1m().train.terms
    order = np.argsort(log.seconds, kind="stable")
    shares = 0.8 + 0.01 * np.arange(nights)
    ends = [(np.quantile(log.seconds, share), np.quantile(log.seconds, share + 0.1)) for share in shares]
    return Site(log.users[order], log.items[order], log.seconds[order], terms, ends)


def demo(folder: Path, nights: int) -> Site:
    """The last night ends seven days before the log does."""
    parts: list[tuple[Ints, Ints, Longs]] = []
    catalogue = without_faults(pq.read_table(folder / "items.parquet"), "item_id")
    for file in sorted(folder.glob("interactions*.parquet")):
        table = pq.read_table(file, columns=["user_id", "item_id", "timestamp"]).drop_null()
        user = pc.cast(pc.utf8_slice_codeunits(table["user_id"], 1), "int64").to_numpy() - 1
        item = table["item_id"].to_numpy() - FIRST_ITEM
        good = (item >= 0) & (item < len(catalogue))
        seconds = table["timestamp"].cast("int64").to_numpy() // SECOND
        parts.append((user[good].astype(np.int32), item[good].astype(np.int32), seconds[good]))
    users, items, seconds = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    usual = seconds <= np.quantile(seconds, 0.999)  # some of a demo site's rows have impossible times
    users, items, seconds = users[usual], items[usual], seconds[usual]
    order = np.argsort(seconds, kind="stable")
    last = (int(seconds.max()) // DAY - 7) * DAY
    ends = [(last - n * DAY, last + (7 - n) * DAY) for n in reversed(range(nights))]
    known = np.bincount(items, minlength=len(catalogue)) > 0
    documents = item_documents(catalogue, FeatureSettings(), known)
    columns = [fit_terms(name, texts, known, FeatureSettings()) for name, texts in documents.items()]
    terms = unit_rows([column for column in columns if column], len(catalogue))
    return Site(users[order], items[order], seconds[order], terms, ends)


def fitted(model: Recommender, data: Dataset, options: FitOptions = DEFAULTS) -> tuple[Recommender, float]:
    """The model, trained, and the CPU seconds that it took."""
    start = time.process_time()
    model.fit(data, options)
    return model, time.process_time() - start


def from_model(earlier: Recommender, data: Dataset) -> FitOptions:
    sizes = {"users": data.n_users, "items": data.n_items, "terms": data.terms.shape[1], "user_terms": 0}
    rows = {name: np.arange(n, dtype=np.int32) for name, n in sizes.items()}
    return FitOptions(warm_start=WarmStart(earlier, rows))


def row(spec: str, site: Site) -> str:
    """A line of the table: a model, trained both ways night after night."""
    name, parameters = parse(spec)
    model = registry.create(name, {"warm_start": "always"} | parameters, seed=0)
    warm: Recommender | None = None
    costs, levels, differences = [], [], []
    for data, users, truth in site.nights():
        cold, cost = fitted(replace(model), data)
        if warm is None:
            warm = cold
            continue
        warm, less = fitted(replace(model), data, from_model(warm, data))
        ndcg = [per_user(one.recommend(data, users, K).items, truth)["ndcg"] for one in (cold, warm)]
        costs.append((cost, less))
        levels.append([values.mean() for values in ndcg])
        differences.append(_with_error(ndcg[1] - ndcg[0]))
        print(f"  {spec}: {levels[-1]}, {differences[-1]}, {costs[-1]}", file=sys.stderr, flush=True)
    cold_cost, warm_cost = np.mean(costs, axis=0)
    cold_ndcg, warm_ndcg = np.mean(levels, axis=0)
    shown = sorted({0, len(differences) // 2, len(differences) - 1})
    return (
        f"| `{spec}` | {cold_ndcg:.4f} | {warm_ndcg:.4f} | {', '.join(differences[n] for n in shown)} "
        f"| {cold_cost:.1f} | {warm_cost:.1f} | {warm_cost / cold_cost:.2f} |"
    )


def _with_error(values: NDArray[np.float64]) -> str:
    return f"{values.mean():+.4f} ± {values.std() / len(values) ** 0.5:.4f}"


def main() -> int:
    """Print a row a model."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.warm", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL", help=f"default: {', '.join(MODELS)}")
    parser.add_argument("--site", type=Path, metavar="FOLDER", help="a demo site; default: MovieLens 1M")
    parser.add_argument("--nights", type=int, default=8, help="of which the first is trained from nothing [8]")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # PyTorch's threads would wait awake: hours, beside other work
    site = demo(options.site, options.nights) if options.site else movielens(options.nights)
    print("| model | NDCG@10 from nothing | warm | difference | CPU s from nothing | warm | warm / from nothing |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for spec in options.models:
        print(row(spec, site), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
