"""How good models are on data that they have not seen: offline evaluation in a few lines, by a night's own metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.data.folds import Fold, last_days, last_items, latest
from recmodels.errors import DataRefused
from recmodels.metrics.bootstrap import bootstrap_intervals
from recmodels.metrics.ranking import METRICS, Metric, per_user
from recmodels.metrics.significance import holm, paired

if TYPE_CHECKING:
    import pandas as pd

Holdout: TypeAlias = Literal["auto", "last"] | float
USERS = 1_000  # for whom `auto` looks
LAST = 1e-9  # as a share that is rounded up: one interaction
MOST = 20_000  # users that are measured, drawn at random where there are more


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model measured on held-out interactions."""

    model: Recommender  # fitted on what came before the holdout
    k: int
    users: int  # measured
    per_user: Mapping[str, Metric]  # each metric: float64 [users]
    intervals: Mapping[str, tuple[float, float]]  # of the means: bootstrap over users, 95 %

    def __getitem__(self, metric: str) -> float:
        """The mean of a metric over users."""
        return float(self.per_user[metric].mean())

    def to_pandas(self) -> "pd.DataFrame":
        """A row a metric: value, low and high of its 95 % interval."""
        import pandas as pd

        rows = {name: (self[name], *self.intervals[name]) for name in self.per_user}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"]).rename_axis("metric")


def evaluate(model: Recommender, data: Dataset, *, holdout: Holdout = "auto", k: int = 10, seed: int = 0) -> Evaluation:
    """Fit a copy of `model` on what came before the holdout, and measure its lists against the holdout.

    Args:
        model: hyper-parameters; it is not fitted itself.
        data: all interactions, with times.
        holdout: a number of days: the last ones; `last`: each user's last interaction; `auto`: the shortest last
            stretch of whole weeks in which a thousand users can be measured, or else each user's last fifth.
        k: length of the lists.
        seed: of the users that are drawn where there are more than 20,000, and of the bootstrap.

    Returns:
        The metrics of `recmodels.metrics.ranking`, for each user. Users without an interaction before the holdout are
        left out; items that a user has seen before it are neither listed nor expected. A dataset has one time for each
        pair, the last: what a user did again in the holdout counts as new.

    Raises:
        DataRefused: nobody can be measured.
    """
    return _measured(model, _fold(data, holdout, seed), k, seed)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models measured on the same users."""

    evaluations: Mapping[str, Evaluation]
    metric: str
    seed: int

    @property
    def best(self) -> str:
        """The model with the highest mean of the metric."""
        return max(self.evaluations, key=lambda name: self.evaluations[name][self.metric])

    def to_pandas(self) -> "pd.DataFrame":
        """A row a model, the best first: the mean of each metric, and `p_value` against the best one.

        The p-value is that of a paired permutation test over users, corrected for their number (Holm, 1979); the best
        model has none.
        """
        import pandas as pd

        best = self.evaluations[self.best].per_user[self.metric]
        others = [name for name in self.evaluations if name != self.best]
        tests = [paired(best - self.evaluations[name].per_user[self.metric], self.seed) for name in others]
        p_values = dict(zip(others, holm([test.p_permutation for test in tests]), strict=True))
        rows = {
            name: {metric: one[metric] for metric in METRICS} | {"p_value": p_values.get(name, np.nan)}
            for name, one in self.evaluations.items()
        }
        frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
        return frame.sort_values(self.metric, ascending=False, kind="stable")


def compare(
    models: Sequence[Recommender] | Mapping[str, Recommender],
    data: Dataset,
    *,
    holdout: Holdout = "auto",
    k: int = 10,
    metric: str = "ndcg",
    seed: int = 0,
) -> Comparison:
    """`evaluate` several models on the same holdout and users.

    A sequence of models is named by their `repr`; a mapping gives names.

    Raises:
        ValueError: two models have the same name, or the metric does not exist.
        DataRefused: nobody can be measured.
    """
    if metric not in METRICS:
        raise ValueError(f"There is no metric {metric!r}; there are: {', '.join(METRICS)}.")
    named = dict(models) if isinstance(models, Mapping) else {repr(model): model for model in models}
    if not named or len(named) < len(models):
        raise ValueError("Give at least one model, and each of them once.")
    part = _fold(data, holdout, seed)
    return Comparison({name: _measured(model, part, k, seed) for name, model in named.items()}, metric, seed)


def _fold(data: Dataset, holdout: Holdout, seed: int) -> Fold:
    if holdout == "auto":
        part = latest(data, USERS, MOST, seed)
    elif holdout == "last":
        part = last_items(data, LAST, MOST, seed)
    elif isinstance(holdout, int | float) and holdout > 0:
        part = last_days(data, holdout, MOST, seed)
    else:
        raise ValueError(f"holdout is {holdout!r}; give a number of days, 'last' or 'auto'.")
    if not len(part.users):
        raise DataRefused(f"The holdout {holdout!r} measures nobody: no user has interactions before and in it.")
    return part


def _measured(model: Recommender, part: Fold, k: int, seed: int) -> Evaluation:
    train = replace(part.train, ids=None)  # users and truth of a fold are indices
    fitted = replace(model).fit(train)  # a copy without what it has learned
    values = per_user(fitted.recommend(train, part.users, k).items, part.truth)
    intervals = bootstrap_intervals(np.stack([values[name] for name in METRICS], axis=1), seed)
    return Evaluation(fitted, k, len(part.users), values, dict(zip(METRICS, intervals, strict=True)))
