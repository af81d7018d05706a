"""A model of the expected reward, each event predicted by a model that has not seen its user."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.offpolicy.log import Floats

FOLDS = 3
BLOCK = 1 << 18  # items that are predicted at once

Predict: TypeAlias = Callable[[Floats], Floats]


def cross_fitted(
    rewards: Floats,
    features: NDArray[np.floating],
    events: NDArray[np.integer],
    shown: NDArray[np.integer],
    units: NDArray[np.integer],
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> Floats:
    """The expected reward of every item that could be shown in an event (Chernozhukov et al. 2018).

    A logistic regression for rewards of 0 and 1, else a ridge regression. Users are parted into folds; the model of a
    fold is fitted on the others.

    Args:
        rewards: what came of each event, float64 `[n]`.
        features: those of each event's items in its context, all known before one was shown, `[m, d]`.
        events: the event that each item belongs to, from 0 to n - 1, `[m]`.
        shown: where the item that was shown stands among the items, `[n]`.
        units: the user of each event, `[n]`.
        folds: the number of parts.
        seed: of the parting.

    Returns:
        Expected rewards, float64 `[m]`.
    """
    _, unit = np.unique(units, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(int(unit.max()) + 1)[unit] % folds).astype(np.int8)
    fold_of_item, expected = fold[events], np.zeros(len(features))
    for part in range(folds):
        others = fold != part
        predict = _fitted(features[shown[others]].astype(np.float64), rewards[others])
        held_out = np.flatnonzero(fold_of_item == part)
        for start in range(0, len(held_out), BLOCK):
            rows = held_out[start : start + BLOCK]
            expected[rows] = predict(features[rows].astype(np.float64))
    return expected


def _fitted(features: Floats, rewards: Floats) -> Predict:
    """A regression of the rewards; their mean where there is nothing to tell them apart."""
    values = np.unique(rewards)
    if len(values) < 2:
        constant = float(values[0]) if len(values) else 0.0
        return lambda rows: np.full(len(rows), constant)
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if set(values) <= {0.0, 1.0}:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, rewards)
        return lambda rows: np.asarray(classifier.predict_proba(rows)[:, 1], np.float64)
    regression = make_pipeline(StandardScaler(), Ridge()).fit(features, rewards)
    return lambda rows: np.asarray(regression.predict(rows), np.float64)
