"""What a candidate's process measures itself: errors of predicted ratings, and the lists of earlier windows."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from recmodels import registry
from recmodels.base import Recommender
from recmodels.candidate_lists import LIST_POSITIONS, allowed_items
from recmodels.candidate_spec import ListsSpec, Spec
from recmodels.data.arrays import Longs
from recmodels.data.backtests import rolling_folds
from recmodels.data.dataset import Dataset
from recmodels.data.layout import FIRST, HOLDOUT, PREPARED, Split
from recmodels.data.pairs import Pairs
from recmodels.data.parquet import read_columns
from recmodels.errors import NightrecError
from recmodels.fallback import serve
from recmodels.metrics.ranking import per_user
from recmodels.metrics.rating_errors import mae, rmse
from recmodels.popularity import Popularity
from recmodels.scoring.ratings import RatingPredictor


def rating_errors(spec: Spec, model: Recommender, data: Dataset) -> dict[str, float]:
    """RMSE and MAE on the ratings of the holdout, of a model that predicts ratings."""
    path = spec.features / PREPARED / HOLDOUT
    if spec.split == "full" or not isinstance(model, RatingPredictor) or getattr(model, "baseline_", None) is None:
        return {}
    if "rating" not in pq.read_schema(path).names:
        return {}
    table = read_columns(path, ["user_index", "item_index", "rating"])
    rating = table["rating"]
    given = ~np.isnan(rating)
    if not given.any():
        return {}
    users, items = (table[name][given] for name in ("user_index", "item_index"))
    predicted = model.predict(data, users, items)
    return {"rmse": rmse(predicted, rating[given]), "mae": mae(predicted, rating[given])}


def backtests(spec: Spec, lists: ListsSpec, data: Dataset, fit_seconds: float) -> list[dict[str, Any]]:
    """The recipe trained again on what came before each earlier window, and what its lists are worth there.

    The lists are those that `serve` gives without rules. A window that cannot be trained says why; one for which no
    time is left is not begun.
    """
    found: list[dict[str, Any]] = []
    allowed, step = allowed_items(spec.features, lists), max(1, LIST_POSITIONS // lists.k)
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
            model.fit(part.train, spec.of_backtest(window).fit_options(len(part.users)))
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
    """When each pair of the training data began; None where no pair was repeated."""
    pairs = Pairs(features / PREPARED, split)
    if FIRST not in pairs.names:
        return None
    table = pairs.columns(["user_index", "weight", FIRST])
    trained = np.bincount(data.user_index, minlength=data.n_users) > 0
    rows = (table["weight"] > 0) & trained[table["user_index"]]
    times: Longs = table[FIRST][rows]
    return times
