"""What a warm start saves and costs, night after night: ``python -m tests.benchmarks.warm [MODEL …] [--site FOLDER]``.

A model is name:parameter=value,…; default: those that have a warm start. Those next to each other that differ in how
they start alone are compared with the same trainings from nothing. Nights follow one another, each with about a
hundredth of the log more: MovieLens 1M (positives) by time, or the demo site in FOLDER (what ``nightrec demo FOLDER``
wrote), a day a night. Each night a model is trained from nothing, and from the model of the night before, which was
trained that way itself, except on the first. Both are measured on what came next: a tenth of the log, or seven days.

``--whole WORK`` measures whole candidates, as nights run them (`tests.benchmarks.warm_candidates`).

Printed are NDCG@10 and CPU seconds of both, and the difference of NDCG after so many nights in a row, with the standard
error of that difference over users.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
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
from tests.benchmarks import warm_candidates
from tests.benchmarks.demo_features import FIRST_ITEM, SECOND, without_faults
from tests.benchmarks.quality import parse
from tests.benchmarks.splits import movielens_1m, movielens_1m_log
from tests.benchmarks.warm_candidates import error, with_error

K = 10
DAY = 86_400
MODELS = ("als", "graph_filter", "bpr", "ease:method=approximate", "hybrid", "ncf", "transformer")


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


def rows(specs: Sequence[str], site: Site) -> list[str]:
    """Lines of the table: models that are alike from nothing, trained both ways night after night."""
    models = [made(spec) for spec in specs]
    warm: list[Recommender] = []
    costs, ndcg = [], []  # of each night: from nothing, and of each of the models
    for data, users, truth in site.nights():
        cold, cost = fitted(replace(models[0]), data)
        if not warm:
            warm = [cold] * len(models)
            continue
        less = [fitted(replace(model), data, from_model(one, data)) for model, one in zip(models, warm, strict=True)]
        warm = [one for one, _ in less]
        costs.append([cost, *(seconds for _, seconds in less)])
        ndcg.append([per_user(one.recommend(data, users, K).items, truth)["ndcg"] for one in (cold, *warm)])
        print(f"  {[values.mean().round(5) for values in ndcg[-1]]}, {costs[-1]}", file=sys.stderr, flush=True)
    lines, shown = [], sorted({0, len(ndcg) // 2, len(ndcg) - 1})
    for i, spec in enumerate(specs, 1):
        (cold_cost, warm_cost), (cold_ndcg, warm_ndcg) = (
            [np.mean([night[n].mean() for night in of]) for n in (0, i)] for of in (np.array(costs), ndcg)
        )
        differences = ", ".join(with_error(ndcg[n][i] - ndcg[n][0]) for n in shown)
        lines.append(
            f"| `{spec}` | {cold_ndcg:.4f} ± {error(ndcg[-1][0]):.4f} | {warm_ndcg:.4f} | {differences} "
            f"| {cold_cost:.1f} | {warm_cost:.1f} | {warm_cost / cold_cost:.2f} |"
        )
    return lines


def made(spec: str) -> Recommender:
    name, parameters = parse(spec)
    return registry.create(name, {"warm_start": "always"} | parameters, seed=0)


def from_nothing(spec: str) -> str:
    """What a training from nothing follows from: those of specifications that agree in it are the same."""
    name, parameters = parse(spec)
    return f"{name} {sorted((key, value) for key, value in parameters.items() if not key.startswith('warm_'))}"


def main() -> int:
    """Print a row a model."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.warm", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"default: {', '.join(MODELS)}")
    parser.add_argument("--site", type=Path, metavar="FOLDER", help="a demo site; default: MovieLens 1M")
    parser.add_argument("--nights", type=int, default=8, help="of which the first is trained from nothing [8]")
    parser.add_argument("--whole", type=Path, metavar="WORK", help="whole candidates of a site, in this folder")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # PyTorch's threads would wait awake: hours, beside other work
    if options.whole:
        return warm_candidates.main(options.site, options.whole, options.nights, options.models)
    site = demo(options.site, options.nights) if options.site else movielens(options.nights)
    print("| model | NDCG@10 from nothing | warm | difference | CPU s from nothing | warm | warm / from nothing |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for _, alike in groupby(options.models or MODELS, from_nothing):
        for line in rows(list(alike), site):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
