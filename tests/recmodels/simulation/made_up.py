"""Runs whose figures are given, for comparisons without a simulation."""

import numpy as np

from recmodels.simulation.figures import BY_NAME
from recmodels.simulation.runs import Run

USERS, NIGHTS = 40, 28


def run(seed: int = 0, **levels: "float | tuple[float, float]") -> Run:
    """A run in which each figure goes from a level to another, evenly; users differ, and are alike in all runs.

    Who they are and the chances of the day follow from the seed, as under common random numbers.
    """
    rng = np.random.default_rng(seed)
    of_user, of_day = rng.normal(0, 0.1, USERS), rng.normal(0, 0.1, (NIGHTS, USERS))
    figures, by_user = {}, {}
    for name, given in levels.items():
        ends = given if isinstance(given, tuple) else (given, given)
        level = np.linspace(*ends, NIGHTS)
        figures[name] = level
        if BY_NAME[name].by_user:
            values = level[:, None] * (1 + of_user + of_day)
            by_user[name] = values / (USERS if BY_NAME[name].total else 1)
            figures[name] = values.sum(axis=1) / USERS
    return Run(figures, by_user)
