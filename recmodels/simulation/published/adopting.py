"""Users who adopt recommendations at a rate: Barlacchi, Lalli, Ferragina, Giannotti, Pedreschi & Pappalardo, 2026.

"The Diversity Paradox revisited: Systemic Effects of Feedback Loops in Recommender Systems"
(https://arxiv.org/abs/2602.16315), as the authors' program has it (https://github.com/gabarlacchi/amazon_feedback_loop),
which says how users choose, but not with which sizes: these are ours, and arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.data.dataset import Dataset
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Choices, Day, World
from recmodels.simulation.known import Known
from recmodels.simulation.policies import Lists, Trained
from recmodels.simulation.published.present import AllPresent, world_of

SHARES = 1 / 3, 1 / 3  # of the items that users are aware of: the best known ones, and those that they had most
RARITY, NOISE = 0.1, 0.01  # of the utility: how much more what is rare is worth, and the deviation of its noise


@dataclass
class Adopting(AllPresent):
    """Each purchase is taken from the list with probability η, and otherwise from what the user is aware of.

    From a list an item is taken in proportion to its `pull`, its score above the lowest of all. Users are aware of
    `awareness` items: a third are those that all have bought most, a third those that they have bought most
    themselves, and the rest, with what is missing of these, any others. Of them item i is taken with a chance in
    proportion to

        exp((1 - G_u) ln(1 + s_i) + .1 / (1 + s_i) + noise)

    where s_i is how often it was bought, as a share of the most often bought one, G_u the Gini coefficient of the
    user's own purchases among the items that they had, and the noise normal with a deviation of .01. Everything may be
    bought again.

    Attributes:
        before: what was bought before the first night.
        baskets: purchases a night of each user, int32 `[n_users]`.
        adoption: η.
        awareness: see above.
        pull: of the places of tonight's lists, `[n_users, k]`; None: all alike.
        bought: how often, `[n_users, n_items]`.
    """

    world: World
    before: Choices
    baskets: Ints
    adoption: float
    awareness: int = 50
    pull: Doubles | None = None
    bought: Doubles = field(init=False)

    def __post_init__(self) -> None:
        self.bought = np.zeros((self.world.n_users, self.world.n_items))
        np.add.at(self.bought, (self.before.user, self.before.item), 1)

    @classmethod
    def generated(
        cls, seed: int, adoption: float, *, n_users: int = 100, n_items: int = 500, nights_before: int = 6,
        basket: float = 8.0, n_kinds: int = 10, awareness: int = 50,
    ) -> "Adopting":  # fmt: skip
        """Users of whom each likes some of `n_kinds` kinds of items, with purchases of twice `nights_before` nights.

        Kinds are liked as a Dirichlet(.3) has it; in the first half items of a kind are bought by a popularity of 1 /
        place, in the second as users choose without lists.
        """
        rng = np.random.default_rng(seed)
        kind = np.arange(n_items, dtype=np.int32) % n_kinds
        chance = rng.dirichlet(np.full(n_kinds, 0.3), n_users)[:, kind] / (1 + np.arange(n_items) // n_kinds)
        baskets = (1 + rng.poisson(basket - 1, n_users)).astype(np.int32)
        upto = np.cumsum(chance, axis=1) / chance.sum(axis=1, keepdims=True)
        user = np.tile(np.repeat(np.arange(n_users, dtype=np.int32), baskets), nights_before)
        item = _drawn(upto, user, rng)
        night = np.repeat(np.arange(-2 * nights_before, -nights_before, dtype=np.int32), baskets.sum())
        world = world_of(np.zeros(n_users, np.int32), np.zeros(n_items, np.int32), kind)
        alone = np.full(len(user), BY_THEMSELVES, np.int32)
        alone_for_now = cls(world, Choices(user, item, night, alone), baskets, 0.0, awareness)
        nothing = np.full((n_users, 1), NOTHING, np.int32)
        days = [alone_for_now.react(nothing, night, rng).choices for night in range(-nights_before, 0)]
        return cls(world, Choices.joined([alone_for_now.before, *days]), baskets, adoption, awareness)

    def history(self) -> Choices:
        return self.before

    def utility(self, users: Ints, items: Ints) -> Doubles:
        return np.ones(len(users))

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        user = np.repeat(np.arange(self.world.n_users, dtype=np.int32), self.baskets)
        adopts = rng.random(len(user)) < self.adoption
        own = _drawn(self._own_chances(rng), user, rng)
        pull = np.ones(lists.shape) if self.pull is None else self.pull
        pull = np.where(lists != NOTHING, pull, 0.0)
        total: Doubles = pull.sum(axis=1, keepdims=True)
        place = _drawn(np.cumsum(pull, axis=1) / np.where(total > 0, total, 1), user, rng)
        adopts &= (total[user, 0] > 0) & (lists[user, place] != NOTHING)
        rank = np.where(adopts, place + 1, BY_THEMSELVES).astype(np.int32)
        item = np.where(adopts, lists[user, place], own).astype(np.int32)
        np.add.at(self.bought, (user, item), 1)

        choices = Choices(user, item, np.full(len(user), night, np.int32), rank)
        return self.day(lists, choices, self.utility(user, item))

    def _own_chances(self, rng: np.random.Generator) -> Doubles:
        """The cumulative chances of what users take without their list, [n_users, n_items]."""
        known = self.bought.sum(axis=0)
        share = known / max(known.max(), 1)
        taste = (1 - concentration(self.bought))[:, None] * np.log1p(share) + RARITY / (1 + share)
        chance = np.where(self._aware(rng), np.exp(taste + rng.normal(0, NOISE, self.bought.shape)), 0.0)
        return np.asarray(np.cumsum(chance, axis=1) / chance.sum(axis=1, keepdims=True))

    def _aware(self, rng: np.random.Generator) -> Bools:
        """The items that each user is aware of today: [n_users, n_items], `awareness` in each row."""
        of_all, of_own = (round(share * self.awareness) for share in SHARES)
        ties = rng.random(self.bought.shape)
        known = self.bought.sum(axis=0)
        aware = np.zeros(self.bought.shape, np.bool_)
        aware[:, np.argsort(-known, kind="stable")[:of_all]] = True
        own = np.lexsort((ties, -self.bought), axis=1)[:, :of_own]
        rows = np.arange(len(aware))[:, None]
        aware[rows, own] |= self.bought[rows, own] > 0
        missing = self.awareness - aware.sum(axis=1, keepdims=True)
        others = np.argsort(np.where(aware, 2.0, ties), axis=1)  # those that they are not aware of first, in any order
        aware[rows, others] |= np.arange(self.world.n_items) < missing
        return aware

    def state(self) -> dict[str, np.ndarray]:
        return {"bought": self.bought.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.bought = state["bought"].copy()


class Scored(Trained):
    """A recommender that learns how often each item was bought, and whose scores say how strongly it recommends."""

    def __init__(self, behavior: Adopting, recommender: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Of the very `behavior` that is simulated, which is told the scores."""
        super().__init__(recommender, parameters, warm=False)
        self.behavior = behavior

    def data(self, known: Known) -> Dataset:
        return _counted(known)

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        assert self.model is not None
        top = self.model.recommend(
            self.data(known), known.users, len(known.out), allowed=known.out, repeats=known.repeats
        )  # fmt: skip
        there = np.isfinite(top.scores)
        lowest = np.where(there, top.scores, np.inf).min(axis=1, keepdims=True)
        self.behavior.pull = np.where(there, top.scores - lowest, 0.0)[:, :k].astype(np.float64)
        return Lists(top.items[:, :k])


def concentration(bought: Doubles) -> Doubles:
    """The Gini coefficient of how often each user bought the items that they had: [n_users], 0 for who had none."""
    ascending = np.sort(bought, axis=1)
    n = (bought > 0).sum(axis=1)
    place = np.arange(1, bought.shape[1] + 1) - (bought.shape[1] - n)[:, None]  # from 1 for the rarest that they had
    total = np.maximum(ascending.sum(axis=1), 1)
    return np.asarray(((2 * place - n[:, None] - 1) * ascending).sum(axis=1) / (np.maximum(n, 1) * total))


def individual_diversity(choices: Choices, n_users: int, n_items: int) -> Doubles:
    """How varied the purchases of each user are: the entropy of their items in bits, as a share of what it would be
    were all different: [n_users], NaN for who has bought less than twice."""
    counts = np.zeros((n_users, n_items))
    np.add.at(counts, (choices.user, choices.item), 1)
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = counts / total
        bits = -np.where(share > 0, share * np.log2(share), 0.0).sum(axis=1)
        return np.where(total[:, 0] > 1, bits / np.log2(total[:, 0]), np.nan)


def _counted(known: Known) -> Dataset:
    """What is known, each pair weighing as often as it occurred."""
    n_items = len(known.out)
    key, count = np.unique(known.choices.user.astype(np.int64) * n_items + known.choices.item, return_counts=True)
    user, item = (one.astype(np.int32) for one in np.divmod(key, n_items))
    return Dataset.from_arrays(
        user, item, weight=count.astype(np.float32), terms=known.terms, n_users=len(known.here), n_items=n_items
    )


def _drawn(upto: Doubles, user: Ints, rng: np.random.Generator) -> Ints:
    """A column for each of `user`, from the cumulative chances in their row of `upto` [n_users, n], which end at 1."""
    where = rng.random(len(user))
    found: Ints = (upto[user] <= where[:, None]).sum(axis=1, dtype=np.int32)
    return np.minimum(found, np.int32(upto.shape[1] - 1))
