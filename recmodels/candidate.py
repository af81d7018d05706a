"""One candidate in a process of its own: `python -m recmodels.candidate SPEC.json` trains a model and lists items.

The only program of this library. It takes a JSON file (`Spec`), writes the model, the lists and a JSON file with
the result, and shares nothing else with who started it: so it can run on any machine that sees the folders, and one
that dies takes nothing along. Give it its share of the cores through OMP_NUM_THREADS.
"""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels import registry
from recmodels.base import Recommender
from recmodels.compute import memory
from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.backtests import rolling_folds
from recmodels.data.dataset import Dataset
from recmodels.data.layout import FIRST, HOLDOUT, ITEMS, PREPARED, UNSEEN, Split, interactions_file
from recmodels.errors import ConfigError, NightrecError
from recmodels.fallback import Lists, serve
from recmodels.metrics.ranking import per_user
from recmodels.metrics.rating_errors import mae, rmse
from recmodels.options import FitOptions
from recmodels.pairwise.warm_start import load_earlier
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules
from recmodels.scoring.ratings import RatingPredictor

LISTS, PLAIN = "lists.parquet", "plain.parquet"  # as they are shown; as they would be without rules
PLACES = 2**20  # of lists that are made and written at a time: some 50 MB
SCHEMA = pa.schema(
    [
        ("user_index", pa.int32()),
        ("rank", pa.int16()),  # from 1
        ("item_index", pa.int32()),
        ("score", pa.float32()),
        ("cold", pa.bool_()),  # whether the fallback supplied the item
    ]
)


@dataclass(frozen=True)
class ListsSpec:
    """Which lists to write into `out`/lists.parquet: of the users in the holdout, or of all."""

    out: Path
    users: str  # "holdout" or "all"
    k: int
    min_history: int = 1
    repeats: bool = False
    rules: Path | None = None  # see recmodels.ranking.rerank; the lists without them go to `out`/plain.parquet
    unavailable: bool = False  # whether items that are not available may be listed

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "ListsSpec":
        paths = {name: Path(raw[name]) for name in ("out", "rules") if raw.get(name) is not None}
        return cls(**raw | paths)


@dataclass(frozen=True)
class Spec:
    """What to do; as JSON, paths are strings."""

    features: Path
    split: Split
    recommender: str
    params: dict[str, Any]
    seed: int
    fit: bool  # whether to train, and write the model, or to read it
    model: Path
    lists: ListsSpec | None
    result: Path
    earlier: dict[str, str] | None = None  # the `model` to start from, and the `features` that it was trained on
    minutes: float | None = None  # a training in epochs ends with its best weights before then
    windows: int = 1  # how many are measured: beside the holdout, so many less one within the training window
    window_days: float = 7
    models: dict[str, str] = field(default_factory=dict)  # folders of members that an ensemble takes as they are
    without: list[str] = field(default_factory=list)  # members that an ensemble leaves out

    @classmethod
    def read(cls, path: Path) -> "Spec":
        """Raises ConfigError for a file that is not such a specification."""
        try:
            raw = json.loads(path.read_text())
            lists = raw.pop("lists")
            raw |= {name: Path(raw[name]) for name in ("features", "model", "result")}
            return cls(**raw, lists=lists and ListsSpec.of(lists))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path} is no specification of a candidate: {error!r}.") from error


def run(spec: Spec) -> dict[str, Any]:
    """Train or load, then list; seconds, bytes and counts of what was done."""
    data = Dataset.load(spec.features, spec.split)
    model = registry.create(spec.recommender, spec.params, seed=spec.seed)
    users = _users(spec.features, spec.lists, data)
    learnt = _learnt(spec, data)
    n_items = len(np.unique(data.item_index))
    needed = model.memory_needed(data.n_users, n_items, len(data))
    start = time.perf_counter()
    if spec.fit:
        memory.require(needed, spec.recommender, n_items)
        model.fit(learnt, _options(spec))
        model.save(spec.model)
    else:
        model = Recommender.load(spec.model)
    fitted = time.perf_counter()
    more: dict[str, Any] = {}
    if spec.lists:
        fallback = model if isinstance(model, Popularity) else Popularity().fit(learnt)
        _write_lists(spec.lists, model, fallback, data, users, _available(spec.features, spec.lists))
        more = _rating_errors(spec, model, data)
    listed = time.perf_counter()
    del model  # its memory is the next one's
    if spec.lists and spec.windows > 1:
        more["windows"] = _windows(spec, spec.lists, learnt, fitted - start)
    return more | {
        "fit_seconds": fitted - start,
        "list_seconds": listed - fitted,
        "peak_bytes": memory.peak(),
        "n_users": len(users),
        "memory_needed": needed,
    }


def main(arguments: list[str]) -> int:
    """Run the specification named in the arguments; the exit code says how it ended."""
    logging.basicConfig(format="%(asctime)s %(message)s")  # to standard error
    logging.getLogger("recmodels").setLevel(logging.INFO)
    if "--watch-stdin" in arguments:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    paths = [Path(argument) for argument in arguments if argument != "--watch-stdin"]
    if len(paths) != 1:
        print("usage: python -m recmodels.candidate SPEC.json [--watch-stdin]", file=sys.stderr)
        return ConfigError.exit_code
    try:
        spec = Spec.read(paths[0])
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        _write_json(spec.result, run(spec))
    except NightrecError as error:
        _write_json(spec.result, {"error": str(error)})
        return error.exit_code
    except MemoryError:
        _write_json(spec.result, {"error": f"{spec.recommender} ran out of memory; leave it out or give it more."})
        return NightrecError.exit_code
    return 0


def _options(spec: Spec) -> FitOptions:
    """When the training ends, where a killed one resumes, what it starts from, and which members there are."""
    options = FitOptions(
        minutes=spec.minutes,
        checkpoint=spec.result.with_suffix(".checkpoint"),
        members={name: Path(folder) for name, folder in spec.models.items()},
        without=tuple(spec.without),
    )
    if spec.earlier:
        then = {name: Path(folder) for name, folder in spec.earlier.items()}
        earlier = load_earlier(then["model"], then["features"], spec.features, spec.split)
        options = replace(options, warm_start=earlier)
    return registry.fit_options(spec.recommender, spec.params, options)


def _learnt(spec: Spec, data: Dataset) -> Dataset:
    """What there is to learn from: everything, but where some users are to be unknown to the model."""
    path = spec.features / PREPARED / UNSEEN
    if spec.split == "full" or not path.exists():
        return data
    return data.without(pq.read_table(path)["user_index"].to_numpy())


def _rating_errors(spec: Spec, model: Recommender, data: Dataset) -> dict[str, float]:
    """How wrong the ratings of the holdout are foreseen, by a model that foresees any."""
    path = spec.features / PREPARED / HOLDOUT
    if spec.split == "full" or not isinstance(model, RatingPredictor) or getattr(model, "baseline_", None) is None:
        return {}
    if "rating" not in pq.read_schema(path).names:
        return {}
    table = pq.read_table(path, columns=["user_index", "item_index", "rating"])
    rating = table["rating"].to_numpy()
    given = ~np.isnan(rating)
    if not given.any():
        return {}
    users, items = (table[name].to_numpy()[given] for name in ("user_index", "item_index"))
    predicted = model.predict(data, users, items)
    return {"rmse": rmse(predicted, rating[given]), "mae": mae(predicted, rating[given])}


def _windows(spec: Spec, lists: ListsSpec, data: Dataset, fit_seconds: float) -> list[dict[str, Any]]:
    """The recipe trained again on what came before each earlier window, and what its lists are worth there.

    The lists are those that `serve` gives without rules. A window that cannot be trained says why; one for which no
    time is left is not begun.
    """
    found: list[dict[str, Any]] = []
    allowed, step = _available(spec.features, lists), max(1, PLACES // lists.k)
    started = time.perf_counter()
    first = _first_times(spec.features, spec.split, data)
    for window, part in rolling_folds(
        data, spec.windows - 1, spec.window_days, spec.seed, cold_start=True, first=first
    ):
        about: dict[str, Any] = {"window": window + 1, "users": len(part.users)}
        spent = time.perf_counter() - started
        if spec.minutes is not None and spent + fit_seconds > 60 * spec.minutes * (spec.windows - 1):
            found.append(about | {"failed": "no time was left for it"})
            continue
        try:
            model = registry.create(spec.recommender, spec.params, seed=spec.seed)
            before = replace(spec, result=spec.result.with_suffix(f".window{window}"), models={}, earlier=None)
            model.fit(part.train, _options(before))  # from nothing that has learnt from what this window measures
        except NightrecError as error:
            found.append(about | {"failed": str(error)})
            continue
        fallback = model if isinstance(model, Popularity) else Popularity().fit(part.train)
        items = [
            serve(
                model, fallback, part.train, part.users[i : i + step], lists.k,
                allowed=allowed, repeats=lists.repeats, min_history=lists.min_history,
            ).items
            for i in range(0, len(part.users), step)
        ]  # fmt: skip
        measured = per_user(np.concatenate(items), part.truth)
        found.append(about | {name: float(values.mean()) for name, values in measured.items()})
    return found


def _first_times(features: Path, split: Split, data: Dataset) -> Longs | None:
    """When each pair that is learnt from began; None where no pair was repeated."""
    path = features / PREPARED / interactions_file(split)
    if FIRST not in pq.read_schema(path).names:
        return None
    table = pq.read_table(path, columns=["user_index", "weight", FIRST])
    learnt = np.bincount(data.user_index, minlength=data.n_users) > 0
    rows = (table["weight"].to_numpy() > 0) & learnt[table["user_index"].to_numpy()]
    times: Longs = table[FIRST].cast(pa.int64()).to_numpy()[rows]
    return times


def _write_lists(
    lists: ListsSpec, model: Recommender, fallback: Recommender, data: Dataset, users: Ints, allowed: Bools
) -> None:
    """Lists by batches of users, in their order, so that memory does not grow with the number of users."""
    lists.out.mkdir(parents=True, exist_ok=True)
    step = max(1, PLACES // lists.k)
    rules = Rules.load(lists.rules) if lists.rules else None

    def batch(i: int, rules: Rules | None) -> Lists:
        return serve(
            model, fallback, data, users[i : i + step], lists.k,
            allowed=allowed, repeats=lists.repeats, min_history=lists.min_history, rules=rules,
        )  # fmt: skip

    for name, by in [(LISTS, rules), (PLAIN, None)] if rules else [(LISTS, None)]:
        _write(lists.out / name, (batch(i, by) for i in range(0, len(users), step)))


def _write(path: Path, batches: Iterable[Lists]) -> None:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for served in batches:
            row, place = np.nonzero(served.items >= 0)
            columns = [
                served.users[row],
                (place + 1).astype(np.int16),
                served.items[row, place],
                served.scores[row, place],
                served.cold[row, place],
            ]
            writer.write_table(pa.table(columns, schema=SCHEMA))


def _users(features: Path, lists: ListsSpec | None, data: Dataset) -> Ints:
    if lists is None:
        return np.empty(0, np.int32)
    if lists.users == "all":
        return np.arange(data.n_users, dtype=np.int32)
    if lists.users == "holdout":
        return np.unique(pq.read_table(features / PREPARED / HOLDOUT, columns=["user_index"])["user_index"].to_numpy())
    raise ConfigError(f"Lists for {lists.users!r}: there are lists for 'holdout' and for 'all' users.")


def _available(features: Path, lists: ListsSpec) -> Bools:
    available: Bools = pq.read_table(features / PREPARED / ITEMS, columns=["available"])["available"].to_numpy()
    return np.ones_like(available) if lists.unavailable else available


def _write_json(path: Path, content: dict[str, Any]) -> None:
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(path)


def _end_with_parent() -> None:
    """Whoever started this process holds the other end of its standard input: when they die, so does this."""
    while os.read(0, 4096):
        pass
    os._exit(NightrecError.exit_code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
