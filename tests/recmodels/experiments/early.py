"""Users of whom the truth is known in closed form: Y = S b + 0.7 x + direct w + noise, S = x c + w d + noise."""

import numpy as np

from recmodels.data.arrays import Bools
from recmodels.experiments.surrogates import Cohort

BY_SIGNAL = np.array([1.0, 0.5, 0.0])
VARIANCE = 0.7**2 + 2 * 0.7 * 0.6 + 0.6**2 + 1.25 + 1.0
"""Of Y without an arm: x has the weight 0.7 + 0.5 + 0.5 * 0.2 = 1.3, signals add 1 + 0.25, and Y has its own 1."""


def users(
    draw: np.random.Generator,
    n: int,
    early: np.ndarray | None = None,
    direct: float = 0.0,
    *,
    share: float = 0.4,
    first: int = 0,
) -> tuple[Cohort, Bools]:
    """Users, of whom a share is in an arm that moves early signals by `early`, and Y by `direct` without them."""
    x, arm = draw.normal(size=(n, 2)), draw.random(n) < share
    moved = arm[:, None] * (np.zeros(3) if early is None else early)
    signals = x[:, :1] * [0.5, 0.2, 0.0] + moved + draw.normal(size=(n, 3))
    outcome = signals @ BY_SIGNAL + 0.7 * x[:, 0] + direct * arm + draw.normal(size=n)
    return Cohort(first + np.arange(n), x, signals, outcome), arm
