"""A log of what was shown, with the probability that it was, as the estimators need it."""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recmodels.errors import ConfigError

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Log:
    """Events in which an item was shown at random, and how likely the logging and the evaluated policy show it.

    Args:
        rewards: what came of each event, such as 1 for a click, float64 `[n]`.
        weights: the evaluated policy's probability of the shown item divided by its propensity, float64 `[n]`; 0 where
            the evaluated policy would not have shown it.
        predicted_shown: a model's expected reward of the shown item, float64 `[n]`.
        predicted_policy: that model's expected reward under the evaluated policy, the sum over items of their
            probability and expected reward, float64 `[n]`.
        units: what varies as one, such as the user of each event, int64 `[n]`. By default each event by itself.
        support: the share of the evaluated policy's probability that falls on items that the log could show. None
            where it is not known.
    """

    rewards: Floats
    weights: Floats
    predicted_shown: Floats
    predicted_policy: Floats
    units: NDArray[np.int64]
    support: float | None = None
    n: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", len(self.rewards))

    @classmethod
    def of(
        cls,
        rewards: ArrayLike,
        propensities: ArrayLike,
        probabilities: ArrayLike,
        *,
        predicted_shown: ArrayLike | None = None,
        predicted_policy: ArrayLike | None = None,
        units: ArrayLike | None = None,
        support: float | None = None,
    ) -> "Log":
        """A log from the propensity of each shown item and its probability under the evaluated policy.

        Without a model's predictions, the model-based estimators take 0 for them.

        Raises:
            ConfigError: where the arrays differ in length or are empty, or a propensity is not in (0, 1], a probability
                not in [0, 1], or a reward not finite.
        """
        reward, propensity, probability = (
            np.asarray(values, np.float64) for values in (rewards, propensities, probabilities)
        )
        none = np.zeros(len(reward))
        shown = none if predicted_shown is None else np.asarray(predicted_shown, np.float64)
        policy = none if predicted_policy is None else np.asarray(predicted_policy, np.float64)
        unit = np.arange(len(reward)) if units is None else np.unique(np.asarray(units), return_inverse=True)[1]
        lengths = {len(values) for values in (reward, propensity, probability, shown, policy, unit)}
        if lengths == {0} or len(lengths) > 1:
            raise ConfigError(f"A log needs as many of each, and one event at least: it has {sorted(lengths)}.")
        _check("propensity", propensity, (propensity > 0) & (propensity <= 1), "above 0 and at most 1")
        _check("probability", probability, (probability >= 0) & (probability <= 1), "between 0 and 1")
        for name, values in (("reward", reward), ("prediction", shown), ("prediction", policy)):
            _check(name, values, np.isfinite(values), "finite")
        return cls(reward, probability / propensity, shown, policy, unit.astype(np.int64), support)


def _check(name: str, values: Floats, right: NDArray[np.bool_], wanted: str) -> None:
    if not right.all():
        where = int(np.argmin(right))
        raise ConfigError(f"The {name} of event {where:,} is {values[where]:g}; it must be {wanted}.")
