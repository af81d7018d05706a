"""Whole candidates of a second night, from their start to their lists: ``python -m tests.benchmarks.warm --whole``.

Nights of a demo site follow one another a day apart. On each of them every candidate of the field is trained in a
process of its own, as a night does it, and lists up to 10,000 users who come back within the week that follows: from
the model of the night before, and on the nights that are compared from nothing, too. CPU seconds are those of the
processes, with what they load; the first leaves it to the others, as on a night.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from flows.settings.site import default_models
from recmodels import registry
from recmodels.data import layout
from recmodels.data.arrays import Csr, Ints
from recmodels.data.dataset import Dataset
from recmodels.metrics.ranking import per_user
from tests.benchmarks.curves import MODELS
from tests.benchmarks.demo_features import FIRST_ITEM, SECOND, write_features
from tests.benchmarks.record import ROOT

DAY, K, MEASURED, WEEK = 86_400, 10, 10_000, 7
WARM_CHANGED = 0.1  # as nights have it by default


@dataclass
class Cost:
    """What a candidate took on a night, and how good its lists were."""

    cpu_seconds: float
    fit_cpu_seconds: float
    ndcg: list[float] = field(repr=False)


def fields() -> dict[str, dict[str, Any]]:
    """The candidates of the cost curves, and those that a site has by default: parameters, and minutes if limited."""
    own = {name: {"recommender": name, **model} for name, model in MODELS.items()}
    default = {
        f"default {name}": {"recommender": model.recommender or name, "parameters": model.parameters}
        for name, model in default_models().items()
        if model.enabled
    }
    return own | default


def prepared(site: Path, work: Path, end: int) -> Path:
    """The features of the night that ends at a second since 1970, and who is measured; made once."""
    folder = work / f"{end}"
    if not (folder / "truth.npz").exists():
        write_features(site, folder, end)
        data = Dataset.load(folder, "full")
        users, truth = _truth(site, data, end)
        holdout = pa.table({"user_index": users})
        pq.write_table(holdout, folder / layout.PREPARED / layout.HOLDOUT)
        sparse.save_npz(folder / "truth.npz", sparse.csr_matrix(truth))
    return folder


def _truth(site: Path, data: Dataset, end: int) -> tuple[Ints, Csr]:
    """Users with a history who come back, and which items new to them they choose in the week after the night."""
    chosen = []
    for file in sorted(site.glob("interactions*.parquet")):
        table = pq.read_table(file, columns=["user_id", "item_id", "timestamp"]).drop_null()
        second = table["timestamp"].cast(pa.int64()).to_numpy() // SECOND
        table = table.filter(pa.array((second >= end) & (second < end + WEEK * DAY)))
        user = pc.cast(pc.utf8_slice_codeunits(table["user_id"], 1), pa.int64()).to_numpy() - 1
        chosen.append((user, table["item_id"].to_numpy() - FIRST_ITEM))
    user, item = (np.concatenate(columns) for columns in zip(*chosen, strict=True))
    good = (user < data.n_users) & (item >= 0) & (item < data.n_items)
    shape = data.n_users, data.n_items
    later: Csr = sparse.csr_array((np.ones(good.sum(), np.float32), (user[good], item[good])), shape=shape)
    new: Csr = sparse.csr_array(later - later.multiply(data.matrix > 0))
    new.eliminate_zeros()
    users = np.flatnonzero((np.diff(new.indptr) > 0) & (np.diff(data.indptr) > 0)).astype(np.int32)
    if len(users) > MEASURED:
        users = np.sort(np.random.default_rng(0).choice(users, MEASURED, replace=False))
    return users, sparse.csr_array(new[users] > 0)


def run(model: dict[str, Any], features: Path, out: Path, earlier: tuple[Path, Path] | None) -> Cost:
    """Train and list in a process, as a night does; `earlier`: a model, and the features that it was trained on."""
    out.mkdir(parents=True, exist_ok=True)
    shared = features / "shared"
    shared.mkdir(exist_ok=True)
    minutes = model.get("minutes")
    if getattr(registry.create(model["recommender"], model.get("parameters", {})), "warm_start", "no") == "no":
        earlier = None
    start = earlier and {"model": str(earlier[0]), "features": str(earlier[1]), "most_changed": WARM_CHANGED}
    spec = {
        "features": str(features), "split": "full", "recommender": model["recommender"],
        "params": model.get("parameters", {}), "seed": 0, "fit": True, "model": str(out / "model"),
        "lists": {"out": str(out / "lists"), "users": "holdout", "k": K}, "result": str(out / "result.json"),
        "minutes": minutes, "list_minutes": minutes and 2.0, "earlier": start,
        "shared": str(shared),
    }  # fmt: skip
    (out / "spec.json").write_text(json.dumps(spec))
    with (out / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "recmodels.candidate", str(out / "spec.json")], stderr=log, cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
    result = json.loads((out / "result.json").read_text())
    if status:
        raise SystemExit(f"{model['recommender']} failed: {result}, see {out / 'log'}")
    ndcg = _ndcg(out / "lists" / "lists.parquet", features)
    return Cost(usage.ru_utime + usage.ru_stime, result["fit_cpu_seconds"], ndcg.tolist())


def _ndcg(lists: Path, features: Path) -> NDArray[np.float64]:
    table = pq.read_table(lists)
    users = pq.read_table(features / layout.PREPARED / layout.HOLDOUT)["user_index"].to_numpy()
    items = np.full((len(users), K), -1, np.int32)
    rows = np.searchsorted(users, table["user_index"].to_numpy())
    items[rows, table["rank"].to_numpy() - 1] = table["item_index"].to_numpy()
    return per_user(items, sparse.csr_array(sparse.load_npz(features / "truth.npz")))["ndcg"]


def nights_of(model: dict[str, Any], ends: Sequence[int], site: Path, work: Path, folder: Path) -> list[list[Cost]]:
    """Of each night, what the candidate took from the night before; of the second and the last also from nothing."""
    kept = folder / "costs.json"
    if kept.exists():
        return [[Cost(**cost) for cost in night] for night in json.loads(kept.read_text())]
    nights: list[list[Cost]] = []
    earlier: tuple[Path, Path] | None = None
    for end in ends:
        features, out = prepared(site, work, end), folder / str(end)
        costs = [run(model, features, out, earlier)]
        if end in (ends[1], ends[-1]):
            costs.append(run(model, features, folder / "nothing", None))
        if earlier is not None:
            shutil.rmtree(earlier[0])
        earlier = out / "model", features
        nights.append(costs)
    kept.write_text(json.dumps([[asdict(cost) for cost in night] for night in nights]))
    shutil.rmtree(out / "model")
    shutil.rmtree(folder / "nothing")
    return nights


def main(site: Path, work: Path, nights: int, names: Sequence[str]) -> int:
    """Print a row a candidate, and the sums of each field. What is measured stays in `work`, and is not again.

    Args:
        site: what `nightrec demo` wrote.
        work: folder of the nights.
        nights: how many, the first from nothing.
        names: of candidates, see `fields`; empty: all.
    """
    files = sorted(site.glob("interactions*.parquet"))
    times = np.concatenate(
        [pq.read_table(file, columns=["timestamp"])["timestamp"].drop_null().cast(pa.int64()) for file in files[-1:]]
    )
    last = (int(np.quantile(times, 0.99)) // SECOND // DAY - WEEK) * DAY  # some rows have impossible times
    ends = [last - n * DAY for n in reversed(range(nights))]
    print("| candidate | CPU s, first night | second | ratio | NDCG@10 from nothing | warm | difference |")
    print("|---|---|---|---|---|---|---|", flush=True)
    sums: dict[str, NDArray[np.float64]] = {}
    for name, model in fields().items():
        if names and name not in names:
            continue
        costs = nights_of(model, ends, site, work, work / name.replace(" ", "-"))
        first, second = costs[0][0].cpu_seconds, float(np.mean([night[0].cpu_seconds for night in costs[1:]]))
        pairs = [[np.array(cost.ndcg) for cost in night] for night in costs if len(night) == 2]
        warm, nothing = (np.mean([pair[n].mean() for pair in pairs]) for n in (0, 1))
        print(
            f"| `{name}` | {first:.1f} | {second:.1f} | {second / first:.2f} "
            f"| {nothing:.4f} ± {error(pairs[-1][1]):.4f} | {warm:.4f} "
            f"| {', '.join(with_error(pair[0] - pair[1]) for pair in pairs)} |",
            flush=True,
        )
        kind = "those that a site has by default" if name.startswith("default ") else "those of the cost curves"
        sums[kind] = sums.get(kind, np.zeros(2)) + np.array((first, second))
    for kind, (first, second) in sums.items():
        print(f"| all: {kind} | {first:.1f} | {second:.1f} | **{second / first:.2f}** | | | |")
    return 0


def error(values: NDArray[np.float64]) -> float:
    """The standard error of their mean."""
    return float(values.std() / len(values) ** 0.5)


def with_error(values: NDArray[np.float64]) -> str:
    return f"{values.mean():+.4f} ± {error(values):.4f}"
