"""What a candidate's process measures itself: errors of predicted ratings, and the lists of earlier windows."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from recmodels import registry
from recmodels.base import Recommender
from recmodels.candidate_lists import Kind, allowed_items, lists_of, read_lists, read_truth, step_of
from recmodels.candidate_spec import ListsSpec, Spec
from recmodels.data.arrays import Csr, Floats, Ints, Truth
from recmodels.data.backtests import first_times, rolling_folds
from recmodels.data.dataset import Dataset
from recmodels.data.events import StoredEvents
from recmodels.data.folds import Fold
from recmodels.data.layout import EVENTS, HOLDOUT, PREPARED, RESTING, due_after, write_resting
from recmodels.data.parquet import read_columns
from recmodels.data.stored import StoredDataset
from recmodels.engine.current import asked_for
from recmodels.errors import EngineUnavailable, NightrecError
from recmodels.knn.intervals import resting_of
from recmodels.metrics.ranking import per_user
from recmodels.metrics.rating_errors import mae, rmse
from recmodels.parted.windows import Window, windows
from recmodels.popularity import Popularity
from recmodels.scoring.ratings import RatingPredictor

COLUMNS = ("user_index", "item_index", "rating")


class HeldRatings(NamedTuple):
    """Ratings of the holdout: n of them, by user."""

    users: Ints
    items: Ints
    ratings: Floats


def held_ratings(spec: Spec, model: Recommender) -> HeldRatings | None:
    """The ratings of the holdout, for a model that predicts ratings; None where there is none of either."""
    path = spec.features / PREPARED / HOLDOUT
    if spec.split == "full" or not isinstance(model, RatingPredictor) or getattr(model, "baseline_", None) is None:
        return None
    if "rating" not in pq.read_schema(path).names:
        return None
    table = read_columns(path, list(COLUMNS))
    given = np.flatnonzero(~np.isnan(table["rating"]))
    given = given[np.argsort(table["user_index"][given], kind="stable")]
    return HeldRatings(*(table[name][given] for name in COLUMNS)) if len(given) else None


def rating_errors(held: HeldRatings | None, predicted: Floats | None) -> dict[str, float]:
    """RMSE and MAE of predicted ratings."""
    if held is None or predicted is None:
        return {}
    return {"rmse": rmse(predicted, held.ratings), "mae": mae(predicted, held.ratings)}


def backtests(
    spec: Spec, lists: ListsSpec, data: Dataset, fit_seconds: float, run: Callable[[Spec], object]
) -> list[dict[str, Any]]:
    """The recipe trained again on what came before each earlier window, and what its lists are worth there.

    The lists are those that `serve` gives without rules. A window that cannot be trained says why; one for which no
    time is left is not begun.

    Args:
        spec: of the candidate.
        lists: which it makes.
        data: the training data.
        fit_seconds: that the training took tonight.
        run: trains and lists what a specification says, where the engine that is asked for has the windows.
    """
    found: list[dict[str, Any]] = []
    lists = replace(lists, users="holdout", rules=None, by_domain=False)
    started = time.perf_counter()
    if asked_for() and isinstance(data, StoredDataset):
        earlier = _parted(spec, lists, data, run)
    else:
        earlier = _here(spec, lists, data)
    for window in earlier:
        about: dict[str, Any] = {"window": window.number + 1, "users": window.users}
        spent = time.perf_counter() - started
        if spec.minutes is not None and spent + fit_seconds > 60 * spec.minutes * (spec.windows - 1):
            found.append(about | {"failed": "no time was left for it"})
            continue
        try:
            measured = per_user(*window.lists_and_truth())
        except EngineUnavailable:
            raise
        except (NightrecError, MemoryError) as error:
            found.append(about | {"failed": str(error) or "it ran out of memory"})
            continue
        found.append(about | {name: float(values.mean()) for name, values in measured.items()})
    return found


class _Window(NamedTuple):
    number: int
    users: int
    lists_and_truth: Callable[[], tuple[Ints, Truth]]


def _here(spec: Spec, lists: ListsSpec, data: Dataset) -> Iterator[_Window]:
    """The windows of data in memory."""
    allowed, step = allowed_items(spec.features, lists), step_of(lists)
    first = first_times(spec.features, spec.split, data)

    def listed(number: int, part: Fold) -> tuple[Ints, Truth]:
        model = registry.create(spec.recommender, spec.params, seed=spec.seed)
        model.fit(part.train, spec.of_backtest(number).fit_options(len(part.users)))
        fallback = model if isinstance(model, Popularity) else Popularity().fit(part.train)
        known = part.train if lists.repeats != "due" else replace(part.train, resting=_resting(spec, part.train)[0])
        batches = (part.users[i : i + step] for i in range(0, len(part.users), step))
        kind = Kind(allowed, None)
        items = [lists_of(lists, model, fallback, known, batch, kind).items for batch in batches]
        return np.concatenate(items), part.truth

    for number, part in rolling_folds(
        data, spec.windows - 1, spec.window_days, spec.seed, cold_start=True, first=first
    ):
        yield _Window(number, len(part.users), partial(listed, number, part))


def _parted(spec: Spec, lists: ListsSpec, data: StoredDataset, run: Callable[[Spec], object]) -> Iterator[_Window]:
    """The windows that the engine writes: each is trained and listed as another candidate."""
    assert spec.parts is not None

    def listed(window: Window) -> tuple[Ints, Truth]:
        if lists.repeats == "due":
            then = Dataset.load(window.features, spec.split)
            write_resting(window.features / spec.split / RESTING, *_resting(spec, then))
        with tempfile.TemporaryDirectory(dir=spec.parts, prefix="window-") as name:
            out, model = Path(name) / "lists", Path(name) / "model"
            run(
                replace(
                    spec.of_backtest(window.number),
                    features=window.features, windows=1, fit=True, model=model, lists=replace(lists, out=out),
                )
            )  # fmt: skip
            users, truth = read_truth(window.features / PREPARED)
            return read_lists(out, users, lists.k), truth

    for window in windows(spec.parts, data, spec.windows - 1, spec.window_days, spec.seed, cold_start=True):
        yield _Window(window.number, window.users, partial(listed, window))


def _resting(spec: Spec, data: Dataset) -> tuple[Csr, float]:
    """What is not due at the end of a window, and the share of an interval after which something is.

    Raises:
        NightrecError: nothing is known of single events.
    """
    due = due_after(spec.features / spec.split / RESTING)
    return resting_of(data, StoredEvents(spec.features / spec.split / EVENTS), due), due
