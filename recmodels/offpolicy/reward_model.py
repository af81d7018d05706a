"""A model of the expected reward, each event predicted by a model that has not seen its user."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.offpolicy.log import Floats

FOLDS = 3
BLOCK = 1 << 16  # events whose choices are predicted at once

Predict: TypeAlias = Callable[[Floats], Floats]


def cross_fitted(
    rewards: Floats,
    shown: Floats,
    choices: Floats,
    probabilities: Floats,
    units: NDArray[np.int64],
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Expected rewards of what was shown and of what the evaluated policy would show (Chernozhukov et al. 2018).

    A logistic regression for rewards of 0 and 1, else a ridge regression. Users are parted into folds; the model of a
    fold is fitted on the others.

    Args:
        rewards: what came of each event, float64 `[n]`.
        shown: features of the shown item in its context, float64 `[n, d]`.
        choices: those of the items that the evaluated policy may show, float64 `[n, m, d]`.
        probabilities: its probability of each, float64 `[n, m]`.
        units: the user of each event, int64 `[n]`.
        folds: the number of parts.
        seed: of the parting.

    Returns:
        The expected reward of the shown item and under the evaluated policy, float64 `[n]` each.
    """
    n = len(rewards)
    _, unit = np.unique(units, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(int(unit.max()) + 1)[unit] % folds
    of_shown, of_policy = np.zeros(n), np.zeros(n)
    for part in range(folds):
        predict = _fitted(shown[fold != part], rewards[fold != part])
        held_out = np.flatnonzero(fold == part)
        of_shown[held_out] = predict(shown[held_out])
        for start in range(0, len(held_out), BLOCK):
            rows = held_out[start : start + BLOCK]
            expected = predict(choices[rows].reshape(-1, choices.shape[2])).reshape(len(rows), -1)
            of_policy[rows] = (probabilities[rows] * expected).sum(axis=1)
    return of_shown, of_policy


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
