"""The backtest folds that a trial of a search is measured on: in memory, or where an engine has them.

On an engine a trial is a candidate: trained in parts or as a whole by a node, and listed in buckets of users.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from recmodels.candidate_lists import read_lists, read_truth
from recmodels.candidate_spec import ListsSpec, Spec
from recmodels.data.arrays import Ints, Truth
from recmodels.data.backtests import backtest_folds, first_times, nobody
from recmodels.data.contexts import StoredContexts
from recmodels.data.dataset import Dataset
from recmodels.data.events import StoredEvents
from recmodels.data.folds import Fold
from recmodels.data.layout import PREPARED
from recmodels.data.site_tables import StoredTables
from recmodels.data.stored import StoredDataset
from recmodels.engine.choice import EngineChoice
from recmodels.engine.current import engine
from recmodels.engine.served import for_processes
from recmodels.errors import NightrecError
from recmodels.metrics.ranking import per_user
from recmodels.options import FitOptions
from recmodels.parted.windows import Window, windows
from recmodels.registry import create, fit_options, kind_of
from tasks.store.files import TEMPORARY, Json
from tasks.store.paths import Night


@dataclass(frozen=True)
class Search:
    """What is searched: a recommender, by lists of k items on the last folds of so many days before the holdout."""

    recommender: str
    n_folds: int
    days: float
    k: int
    seed: int


class Trials(Protocol):
    """Measures trials on folds, of which it has `len` (at least one)."""

    @property
    def at_a_time(self) -> int:
        """How many trials should be measured side by side."""

    def __len__(self) -> int: ...

    def lists_and_truth(self, params: Json, trial: int, fold: int) -> tuple[Ints, Truth]:
        """The lists of a model with these parameters [n, k], and what their users went on to do."""


def ndcg(trials: Trials, params: Json, trial: int, fold: int) -> float:
    """NDCG@k of a trial on a fold.

    Raises:
        NightrecError: its lists are empty.
    """
    items, truth = trials.lists_and_truth(params, trial, fold)
    if not (items >= 0).any():
        raise NightrecError("its lists hold nothing that is new to their users, which is what a search measures")
    return float(per_user(items, truth)["ndcg"].mean())


class InMemory:
    """Trials that this process trains, one at a time.

    Raises:
        NightrecError: no fold evaluates anybody.
    """

    at_a_time = 1

    def __init__(self, night: Night, search: Search) -> None:
        self.search = search
        data = Dataset.load(night.features, "train")
        self.options = FitOptions(
            site=StoredTables(night.features),
            events=StoredEvents.found(night.features, "train"),
            contexts=StoredContexts.found(night.features, "train"),
        )
        first = first_times(night.features, "train", data)
        self.folds: list[Fold] = backtest_folds(data, search.n_folds, search.days, search.seed, first)

    def __len__(self) -> int:
        return len(self.folds)

    def lists_and_truth(self, params: Json, trial: int, fold: int) -> tuple[Ints, Truth]:
        part = self.folds[fold]
        model = create(self.search.recommender, params, seed=self.search.seed)
        model.fit(part.train, fit_options(self.search.recommender, params, self.options))
        return model.recommend(part.train, part.users, self.search.k).items, part.truth


@dataclass(frozen=True)
class OnEngine:
    """Trials that the engine works on: as many at a time as there are nodes, if each is trained by one of them."""

    search: Search
    choice: EngineChoice
    parts: Path
    folds: list[Window]

    def __len__(self) -> int:
        return len(self.folds)

    @cached_property
    def at_a_time(self) -> int:
        by_nodes = self.choice.served is not None and not kind_of(self.search.recommender).delegates
        return max(1, engine().machines().nodes) if by_nodes else 1

    def lists_and_truth(self, params: Json, trial: int, fold: int) -> tuple[Ints, Truth]:
        from recmodels.candidate import run

        window, k = self.folds[fold], self.search.k
        with tempfile.TemporaryDirectory(dir=self.parts, prefix="trial-") as name:
            home = Path(name)
            lists = ListsSpec(home / "lists", "holdout", k, unavailable=True, by_domain=False)
            spec = Spec(
                window.features, "train", self.search.recommender, params, self.search.seed,
                fit=True, model=home / "model", lists=lists, result=home / f"trial-{trial}-{fold}.json",
                engine=self.choice, parts=self.parts,
            )  # fmt: skip
            run(spec)
            users, truth = read_truth(window.features / PREPARED)
            return read_lists(lists.out, users, k, own=True), truth


@contextmanager
def trials_for(night: Night, search: Search, choice: EngineChoice | None) -> Iterator[Trials]:
    """What measures the trials of a search within the block.

    Args:
        night: on whose training data.
        search: what is searched.
        choice: the engine that is asked for; None: this process trains them.

    Raises:
        NightrecError: the night has no features, or no fold evaluates anybody.
    """
    if choice is None:
        yield InMemory(night, search)
        return
    data = StoredDataset.opened(night.features, "train")
    parts = (
        night.store.root / f"{TEMPORARY}tune-{uuid.uuid4().hex}"
    )  # a night of this store may run meanwhile, and sweep
    with for_processes(choice) as served:
        parts.mkdir(parents=True)
        try:
            found = windows(parts, data, search.n_folds, search.days, search.seed, cold_start=False)
            if not (folds := list(found)):
                raise nobody(search.n_folds, search.days)
            yield OnEngine(search, served, parts, folds)
        finally:
            shutil.rmtree(parts, ignore_errors=True)
