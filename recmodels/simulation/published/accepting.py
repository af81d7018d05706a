"""Users who accept what stands high in their list: Mansoury, Abdollahpouri, Pechenizkiy, Mobasher & Burke, CIKM 2020.

"Feedback Loop and Bias Amplification in Recommender Systems" (https://arxiv.org/abs/2007.13019).
"""

from dataclasses import dataclass, field

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Choices, Day, World
from recmodels.simulation.published.present import AllPresent, world_of

STEEPNESS = 0.1  # of the acceptance, as programs that follow the paper have it; the text at hand gives only the form


@dataclass
class Accepting(AllPresent):
    """Everybody accepts the item at rank r with probability exp(-s r), and finds nothing without their list.

    So all that changes is what the lists and their acceptance make of the log. Nobody likes one item more than
    another: all are worth the same. What users had before comes from real data, or from a generated world with a
    minority that likes other genres than the majority.

    Attributes:
        before: what was chosen before the first night.
        genres: of each item, as shares that add up to 1, `[n_items, n_genres]`.
        steepness: s above.
        consumed: what each user has had, who takes nothing twice, bool `[n_users, n_items]`.
    """

    world: World
    before: Choices
    genres: Doubles
    steepness: float = STEEPNESS
    consumed: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.consumed = np.zeros((self.world.n_users, self.world.n_items), np.bool_)
        self.consumed[self.before.user, self.before.item] = True

    @classmethod
    def of(cls, user: Ints, item: Ints, genres: Doubles, group: Ints) -> "Accepting":
        """Users with a log, in order of time, and what their group is; `group` is `[n_users]`."""
        night, alone = np.full(len(user), -1, np.int32), np.full(len(user), BY_THEMSELVES, np.int32)
        world = world_of(group, np.zeros(len(genres), np.int32), genres.argmax(axis=1))
        return cls(world, Choices(user, item, night, alone), genres)

    @classmethod
    def generated(
        cls,
        seed: int,
        *,
        n_users: int = 100,
        n_items: int = 200,
        n_genres: int = 8,
        minority: float = 0.25,
        profile: int = 15,
        loyalty: float = 0.8,
    ) -> "Accepting":
        """A minority (group 1) who took most of their items from the last quarter of the genres, the others from the
        rest; within them items are chosen by a popularity of 1 / (place + 1)."""
        rng = np.random.default_rng(seed)
        genre = np.arange(n_items) % n_genres
        group = (np.arange(n_users) >= round(n_users * (1 - minority))).astype(np.int32)
        own = (genre >= n_genres - n_genres // 4)[None, :] == (group == 1)[:, None]  # [n_users, n_items]
        weight = np.where(own, loyalty, 1 - loyalty) / (1 + np.arange(n_items) // n_genres)
        lots = np.log(weight) + rng.gumbel(size=weight.shape)  # the first of them: drawn without replacement
        item = np.argsort(-lots, axis=1)[:, :profile].astype(np.int32)
        user = np.repeat(np.arange(n_users, dtype=np.int32), profile)
        return cls.of(user, item.ravel(), np.eye(n_genres)[genre], group)

    def history(self) -> Choices:
        return self.before

    def utility(self, users: Ints, items: Ints) -> Doubles:
        return np.ones(len(users))

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        luck = rng.random(lists.shape)
        user, place = (one.astype(np.int32) for one in np.nonzero(lists != NOTHING))
        accepted = luck[user, place] < np.exp(-self.steepness * (1 + place))
        accepted &= ~self.consumed[user, lists[user, place]]
        user, place = user[accepted], place[accepted]
        item = lists[user, place]
        self.consumed[user, item] = True
        choices = Choices(user, item, np.full(len(user), night, np.int32), place + 1)
        return self.day(lists, choices, self.utility(user, item))

    def state(self) -> dict[str, np.ndarray]:
        return {"consumed": self.consumed.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.consumed = state["consumed"].copy()

    def profiles(self) -> Doubles:
        """What share of what each user has had is of each genre, [n_users, n_genres]."""
        counts = self.consumed @ self.genres
        return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12))


def drift(before: Doubles, now: Doubles) -> Doubles:
    """The Kullback-Leibler divergence of each user's early profile from the later one, in nats: [n_users].

    A user only gains items, so a genre that a user had is never gone.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(before > 0, before * np.log(before / now), 0.0).sum(axis=1))
