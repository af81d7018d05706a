"""What larger Transformers and more data buy: ``python -m tests.benchmarks.scaling {beauty,ml1m} FOLDER``.

Width (`dim`), depth (`layers`) and data are varied, three by three by three. The data are those of a quarter, a half
and all of the users, drawn by seed, each with those of the smaller one; the users of the quarter are measured
throughout. Of each user's items, in order of time, the last is left alone, the last but one is measured, and the rest
is trained on: its own last item validates, until validation has not improved for so many steps, which are as many for a
quarter of the data as for all (its passes are shorter, so it gets more of them). ``--epochs`` bounds them, in passes
over all data. Whether a point ended at that bound is kept with it.

Each point is trained by one thread in a process of its own, the cheapest of the corners first, and kept in FOLDER with
each user's NDCG; what is there by the same parameters is not trained again. After each one, all are put together and
the laws are fitted (`docs.site.laws`) into docs/scaling.json; then ``python -m docs.site.scaling`` makes the tables and
pictures of docs/scaling.md.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docs.site.laws import saturating, straight
from docs.site.scaling import FILE, SIZES, Figure, Measurements, Point, Study, read
from recmodels.compute import memory
from recmodels.data.dataset import Dataset
from recmodels.metrics.ranking import per_user
from recmodels.supervised import threads_of, write_result
from recmodels.transformer.model import Transformer
from tests.benchmarks.quality import parse
from tests.benchmarks.record import git
from tests.benchmarks.sequences import RECIPE
from tests.benchmarks.splits import last_items

CHANGES: dict[str, Any] = {"loss": "sampled", "negatives": 512, "final_epochs": 0}
"""To the recipe of `tests.benchmarks.sequences`, for less time: it has the full softmax, and passes over everything."""
EPOCHS, PATIENCE = 60, 4  # in passes over all data
SEED = 1
K = 10


class Size(NamedTuple):
    """Of a network and its data."""

    dim: int
    layers: int
    share: float  # of the users

    def __str__(self) -> str:
        return f"{self.dim}-{self.layers}-{self.share:g}"


MIDDLE = Size(*(values[1] for values in SIZES.values()))


def main(arguments: list[str] | None = None) -> int:
    """Measure what is missing, and put together what is there; the exit code is 1 if a point failed."""
    options = _options(arguments)
    if options.here:
        dim, layers, share = options.here.split("-")
        print(json.dumps(measure(options.data, Size(int(dim), int(layers), float(share)), _changes(options))))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for size in [size for size in ordered() if kept(options, size) is None][: options.most]:
        own = [options.data, str(options.folder), "--here", str(size), "--epochs", str(options.epochs)]
        command = [sys.executable, "-m", "tests.benchmarks.scaling", *own, "--set", options.set]
        one_thread = os.environ | threads_of(1)
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=one_thread)
        if ran.returncode != 0:
            print(f"{size} failed (exit code {ran.returncode}); what it said is above.", file=sys.stderr)
            return 1
        found = json.loads(ran.stdout.splitlines()[-1])
        write_result(_path(options, size), found)
        point = Point.model_validate(found["point"])
        costs = f"{point.train_cpu_seconds:.0f} CPU s, {point.peak_bytes / 1e6:.0f} MB"
        print(
            f"{size}: NDCG@10 {point.ndcg.value:.4f}, {costs}, epoch {point.best_epoch} of {point.epochs}", flush=True
        )
        put_together(options)
    put_together(options)
    return 0


def kept(options: argparse.Namespace, size: Size) -> dict[str, Any] | None:
    """What was measured of a point by these parameters; None if it was not."""
    if not (path := _path(options, size)).exists():
        return None
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found if found["parameters"] == parameters(size, _changes(options)) else None


def ordered() -> list[Size]:
    """All sizes: the corners and the middle, then the others, each from cheap to dear."""
    ends = [{values[0], values[-1]} for values in SIZES.values()]

    def key(size: Size) -> tuple[bool, float]:
        corner = all(value in values for value, values in zip(size, ends, strict=True))
        return not corner and size != MIDDLE, size.dim * size.layers * size.share

    return sorted((Size(*values) for values in product(*SIZES.values())), key=key)


def parameters(size: Size, changes: dict[str, Any]) -> dict[str, Any]:
    """Of the Transformer: passes over a part of the data are shorter, so as many steps are more of them."""
    recipe = {"epochs": EPOCHS, "patience": PATIENCE} | changes
    passes = {name: round(recipe[name] / size.share) for name in ("epochs", "patience")}
    return RECIPE | CHANGES | recipe | passes | {"dim": size.dim, "layers": size.layers, "seed": SEED}


def measure(name: str, size: Size, changes: dict[str, Any]) -> dict[str, Any]:
    """Train one point here, and measure: the point, and the NDCG of each measured user."""
    split = last_items(name, validation=True)
    order = np.random.default_rng(SEED).permutation(split.train.n_users)
    users, measured = (np.sort(order[: round(share * len(order))]) for share in (size.share, min(SIZES["share"])))
    data = of_users(split.train, users)
    given = parameters(size, changes)
    model = Transformer(**given)
    began = time.process_time()
    model.fit(data)
    fitted = time.process_time()
    lists = model.recommend(data, np.searchsorted(users, measured).astype(np.int32), K).items
    listed = time.process_time()
    found = per_user(lists, split.truth[measured])
    validated = [epoch["ndcg"] for epoch in model.epochs_]
    best = int(np.argmax(validated)) + 1
    point = Point(
        dim=size.dim, layers=size.layers, share=size.share, users=len(users), interactions=len(data),
        network_parameters=sum(array.size for array in model.network_.values()),
        vector_parameters=len(data.known_items) * size.dim,
        hr=figure(found["hit_rate"]), ndcg=figure(found["ndcg"]), validation_ndcg=max(validated),
        epochs=len(validated), best_epoch=best,
        bounded=len(validated) == given["epochs"] and len(validated) - best < given["patience"],
        train_cpu_seconds=round(fitted - began, 1), list_cpu_seconds=round(listed - fitted, 2),
        peak_bytes=memory.peak(), commit=git("rev-parse", "--short=12", "HEAD"), date=_today(),
    )  # fmt: skip
    return {"parameters": given, "point": point.model_dump(mode="json"), "ndcg": found["ndcg"].round(6).tolist()}


def of_users(data: Dataset, users: NDArray[np.int64]) -> Dataset:
    """What some users (ascending) did, all items as they were."""
    rows = np.isin(data.user_index, users)
    own = np.searchsorted(users, data.user_index[rows])
    return Dataset.from_arrays(own, data.item_index[rows], n_users=len(users), n_items=data.n_items)


def figure(values: NDArray[np.float64], middle: NDArray[np.float64] | None = None) -> Figure:
    """The mean of users [n], and of their differences from the middle, with standard errors."""
    alone = Figure(value=values.mean(), error=standard_error(values))
    if middle is None:
        return alone
    gained = values - middle
    return alone.model_copy(update={"gained": float(gained.mean()), "gained_error": standard_error(gained)})


def hits(ndcg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whose lists have the item that is wanted of them: there is one."""
    return (ndcg > 0).astype(np.float64)


def standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def put_together(options: argparse.Namespace) -> None:
    """Write the study of a data set, beside those of others that are there."""
    found = {size: one for size in ordered() if (one := kept(options, size)) is not None}
    if not found:
        return
    ndcg = {size: np.array(one["ndcg"]) for size, one in found.items()}
    middle = ndcg.get(MIDDLE)
    points = []
    for size in sorted(found, key=lambda size: (size.share, size.layers, size.dim)):
        of_hits = None if middle is None else hits(middle)
        figures = {"ndcg": figure(ndcg[size], middle), "hr": figure(hits(ndcg[size]), of_hits)}
        points.append(Point.model_validate(found[size]["point"]).model_copy(update=figures))
    study = Study(
        users=len(next(iter(ndcg.values()))),
        parameters=parameters(MIDDLE._replace(share=1.0), _changes(options)),
        cpu=_cpu(),
        points=points,
        **laws(points, np.stack([ndcg[Size(point.dim, point.layers, point.share)] for point in points])),
    )
    studies = read(options.out).studies if options.out.exists() else {}
    together = Measurements(studies=studies | {options.data: study})
    options.out.write_text(json.dumps(together.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")


def laws(points: list[Point], ndcg: NDArray[np.float64]) -> dict[str, Any]:
    """What is fitted to the points, and to the NDCG of their users [n, n_users]; None where they are too few."""
    sizes = np.array([[point.dim, point.layers, point.share] for point in points]) / np.array(MIDDLE)
    train, lists = (np.log2([getattr(point, f"{what}_cpu_seconds") for point in points]) for what in ("train", "list"))
    figures = {"ndcg": ndcg, "hr": hits(ndcg), "train_cpu_seconds": train, "list_cpu_seconds": lists}
    fitted = {name: straight(sizes, values) for name, values in figures.items()} if levels(sizes) > 1 else {}
    by_share = {}
    for share in SIZES["share"]:
        some = sizes[:, 2] == share / MIDDLE.share
        if levels(sizes[some, :2]) > 1:
            by_share[share] = straight(sizes[some, :2], ndcg[some])
    large = np.array([[point.network_parameters, point.interactions] for point in points], float)
    curved = saturating(large, ndcg.mean(axis=1)) if levels(sizes) > 2 else None
    return {"straight": fitted, "by_share": by_share, "saturating": curved}


def levels(sizes: NDArray[np.float64]) -> int:
    """How many different values each of the sizes [n, p] has at least; 0 where the points are too few for a law."""
    n, p = sizes.shape
    return min(len(np.unique(column)) for column in sizes.T) if n > 2 * p else 0


def _path(options: argparse.Namespace, size: Size) -> Path:
    path: Path = options.folder / f"{options.data}-{size}.json"
    return path


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    return {"epochs": options.epochs} | parse(f"transformer:{options.set}")[1]


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else ""


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scaling", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", choices=("beauty", "ml1m"), help="the data set")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where points are kept")
    parser.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help=f"most passes over all data [{EPOCHS}]")
    parser.add_argument("--set", default="", metavar="PARAMETER=VALUE,...", help="changes to the recipe")
    parser.add_argument("--most", type=int, metavar="N", help="train so many points at most [all]")
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE.json", help="[docs/scaling.json]")
    parser.add_argument("--here", default="", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
