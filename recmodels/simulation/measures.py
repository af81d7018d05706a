"""The figures of a simulated night, with those of each user where there are such.

A meter goes along with one policy, night after night: it remembers 28 days of choices and what each item was shown,
nothing else, so that its memory does not grow, and its state is saved with the simulation's.
"""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.metrics.beyond_accuracy import gini, mean_of
from recmodels.metrics.long_term import discounted_exposure, entropy, miscalibration
from recmodels.metrics.ranking import per_user
from recmodels.simulation.alike import Alike
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Behavior, Choices, Day
from recmodels.simulation.discovery import Discovery
from recmodels.simulation.figures import BY_NAME, DAYS
from recmodels.simulation.offpolicy import log_sums, true_values
from recmodels.simulation.recent import Recent, counts
from recmodels.simulation.run import Night, NightSeen
from recmodels.simulation.truths import Best, against_the_best, drawn

OF_THE_POLICY = ("learn", "lists")  # the work that a site would have, too


@dataclass(frozen=True, eq=False)
class Ahead:
    """What was asked of a night before its day.

    Attributes:
        best: how its lists compare with the best possible ones.
        true: the true values of those that propose what is explored, on nights on which they are found.
    """

    best: Best
    true: dict[str, float]


@dataclass(frozen=True, eq=False)
class Measured:
    """A night's figures.

    Attributes:
        figures: by name, NaN where there is none; those of `FIGURES`, and for policies that explore what their log and
            the truth say of each proposer (`recmodels.simulation.offpolicy`).
        by_user: of each user, for the figures that have such; NaN where a user has none, float64 `[n_users]`.
    """

    figures: dict[str, float]
    by_user: dict[str, Doubles]


class Meter:
    """Measures the nights of one policy, one after the other.

    Args:
        behavior: as it is before the first night.
        seed: of the simulation.
    """

    def __init__(self, behavior: Behavior, seed: int = 0) -> None:
        self._behavior, self._world, self._seed = behavior, behavior.world, seed
        self._recent = Recent(self._world, DAYS, behavior.history())
        self._discovery = Discovery(self._world)
        self._alike = Alike(self._world, seed)

    def ahead(self, night: Night) -> Ahead:
        """What must be asked before the day, for `simulate`'s `ahead`: after it, users find items as others."""
        out, here, lists = night.known.out, night.known.here, night.lists.items
        users = drawn(here, out, self._seed, night.night)
        best = against_the_best(self._behavior, lists, night.known, users)
        return Ahead(best, true_values(night, self._behavior, self._seed))

    def measure(self, seen: NightSeen) -> Measured:
        """The figures of a night, once it was looked at `ahead`."""
        night, lists, day, ahead = seen.night, seen.lists.items, seen.day, seen.ahead
        if not isinstance(ahead, Ahead):
            raise TypeError("A meter measures a night that it has looked at: give its `ahead` to `simulate`.")
        out, here = seen.known.out, seen.known.here
        by_user = {"regret": ahead.best.regret, **self._of_the_lists(lists, night)}
        by_user |= self._of_the_day(night, here, day) | _accuracy(lists, day.choices, here, len(out))
        self._recent.add(day.choices, night)
        chosen = self._recent.categories()
        by_user["individual_diversity"] = entropy(chosen)
        figures = {name: _over_users(name, values) for name, values in by_user.items()}
        figures |= self._discovery.add(lists, ahead.best.worth, night)
        figures["collective_diversity"] = float(entropy(chosen.sum(axis=0, keepdims=True))[0])
        figures["exposure_gini"] = gini(discounted_exposure(lists, len(out))[out])
        figures["group_gap"] = _gap(by_user["utility"], self._world.group)
        figures["cpu_seconds"] = sum(seen.seconds.get(part, 0.0) for part in OF_THE_POLICY)
        named = {name: figures[name] for name in BY_NAME}
        return Measured({**named, **log_sums(seen), **ahead.true}, by_user)

    def _of_the_lists(self, lists: Ints, night: int) -> dict[str, Doubles]:
        """What can be said of lists by what was known when they were made."""
        overlap, more = self._alike.add(lists)
        popularity = self._recent.popularity(night)
        listed, own = mean_of(lists, popularity), self._recent.mean_of(popularity)
        both = ~np.isnan(listed) & ~np.isnan(own)
        lift = np.where(both, listed - own, np.nan) / (own[both].mean() if both.any() else np.nan)
        user, place = np.nonzero(lists != NOTHING)
        profile = self._recent.categories()
        mix = counts(user, self._world.category[lists[user, place]], profile.shape)
        return {
            "overlap": overlap,
            "homogenization": more,
            "list_popularity": listed,
            "popularity_lift": lift,
            "miscalibration": miscalibration(profile, mix),
        }

    def _of_the_day(self, night: int, here: Bools, day: Day) -> dict[str, Doubles]:
        """What users did, and whether they come again."""
        n_users, choices = self._world.n_users, day.choices
        came = self._world.arrives <= night
        gained = np.bincount(choices.user, day.worth, n_users)
        clicked = np.bincount(choices.user[choices.rank != BY_THEMSELVES], minlength=n_users)
        return {
            "total_utility": np.where(came, gained, np.nan),
            "utility": np.where(here, gained, np.nan),
            "visitors": np.where(came, day.visitors, np.nan),
            "clicks": np.where(day.visitors, clicked, np.nan),
            "retention": np.where(came, self._behavior.visit_chance(night + 1), np.nan),
        }

    def state(self) -> dict[str, np.ndarray]:
        """All that it remembers, to go on from."""
        return {f"{part}.{name}": value for part, one in self._parts().items() for name, value in one.state().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Be as it was when `state` was taken."""
        for part, one in self._parts().items():
            prefix = f"{part}."
            one.restore({name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)})

    def _parts(self) -> "dict[str, Recent | Discovery | Alike]":
        return {"recent": self._recent, "discovery": self._discovery, "alike": self._alike}


def _accuracy(lists: Ints, choices: Choices, here: Bools, n_items: int) -> dict[str, Doubles]:
    """NDCG and recall of the lists against what users chose by themselves, NaN for who chose nothing."""
    from scipy import sparse

    own = (choices.rank == BY_THEMSELVES) & here[choices.user]
    user, row = np.unique(choices.user[own], return_inverse=True)
    truth = sparse.csr_array((np.ones(len(row), np.bool_), (row, choices.item[own])), shape=(len(user), n_items))
    found = per_user(lists[user], truth)
    scattered = {}
    for name, metric in (("accuracy", "ndcg"), ("recall", "recall")):
        scattered[name] = np.full(len(lists), np.nan)
        scattered[name][user] = found[metric]
    return scattered


def _gap(values: Doubles, group: Ints) -> float:
    """By which share the mean of the worst-off group is below that of all; NaN with a single group."""
    there = ~np.isnan(values)
    many = np.bincount(group[there])
    means = (np.bincount(group[there], values[there]) / np.maximum(many, 1))[many > 0]
    overall = float(values[there].mean()) if there.any() else 0.0
    return 1 - float(means.min()) / overall if len(means) > 1 and overall > 0 else float("nan")


def _over_users(name: str, values: Doubles) -> float:
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan")
    return float(known.sum() if BY_NAME[name].total else known.mean())
