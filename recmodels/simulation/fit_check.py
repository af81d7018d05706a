"""How like a site its simulated market is: the same figures of what its users chose, and of what simulated ones do."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Doubles, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import DataRefused
from recmodels.evaluation import evaluate
from recmodels.knn.item_knn import ItemKNN
from recmodels.metrics.beyond_accuracy import gini
from recmodels.metrics.long_term import entropy
from recmodels.simulation.behavior import Choices

CHOICES = 5
"""Of how many choices in a row, the last ones of a user, the variety is measured: so it does not depend on how many."""
LIST = 10
"""Length of the reference model's lists."""

FIGURES: Mapping[str, str] = {
    "popularity_gini": "inequality of how often items are chosen, among as many choices",
    "taste_entropy": f"variety of the last {CHOICES} choices of a user over categories, in bits",
    "choices_a_user": "choices of a user in the days that are compared",
    "choices_median": "choices of the middle one of the users who chose anything",
    "choices_upper": "choices that one in ten of them exceeds",
    "activity_distance": "greatest difference of the two distributions of choices a user (Kolmogorov-Smirnov)",
    "reference_ndcg": f"NDCG@{LIST} of item-KNN for the last choice of each user, learned from the others",
}
"""What is compared, and what it means."""


@dataclass(frozen=True)
class Fit:
    """What is known of how well a market fits a site; how people react to lists is nothing that it can tell.

    Attributes:
        days: how many days were compared, without lists in the simulation.
        users, items: how many were fitted.
        choices: of the site, in those days.
        site, simulated: the figures of `FIGURES` by name; NaN where there is too little to measure.
        measured: the settings that the site's data gave, by name.
    """

    days: int
    users: int
    items: int
    choices: int
    site: dict[str, float]
    simulated: dict[str, float]
    measured: dict[str, float]


def compared(
    real: Choices, simulated: Choices, category: Ints, n_users: int, days: int, measured: dict[str, float], seed: int
) -> Fit:
    """Figures of the last `days` of a site, and of as many simulated ones."""
    n = min(len(real), len(simulated))
    n_items = len(category)
    figures: list[dict[str, float]] = []
    counts: list[Doubles] = []
    for choices in (real, simulated):
        count = np.bincount(choices.user, minlength=n_users).astype(np.float64)
        some = count[count > 0] if len(choices) else np.array([np.nan])
        counts.append(count)
        figures.append(
            moments(choices, category, n)
            | {
                "choices_a_user": float(count.mean()),
                "choices_median": float(np.median(some)),
                "choices_upper": float(np.quantile(some, 0.9)),
                "reference_ndcg": _reference(_last(choices, n), n_users, n_items, seed),
            }
        )
    distance = _greatest_difference(*counts)
    site, others = ({name: (one | {"activity_distance": distance})[name] for name in FIGURES} for one in figures)
    return Fit(days, n_users, n_items, len(real), site | {"activity_distance": 0.0}, others, measured)


def moments(choices: Choices, category: Ints, n: int) -> dict[str, float]:
    """What a market is fitted by: inequality of the last `n` choices, and how varied those of a user are."""
    count = np.bincount(_last(choices, n).item, minlength=len(category))
    return {"popularity_gini": gini(count), "taste_entropy": variety(choices, category)}


def variety(choices: Choices, category: Ints) -> float:
    """Mean entropy, in bits, of the categories of the last choices of each user who has made as many."""
    order = np.argsort(choices.user, kind="stable")
    user = choices.user[order]
    left = np.searchsorted(user, user, "right") - np.arange(len(user))  # of the user's choices, with this one
    many = np.bincount(user)[user] >= CHOICES if len(user) else np.empty(0, np.bool_)
    rows = order[(left <= CHOICES) & many]
    if not len(rows):
        return float("nan")
    who, row = np.unique(choices.user[rows], return_inverse=True)
    table = np.zeros((len(who), int(category.max()) + 1))
    np.add.at(table, (row, category[choices.item[rows]]), 1.0)
    return float(entropy(table).mean())


def _last(choices: Choices, n: int) -> Choices:
    last = slice(len(choices) - n, None)
    return Choices(choices.user[last], choices.item[last], choices.night[last], choices.rank[last])


def _greatest_difference(one: Doubles, other: Doubles) -> float:
    points = np.unique(np.r_[one, other])
    below = [np.searchsorted(np.sort(counts), points, "right") / len(counts) for counts in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def _reference(choices: Choices, n_users: int, n_items: int, seed: int) -> float:
    """How well the reference model foretells the last choice of each user."""
    keys = choices.user.astype(np.int64) * n_items + choices.item
    rows = len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]  # a pair where it came last
    data = Dataset.from_arrays(
        choices.user[rows],
        choices.item[rows],
        timestamp=(choices.night[rows] - choices.night.min(initial=0)).astype(np.int64) * MICROSECONDS_PER_DAY + rows,
        n_users=n_users,
        n_items=n_items,
    )
    try:
        return evaluate(ItemKNN(), data, holdout="last", k=LIST, seed=seed)["ndcg"]
    except DataRefused:  # nobody has two choices
        return float("nan")
