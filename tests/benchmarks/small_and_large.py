"""Small models against large ones over a hundred nights: the figures of the article `docs/long-term.md`.

    python -m tests.benchmarks.small_and_large FOLDER [--world shop] [--nights 100] [--users 2000] [--items 1500]
        [--runs 3] [--encoder FOLDER] [--only NAME ...] [--check]

Each policy runs in a process of its own and is kept in FOLDER: what is there is not run again. The
policies that read texts as vectors need an encoder: the folder of a sentence-transformers model, and the package
sentence-transformers. The world `movielens` is fitted to MovieLens 100K in the
folder of real data, and has as many users and items as that. With `--check` nothing
is run, and what was found is printed again.
"""

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.simulation.comparison import LATER, TONIGHT, compare, windows
from recmodels.simulation.known import terms_of
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.measures import Measured, Meter
from recmodels.simulation.policies import (
    Augmented,
    Explored,
    MostPopular,
    Oracle,
    PlausibleWriter,
    Policy,
    Random,
    Reranking,
    Trained,
)  # fmt: skip
from recmodels.simulation.run import NightSeen, simulate
from recmodels.simulation.runs import Run
from tasks.report.verdict import About, verdict_html
from tests.benchmarks.long_run_pictures import frontier, trajectories
from tests.conftest import REAL_DATA

REFERENCE = "als"
RETRAIN = 5  # nights between two trainings; most lists follow new choices every night
UNATTAINABLE = ("oracle",)


@dataclass(frozen=True)
class Plan:
    """What is run."""

    folder: Path
    world: str
    nights: int
    users: int
    items: int
    runs: int
    encoder: Path | None
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A policy: how it is made, and whether it reads texts as vectors."""

    make: Callable[[Market, Floats | None], Policy]
    says: str
    family: str
    vectors: bool = False


def transformer(name: str, dim: int, layers: int) -> Policy:
    """Trained on from night to night, for as long as that helps on what it has not seen."""
    sizes = {"dim": dim, "layers": layers, "max_length": 50, "epochs": 15, "patience": 2}
    return Trained("transformer", sizes, name=name)


def als(**more: Any) -> Trained:
    return Trained("als", {"factors": 32}, **more)


def explored(epsilon: float, choose: Any) -> Policy:
    proposers = [als(), Trained("item_knn"), Trained("content")]
    return Explored(als(), proposers, epsilon, slot=3, choose=choose, name=f"als_{choose}_{round(100 * epsilon)}")


def reranked(suffix: str, **rules: Any) -> Policy:
    return als(name=f"als_{suffix}", rules=Reranking(**rules))


def augmented(policy: Trained, popularity: float, suffix: str) -> Policy:
    writer = PlausibleWriter(per_user=5, popularity=popularity, taste=1.0)
    return Augmented(policy, writer, name=f"{policy.name}_{suffix}")


SMALL, LARGE, TEXTS, WRITTEN, EXPLORED, RERANKED, BOUND = (
    "small", "large", "texts", "written", "explored", "re-ranked", "bound",
)  # fmt: skip
DRAWN = ("als", "popularity", "item_knn", "hybrid", "encoder", "transformer_m", "als_written", "als_uniform_100")
BESIDE = {"encoder_hybrid": (6, -12), "als": (6, -4), "als_written": (-4, 6), "content": (6, -12),
          "transformer_s": (-6, -12), "transformer_m": (-6, 5), "transformer_l": (-6, 5)}  # fmt: skip
PEOPLE = {"shop": "an invented shop", "movielens": "MovieLens 100K"}
KINDS = {
    "random": Kind(lambda *_: Random(), "items at random", BOUND),
    "popularity": Kind(lambda *_: MostPopular("popularity"), "what most chose", SMALL),
    "item_knn": Kind(lambda *_: Trained("item_knn"), "neighbors of items", SMALL),
    "als": Kind(lambda *_: als(), "32 factors", SMALL),
    "content": Kind(lambda *_: Trained("content"), "words of texts", TEXTS),
    "hybrid": Kind(lambda *_: Trained("hybrid"), "factors of users, items and words", TEXTS),
    "encoder": Kind(
        lambda _, vectors: Trained("content", name="encoder", vectors=vectors), "vectors of texts", TEXTS, True
    ),
    "encoder_hybrid": Kind(
        lambda _, vectors: Trained("hybrid", name="encoder_hybrid", vectors=vectors),
        "factors and vectors of texts",
        TEXTS,
        True,
    ),
    "als_written": Kind(lambda *_: augmented(als(), 1.0, "written"), "5 interactions a user are written", WRITTEN),
    "als_written_fair": Kind(
        lambda *_: augmented(als(), 0.0, "written_fair"), "5 are written, blind to popularity", WRITTEN
    ),
    "als_uniform_10": Kind(lambda *_: explored(0.1, "uniform"), "explores a place of 10 % of the lists", EXPLORED),
    "als_uniform_100": Kind(lambda *_: explored(1.0, "uniform"), "explores a place of all lists", EXPLORED),
    "als_thompson_100": Kind(lambda *_: explored(1.0, "thompson"), "a bandit fills a place of all lists", EXPLORED),
    "als_diverse": Kind(lambda *_: reranked("diverse", relevance_weight=0.7), "relevance weighs 0.7", RERANKED),
    "als_calibrated": Kind(lambda *_: reranked("calibrated", calibration=0.5), "calibration weighs 0.5", RERANKED),
    "als_damped": Kind(lambda *_: reranked("damped", popularity_damping=0.5), "popularity is damped by 0.5", RERANKED),
    "als_new": Kind(lambda *_: reranked("new", new_share=0.2), "a fifth of the places for new items", RERANKED),
    "oracle": Kind(lambda market, _: Oracle(market), "knows what users like", BOUND),
    "transformer_s": Kind(lambda *_: transformer("transformer_s", 16, 1), "one block of 16", LARGE),
    "transformer_m": Kind(lambda *_: transformer("transformer_m", 64, 2), "two blocks of 64", LARGE),
    "transformer_l": Kind(lambda *_: transformer("transformer_l", 128, 3), "three blocks of 128", LARGE),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--world", choices=("shop", "movielens"), default="shop")
    parser.add_argument("--nights", type=int, default=100)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--items", type=int, default=1_500)
    parser.add_argument("--runs", type=int, default=3, help="each with other users, items and chances")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--assume", nargs="*", default=[], help="of the behavior model, as adoption=0.9")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    plan = Plan(
        options.folder,
        options.world,
        options.nights,
        options.users,
        options.items,
        options.runs,
        options.encoder,
        tuple(options.assume),
    )
    wanted = [name for name, kind in KINDS.items() if not (kind.vectors and plan.encoder is None)]
    wanted = [name for name in wanted if not options.only or name in options.only]
    if not options.check:
        run(plan, wanted, options.processes)
    compare_all(plan)


def run(plan: Plan, names: list[str], processes: int) -> None:
    """The policies that are not there yet."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    left = [(name, seed) for seed in range(plan.runs) for name in names if not kept_at(plan, name, seed).exists()]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, max_tasks_per_child=1) as pool:
        for line in pool.map(one, [plan] * len(left), *zip(*left, strict=True)):
            print(line, flush=True)


def one(plan: Plan, name: str, seed: int) -> str:
    """All nights of a policy in one run."""
    began = time.process_time()
    market, kind, nights = market_of(plan, seed), KINDS[name], []
    meter = Meter(market, seed)
    policy = kind.make(market, vectors_of(plan, market, seed) if kind.vectors else None)

    def note(seen: NightSeen) -> None:
        nights.append(meter.measure(seen))

    simulate(
        market, policy, plan.nights, retrain_every=RETRAIN, seed=seed, terms=terms_of(market.texts()),
        ahead=meter.ahead, observe=note,
    )  # fmt: skip
    keep(kept_at(plan, name, seed), nights)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return f"{name:18} run {seed} {time.process_time() - began:7.0f} CPU seconds, {peak:6.0f} MiB"


def market_of(plan: Plan, seed: int) -> Market:
    settings = MarketSettings(**{name: float(value) for name, _, value in (one.partition("=") for one in plan.assumed)})
    if plan.world == "shop":
        return Market.generated(settings, plan.users, plan.items, seed, plan.nights)
    interactions = pd.read_csv(REAL_DATA / "ml-100k" / "inter.csv")
    items = pd.read_csv(REAL_DATA / "ml-100k" / "item.csv")
    data = Dataset.from_pandas(interactions, time="timestamp", items=items)
    title, genres = (items.set_index("item_id")[name].fillna("") for name in ("movie_title", "class"))
    ids = data.ids.items.tolist() if data.ids is not None else []
    texts = [f"{title[one]}. {genres[one].replace(' ', ', ')}" for one in ids]
    first = np.array([genres[one].partition(" ")[0] for one in ids])
    category = np.unique(first, return_inverse=True)[1].astype(np.int32)
    return Market.fitted(data, settings, seed, plan.nights, texts=texts, category=category)


def kept_at(plan: Plan, name: str, seed: int) -> Path:
    return plan.folder / f"{name}.{seed}.npz"


def vectors_of(plan: Plan, market: Market, seed: int) -> Floats:
    """What the encoder makes of the items' texts, read once a run."""
    path = plan.folder / f"vectors.{seed}.npy"
    if not path.exists():
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(str(plan.encoder), local_files_only=True)
        found = encoder.encode(market.texts(), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
        unfinished = path.with_suffix(".tmp.npy")
        np.save(unfinished, np.asarray(found, np.float32))
        unfinished.replace(path)
    vectors: Floats = np.load(path)
    return vectors


def keep(path: Path, nights: list[Measured]) -> None:
    of = Run.of(nights)
    arrays = {f"figure.{name}": values for name, values in of.figures.items()}
    arrays |= {f"user.{name}": values for name, values in of.by_user.items()}
    unfinished = path.with_suffix(".tmp.npz")
    np.savez(unfinished, **arrays)  # type: ignore[arg-type]
    unfinished.replace(path)


def kept(path: Path) -> Run:
    with np.load(path, allow_pickle=False) as file:
        parts: dict[str, dict[str, Any]] = {"figure": {}, "user": {}}
        for name in file.files:
            kind, _, figure = name.partition(".")
            parts[kind][figure] = file[name]
    return Run(parts["figure"], parts["user"])


def compare_all(plan: Plan) -> None:
    """The table over all runs; of the first the verdict page, `comparison.json`, and the pictures of the article."""
    runs = {name: kept_of(plan, name) for name in KINDS}
    runs = {name: of for name, of in runs.items() if of}
    first_runs = {name: of[:1] for name, of in runs.items()}
    says = {name: kind.says for name, kind in KINDS.items()}
    found = compare(first_runs, REFERENCE, says=says, unattainable=UNATTAINABLE)
    (plan.folder / "comparison.json").write_text(json.dumps(found.json()))
    world = market_of(plan, 0).world
    about = About(plan.world, PEOPLE[plan.world], world.n_users, world.n_items, 10, 0, "nightrec's own model")
    (plan.folder / "verdict.html").write_text(verdict_html(about, found), encoding="utf-8")
    plain = {name: kind.family for name, kind in KINDS.items() if kind.family not in (EXPLORED, RERANKED)}
    frontier(found, plan.folder / "frontier.svg", plain, BESIDE)
    trajectories(found, [name for name in DRAWN if name in runs], plan.folder / "trajectories.svg")
    print(table(runs, *windows(plan.nights)))


def table(runs: Mapping[str, list[Run]], first: slice, last: slice) -> str:
    """Each policy beside the reference in the same run: means over the runs, with the least and the most of two."""
    rows = [
        "| policy | tonight, % | in the end, % | items alive | popularity lift | nights to find | CPU s |",
        "|---" * 7 + "|",
    ]
    for name, of in runs.items():
        pairs = list(zip(of, runs[REFERENCE], strict=False))
        cells = [
            spread([percent(one, other, TONIGHT, first) for one, other in pairs], 0),
            spread([percent(one, other, LATER, last) for one, other in pairs], 1),
            f"{average(of, 'alive_items', last):.0f}",
            f"{average(of, 'popularity_lift', last):+.2f}",
            f"{average(of, 'new_item_nights', last):.0f}",
            f"{average(of, 'cpu_seconds', slice(None)):.2f}",
        ]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def percent(one: Run, other: Run, figure: str, nights: slice) -> float:
    return 100 * (one.level(figure, nights) / other.level(figure, nights) - 1)


def average(runs: list[Run], figure: str, nights: slice) -> float:
    return float(np.mean([one.level(figure, nights) for one in runs]))


def spread(values: list[float], digits: int) -> str:
    written = f"{np.mean(values):+.{digits}f}"
    return written if len(values) == 1 else f"{written} ({min(values):+.{digits}f} to {max(values):+.{digits}f})"


def kept_of(plan: Plan, name: str) -> list[Run]:
    """The runs of a policy that are there, from the first one on."""
    found = []
    for seed in range(plan.runs):
        if not (path := kept_at(plan, name, seed)).exists():
            break
        found.append(kept(path))
    return found


if __name__ == "__main__":
    main()
