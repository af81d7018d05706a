"""One candidate in a process of its own: `python -m recmodels.candidate SPEC.json` trains a model and lists items.

It takes a JSON file (`Spec`), writes the model, the lists and a JSON file with the result, and shares nothing else with
who started it: so it can run on any machine that sees the folders, and one that dies takes nothing along. Give it its
share of the cores through OMP_NUM_THREADS.

Exit codes: 0 done, 1 failed, 2 a wrong specification or setting, 3 the data were refused, 4 no engine to work with.
"""

import logging
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from recmodels import registry
from recmodels.candidate_buckets import write_lists_in_buckets
from recmodels.candidate_fit import fit_on_a_node, wants_a_node
from recmodels.candidate_lists import allowed_items, domains_of, users_of, write_lists
from recmodels.candidate_measures import backtests, held_ratings, rating_errors
from recmodels.candidate_spec import Spec
from recmodels.compute import memory
from recmodels.data.dataset import Dataset
from recmodels.data.late import LateRows
from recmodels.data.layout import PREPARED, UNSEEN
from recmodels.data.parquet import read_columns
from recmodels.data.stored import StoredDataset
from recmodels.engine.choice import working_on
from recmodels.engine.current import asked_for
from recmodels.engine.watching import Logging, watched_by
from recmodels.errors import ConfigError, DataRefused, EngineUnavailable, NightrecError
from recmodels.exploration.bootstrap import replicate_of
from recmodels.parted.shared import shared_dataset
from recmodels.persistence import load, save
from recmodels.popularity import Popularity
from recmodels.scoring.ratings import RatingPredictor
from recmodels.supervised import UNAVAILABLE, WATCH, watch_stdin, write_result

FAILED = 1
CODES: dict[type[NightrecError], int] = {ConfigError: 2, DataRefused: 3, EngineUnavailable: UNAVAILABLE}


def run(spec: Spec, waited: float = 0.0) -> dict[str, Any]:
    """Train or load, then list; seconds (also of the cores), bytes and counts of what was done.

    `waited`: seconds that have passed since the process was started, which belong to its time.
    """
    began, entered = time.process_time(), time.monotonic()
    parted = asked_for() and spec.parts is not None
    data = StoredDataset.opened(spec.features, spec.split) if parted else _loaded(spec)
    model = registry.create(spec.recommender, spec.params, seed=spec.seed)
    users = users_of(spec.features, spec.lists, data)
    training = _training_data(spec, data)
    n_items = len(data.known_items)
    needed = model.memory_needed(data.n_users, n_items, len(data))
    memory.trim()  # of what reading took, another candidate may make use
    start, fit_cpu = time.perf_counter(), time.process_time()
    more: dict[str, Any] = {}
    there: dict[str, Any] = {}
    if wants_a_node(spec, model):
        there = fit_on_a_node(spec, model, training)
        more = {name: there[name] for name in ("warm", "changed", "host", "device") if name in there}
        model = load(spec.model)
    elif spec.fit:
        memory.require(needed, spec.recommender, n_items)
        warm, changed = spec.warm_start(training)
        if changed is not None:
            more = {"warm": warm is not None, "changed": changed._asdict()}
        model.fit(training, spec.fit_options(len(users), warm, waited + time.monotonic() - entered))
        del warm
        memory.trim()
        save(model, spec.model)
    else:
        model = load(spec.model)
    if learned := model.learned():
        more["learned"] = learned
    fitted, list_cpu = time.perf_counter(), time.process_time()
    if spec.lists:
        fallback = model if isinstance(model, Popularity) else Popularity().fit(training)
        given = model, fallback, data, users, allowed_items(spec.features, spec.lists)
        held = held_ratings(spec, model)
        pairs = held and (held.users, held.items)
        if asked_for() and spec.parts is not None:
            predicted = write_lists_in_buckets(spec, spec.lists, spec.parts, *given, pairs)
        else:
            write_lists(spec.lists, *given, domains_of(spec.lists, spec.features))
            predicted = model.predict(data, *pairs) if pairs and isinstance(model, RatingPredictor) else None
        more |= rating_errors(held, predicted)
    listed, end_cpu = time.perf_counter(), time.process_time()
    del model  # its memory is the next one's
    if spec.lists and spec.windows > 1:
        more["windows"] = backtests(spec, spec.lists, training, fitted - start, run)
    return more | {
        "fit_seconds": fitted - start,
        "list_seconds": listed - fitted,
        "fit_cpu_seconds": list_cpu - fit_cpu + there.get("fit_cpu_seconds", 0.0),
        "list_cpu_seconds": end_cpu - list_cpu,
        "cpu_seconds": time.process_time() - began + there.get("cpu_seconds", 0.0),
        "peak_bytes": max(memory.peak(), there.get("peak_bytes", 0)),
        "n_users": len(users),
        "memory_needed": needed,
    }


def main(arguments: list[str], waited: float = 0.0) -> int:
    """Run the specification named in the arguments; the exit code says how it ended. `waited`: see `run`."""
    logging.basicConfig(format="%(asctime)s %(message)s")  # to standard error
    logging.getLogger("recmodels").setLevel(logging.INFO)
    if WATCH in arguments:
        watch_stdin(FAILED)
    paths = [Path(argument) for argument in arguments if argument != WATCH]
    if len(paths) != 1:
        print("usage: python -m recmodels.candidate SPEC.json [--watch-stdin]", file=sys.stderr)
        return CODES[ConfigError]
    try:
        spec = Spec.read(paths[0])
    except ConfigError as error:
        print(error, file=sys.stderr)
        return CODES[ConfigError]
    notes = Notes()
    try:
        with watched_by(notes), working_on(spec.engine):
            result = run(spec, waited)
        write_result(spec.result, result | notes.json_ready())
    except NightrecError as error:
        write_result(spec.result, {"error": str(error)} | notes.json_ready())
        return next((code for kind, code in CODES.items() if isinstance(error, kind)), FAILED)
    except MemoryError:
        write_result(spec.result, {"error": f"{spec.recommender} ran out of memory; leave it out or give it more."})
        return FAILED
    return 0


class Notes(Logging):
    """What became of the machines of an engine, for the night's own log."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def noted(self, sentence: str) -> None:
        super().noted(sentence)
        self.sentences.append(sentence)

    def json_ready(self) -> dict[str, Any]:
        return {"engine_notes": self.sentences} if self.sentences else {}


def _loaded(spec: Spec) -> Dataset:
    """Everything, of which as little as possible is read again, and held."""
    if spec.shared is None or not spec.shared.is_dir():
        return LateRows.without_rows(Dataset.load(spec.features, spec.split))
    return shared_dataset(spec.features, spec.split, spec.shared)


def _training_data(spec: Spec, data: Dataset) -> Dataset:
    """Everything, or without the users that the protocol excludes from training, or that a bootstrap leaves out."""
    if spec.bootstrap is not None:
        return replicate_of(data, spec.bootstrap)
    path = spec.features / PREPARED / UNSEEN
    if spec.split == "full" or not path.exists():
        return data
    return data.without(read_columns(path, ["user_index"])["user_index"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], waited=max(0.0, time.time() - psutil.Process().create_time())))
