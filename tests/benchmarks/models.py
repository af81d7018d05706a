"""Our models beside implicit, RecTools and Surprise at scale: ``python -m tests.benchmarks.models --peers PYTHON``.

All learn from the demo generator's site (200,000 users, 50,000 items, 10 million interactions, a tenth of pairs held
out), each in a fresh process, ours and its peer in turns. Printed are the seconds of fitting (the least of the turns),
those of lists of 50 for 20,000 users, the peak memory of the process, data included, the share of the held-out
pairs that the lists find, and the ratios of ours to the peer's. PYTHON is one that has the peers, in an environment
of their own: ``python -m venv peers; peers/bin/pip install implicit scikit-surprise rectools rectools-lightfm``.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.benchmarks.quality import parse

K, LISTED = 50, 20_000
PAIRS = {  # our model and its peer, of as many neighbours or factors
    "als": ("als:factors=64", "implicit.als:factors=64"),
    "als_frame": ("als:factors=64", "rectools.als:factors=64"),
    "bpr": ("bpr:factors=64", "implicit.bpr:factors=64"),
    "item_knn": ("item_knn:neighbors=50,weighting=cosine,popularity_power=0.5", "implicit.item_cosine:K=50"),
    "user_knn": ("user_knn:neighbors=50,weighting=cosine", "implicit.user_cosine:K=50"),
    "hybrid": ("hybrid:epochs=5", "lightfm.warp:no_components=64,epochs=5"),
    "embedding": ("embedding:epochs=5", "lightfm.warp:no_components=64,epochs=5"),
    "mf": ("mf:factors=100,epochs=20", "surprise.svd:n_factors=100,n_epochs=20"),
}
ALONE = ("graph_filter", "ease")  # without a peer: none of the three fits a catalogue of that size


def write(folder: Path, users: int, items: int, interactions: int) -> None:
    """The pairs of the demo site, a tenth of them held out at random, and ratings of a made-up taste."""
    import pyarrow.parquet as pq

    from recmodels.demo import write_site

    end = date(2026, 11, 25)
    site = write_site(folder, users=users, items=items, interactions=interactions, end=end, dirty="none")
    table = pq.read_table(folder / site["files"]["interactions"], columns=["user_id", "item_id"])
    user, item = (table[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in table.column_names)
    shape = int(user.max()) + 1, int(item.max()) + 1
    pairs = np.unique(user.astype(np.int64) * shape[1] + item)
    user, item = (pairs // shape[1]).astype(np.int32), (pairs % shape[1]).astype(np.int32)
    rng = np.random.default_rng(0)
    late = rng.random(len(pairs)) < 0.1
    tastes = [rng.standard_normal((n, 4), dtype=np.float32) for n in shape]
    liked = sum(tastes[0][user, axis] * tastes[1][item, axis] for axis in range(4))
    rating = np.clip(np.round(3 + liked / 2 + rng.normal(0, 0.5, len(pairs))), 1, 5).astype(np.float32)
    arrays = {"user": user[~late], "item": item[~late], "rating": rating[~late], "shape": np.array(shape)}
    arrays |= {"late_user": user[late], "late_item": item[late]}
    arrays["tested"] = rng.permutation(np.intersect1d(user[late], user[~late])).astype(np.int32)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def ours(folder: Path, model: str) -> dict[str, float]:
    """Fit one of our models here, and make lists (of ratings: none)."""
    from recmodels import registry
    from recmodels.compute import memory
    from recmodels.data.dataset import Dataset

    name, parameters = parse(model)
    arrays = {part: np.load(folder / f"{part}.npy") for part in ("user", "item", "rating", "shape", "tested")}
    n_users, n_items = arrays["shape"].tolist()
    rating = arrays["rating"] if name == "mf" else None
    data = Dataset.from_arrays(arrays["user"], arrays["item"], rating=rating, n_users=n_users, n_items=n_items)
    recommender = registry.create(name, parameters, seed=0)
    start = time.perf_counter()
    recommender.fit(data, registry.fit_options(name, parameters))
    fitted = time.perf_counter()
    if name != "mf":
        np.save(folder / "found.npy", recommender.recommend(data, arrays["tested"][:LISTED], K).items)
    return {"fit": fitted - start, "lists": time.perf_counter() - fitted, "peak": memory.peak()}


def recall(folder: Path) -> float | None:
    """The share of the held-out pairs of the listed users that the lists just made hold."""
    if not (folder / "found.npy").exists():
        return None
    found, tested = np.load(folder / "found.npy"), np.load(folder / "tested.npy")[:LISTED]
    (folder / "found.npy").unlink()
    width = int(np.load(folder / "shape.npy")[1])
    user, item = np.load(folder / "late_user.npy").astype(np.int64), np.load(folder / "late_item.npy")
    wanted = (user * width + item)[np.isin(user, tested)]
    listed = tested[:, None].astype(np.int64) * width + found
    return float(np.isin(wanted, listed[found >= 0]).mean())


def main(arguments: list[str] | None = None) -> int:
    """Print a row a model, and below each pair what the ratios are."""
    options = _options(arguments)
    if options.here:
        print(json.dumps(ours(Path(options.here[0]), options.here[1])))
        return 0
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, options.users, options.items, options.interactions)
        print("| model | fit s | lists s | peak MB | recall@50 |\n|---|---|---|---|---|", flush=True)
        for name in options.models or [*PAIRS, *ALONE]:
            models = PAIRS.get(name, (name,))
            turns = [[_apart(folder, model, options.peers) for model in models] for _ in range(options.turns)]
            best = [min(rows, key=lambda row: row["fit"]) for rows in zip(*turns, strict=True)]
            for model, row in zip(models, best, strict=True):
                found = "" if row["recall"] is None else f"{row['recall']:.4f}"
                print(f"| {model} | {row['fit']:.1f} | {row['lists']:.1f} | {row['peak'] / 1e6:.0f} | {found} |")
            if len(best) == 2:
                fit, peak = (best[0][part] / max(best[1][part], 1e-9) for part in ("fit", "peak"))
                print(f"| ratio | {fit:.2f} | | {peak:.2f} | |", flush=True)
    return 0


def _apart(folder: Path, model: str, peers: str) -> dict[str, Any]:
    """What a process of its own reports of a model, and the recall of its lists."""
    name, parameters = parse(model)
    command, environment = [sys.executable, "-m", "tests.benchmarks.models", "--here", str(folder), model], {}
    if "." in name:
        script = str(Path(__file__).with_name("peers.py"))
        command = [peers, script, str(folder), name, json.dumps(parameters), str(K), str(LISTED)]
        environment = {"OPENBLAS_NUM_THREADS": "1"}  # as implicit asks for
    ran = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return row | {"recall": recall(folder)}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.models", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join([*PAIRS, *ALONE])}; default: all")
    parser.add_argument("--peers", default="peers/bin/python", metavar="PYTHON", help="a Python that has the peers")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--turns", type=int, default=2, help="how often each is run; the best counts")
    parser.add_argument("--here", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
