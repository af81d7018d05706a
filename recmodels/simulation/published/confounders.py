"""The recommenders that Chaney, Stewart & Engelhardt (2018) compare, as the replication with T-RECS has them.

All of them rank every item, had before or not, that was there when they learned last. The items of the day are put at
random places in between.
"""

from abc import ABC, abstractmethod

import numpy as np
from scipy.optimize import nnls

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.factors.als import ALS
from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.known import Known
from recmodels.simulation.policies import Lists, Policy
from recmodels.simulation.published.chaney import Confounded

FACTORS, ITERATIONS = 20, 20  # of matrix factorization, as many factors as there are attributes
CONFIDENCE, PENALTY = 40.0, 0.1  # LensKit's defaults: an interaction weighs 40 more than none; of each squared vector

LEARNED = "scores", "representation", "learned"


class Newest(Policy):
    """The items of the day in random order: how a site without a recommender starts."""

    def __init__(self, behavior: Confounded, name: str = "newest") -> None:
        self.behavior, self.name = behavior, name

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        new = np.flatnonzero(self.behavior.world.born == night).astype(np.int32)
        items = np.full((len(known.here), k), NOTHING, np.int32)
        items[:, : len(new)] = rng.permuted(np.tile(new, (len(items), 1)), axis=1)
        return Lists(items)


class Ranking(Policy, ABC):
    """Everything that there was when it learned, best first, and what is new tonight at random places.

    Attributes:
        scores: of the items as learned, `[n_users, n_items]`.
        representation: what it makes of the users, `[n_users, f]`.
        learned: the items that it ranks, bool `[n_items]`.
    """

    scores: Doubles
    representation: Doubles
    learned: Bools

    def __init__(self, behavior: Confounded) -> None:
        self.behavior = behavior

    @abstractmethod
    def fit(self, known: Known, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        """The scores and the representation of the users."""

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:
        self.learned = self.behavior.world.born < night
        self.scores, self.representation = self.fit(known, rng)

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        old = np.flatnonzero(self.learned).astype(np.int32)
        new = np.flatnonzero(self.behavior.world.born == night).astype(np.int32)
        n_users, n = len(known.here), len(old) + len(new)
        ties = rng.random((n_users, len(old)))
        ranked = old[np.lexsort((ties, -self.scores[:, old]), axis=1)]
        between = rng.random((n_users, n)).argsort(axis=1) < len(new)  # as many places of each list
        items = np.empty((n_users, n), np.int32)
        items[between] = rng.permuted(np.tile(new, (n_users, 1)), axis=1).ravel()
        items[~between] = ranked.ravel()
        lists = np.full((n_users, k), NOTHING, np.int32)
        lists[:, : min(n, k)] = items[:, :k]
        return Lists(lists)

    def state(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in LEARNED if hasattr(self, name)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        for name in LEARNED:
            setattr(self, name, state[name].copy())


class Ideal(Ranking):
    """By the true utility."""

    name = "ideal"

    def fit(self, known: Known, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        return self.behavior.worth, self.behavior.preferences


class Content(Ranking):
    """By the items' true attributes, which it sees: weights of at least 0 that explain best what a user has had."""

    name = "content"

    def fit(self, known: Known, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        attributes = self.behavior.attributes
        basis, triangle = np.linalg.qr(attributes[self.learned])
        had = known.consumed[:, np.flatnonzero(self.learned)] @ basis  # the same problem in as many rows as attributes
        weights = np.array([nnls(triangle, row)[0] for row in had])
        return weights @ attributes.T, weights


class Factors(Ranking):
    """Matrix factorization of implicit feedback; an item that nobody has had has the mean vector of the others."""

    name = "factorization"

    def fit(self, known: Known, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        data = known.data
        n_users, n_items = data.n_users, len(np.unique(data.item_index))
        mean = len(data) / n_users + n_items / (1 + CONFIDENCE)  # what the terms of a user weigh, as ALS counts it
        model = ALS(
            factors=FACTORS,
            iterations=ITERATIONS,
            alpha=n_users * n_items / len(data) / (1 + CONFIDENCE),
            regularization=PENALTY / (1 + CONFIDENCE) / mean,
            frequency_power=0.0,
            seed=int(rng.integers(2**31)),
        ).fit(data)
        items = model.item_vectors.astype(np.float64)
        had = items.any(axis=1)
        items[~had] = items[had].mean(axis=0)
        users = model._user_vectors(data, np.arange(n_users, dtype=np.int32)).astype(np.float64)
        return users @ items.T, users


class Popular(Ranking):
    """By how many users have had them; to it all users are alike."""

    name = "popularity"

    def fit(self, known: Known, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        counts = np.bincount(known.choices.item, minlength=len(known.out)).astype(np.float64)
        return np.tile(counts, (len(known.here), 1)), np.ones((len(known.here), 1))


class Chance(Ranking):
    """At random each time, users and items alike."""

    name = "chance"

    def fit(self, known: Known, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
        shape = len(known.here), len(known.out)
        return rng.random(shape), rng.random((shape[0], FACTORS))


LEARNERS: tuple[type[Ranking], ...] = (Content, Factors, Popular, Chance)


def most_alike(representation: Doubles, rng: np.random.Generator) -> Ints:
    """Whom a recommender takes to be most like each user, by the cosine; ties fall by chance: [n_users]."""
    length = np.linalg.norm(representation, axis=1, keepdims=True)
    unit = representation / np.where(length > 0, length, 1)
    alike = np.round(unit @ unit.T, 12)
    np.fill_diagonal(alike, -np.inf)
    return np.lexsort((rng.random(alike.shape), alike), axis=1)[:, -1].astype(np.int32)


def in_common(consumed: Bools, other: Ints) -> Doubles:
    """The Jaccard index of what each user and the `other` beside them have had: [n_users]."""
    both = (consumed & consumed[other]).sum(axis=1)
    return np.asarray(both / np.maximum((consumed | consumed[other]).sum(axis=1), 1))
