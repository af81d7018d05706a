"""A generator writes interactions that nobody had into what a model learns from, as language models are used to.

`PlausibleWriter` stands in for a language model: it is none. It writes what looks plausible for a user, by the texts of
what they chose and by how well known items are, in proportions that are its parameters: what language models are found
to lean to (popular items: EchoTrace, arXiv 2602.07442, whose augmentation by a language model raised the mean
popularity of recommended items by 18.9 interactions in four rounds, on MovieLens 1M). What such writing does to a site
follows from these parameters, and not from what any language model knows.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recmodels.data.arrays import Doubles, Ints
from recmodels.errors import ConfigError
from recmodels.ranking.topk import top_k
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Choices, Day
from recmodels.simulation.checkpoint import prefixed, within
from recmodels.simulation.known import Known, Pairs
from recmodels.simulation.policies.base import SCORES, Lists, Policy

UNKNOWN = 0.05  # how alike an item is at least: a writer that knows tastes perfectly errs now and then


class Writer(Protocol):
    """Writes interactions, from what a site knows."""

    @property
    def about(self) -> str:
        """What it is, in a line."""

    def write(self, known: Known, rng: np.random.Generator) -> Pairs:
        """Pairs of users and items that were not, each once, with what they weigh beside real ones, which weigh 1."""


@dataclass(frozen=True)
class PlausibleWriter:
    """Writes for each user items that they have not, drawn without replacement with a probability proportional to

        (1 + interactions of the item) ^ popularity · (0.05 + likeness to what the user chose) ^ taste

    where the likeness is the cosine of the terms of the item and of all that the user chose, together.

    Attributes:
        per_user: how many it writes for each user who is there.
        popularity: how strongly it follows popularity; 0: not at all, 1: in proportion.
        taste: how well it knows tastes; 0: not at all, 1: in proportion to the likeness, more: only what is most alike.
        weight: of what it writes, beside 1 of what users chose.
    """

    per_user: int = 3
    popularity: float = 1.0
    taste: float = 1.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raise ConfigError for a value out of its range."""
        if self.per_user < 1:
            raise ConfigError(f"per_user is {self.per_user}; give 1 or more.")
        for name in ("popularity", "taste"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; give 0 or more.")
        if self.weight <= 0:
            raise ConfigError(f"weight is {self.weight}; give a number above 0.")

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return str(self)

    def write(self, known: Known, rng: np.random.Generator) -> Pairs:
        """What it writes tonight."""
        fame = self.popularity * np.log1p(np.bincount(known.pairs.item, minlength=len(known.out)))
        user, item = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
        step = max(1, SCORES // max(1, len(known.out)))
        for users in (known.users[i : i + step] for i in range(0, len(known.users), step)):
            liked = self.taste * np.log(UNKNOWN + _likeness(known, users)) if self.taste else 0
            noise = rng.gumbel(size=(len(users), len(known.out)))  # the highest of log p + Gumbel are draws by p
            scores = np.where(known.consumed[users].toarray() > 0, -np.inf, fame + liked + noise)
            best = top_k(np.where(known.out, scores, -np.inf).astype(np.float32), self.per_user).items
            row, place = np.nonzero(best != NOTHING)
            user.append(users[row])
            item.append(best[row, place])
        written = np.concatenate(user)
        night = np.full(len(written), known.night - 1, np.int32)
        rank = np.full(len(written), BY_THEMSELVES, np.int32)
        return Pairs.of(Choices(written, np.concatenate(item), night, rank), self.weight)


def _likeness(known: Known, users: Ints) -> Doubles:
    """The cosine of the terms of what each user chose, together, and those of each item: [n, n_items]."""
    profile = known.consumed[users] @ known.terms
    length = np.sqrt(profile.multiply(profile).sum(axis=1))
    alike: Doubles = (profile @ known.terms.T).toarray() / np.maximum(length, 1e-9)[:, None]
    return np.clip(alike, 0, 1)


class Augmented(Policy):
    """A policy that learns from a log to which a generator has added; what it wrote last is replaced each time.

    What is written counts as a user's history for the model, also when lists are made. It is no reason to leave an item
    out of a list: nobody had it.
    """

    def __init__(self, policy: Policy, generator: Writer | None = None, *, name: str | None = None) -> None:
        """With a `PlausibleWriter` by default; its name is `augmented_` and the policy's by default."""
        self.policy, self.generator = policy, generator or PlausibleWriter()
        self.name = name or f"augmented_{policy.name}"
        self.written = Pairs.none()

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return f"{self.policy.about}, augmented by {self.generator.about}"

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:
        writing, learning = rng.spawn(2)
        self.written = self.generator.write(known, writing)
        self.policy.learn(night, known.plus(self.written), learning)

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        return self.policy.lists(night, known.plus(self.written), k, rng)

    def happened(self, night: int, lists: Lists, day: Day) -> None:
        self.policy.happened(night, lists, day)

    def state(self) -> dict[str, np.ndarray]:
        written = self.written
        columns = {"user": written.user, "item": written.item, "night": written.night, "weight": written.weight}
        return columns | prefixed("policy", self.policy.state())

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.written = Pairs(state["user"], state["item"], state["night"], state["weight"])
        self.policy.restore(within("policy", state))
