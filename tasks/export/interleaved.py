"""Lists of two models in turns: a team draft of what each would list, under the rules that hold for all lists."""

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.dataset import Dataset, Repeats
from recmodels.experiments.assignment import STEPS, positions
from recmodels.experiments.interleaving import team_draft
from recmodels.fallback import Ranker, gets_only_fallback
from recmodels.ranking.rerank import Rules
from recmodels.ranking.topk import TopK

BITS = STEPS.bit_length() - 1  # of a user's number: each decides who begins a round


def numbers_of(user_ids: list[int | str], seed: str) -> Longs:
    """A number of each user, uniform over `BITS` bits: by it alone lots are drawn, in whatever order users come."""
    return (positions(user_ids, seed) * STEPS).astype(np.int64)


class Caps:
    """How many items of each category lists have, of the users 0 to n - 1: no more than the caps go in."""

    def __init__(self, rules: Rules, n: int) -> None:
        assert rules.categories is not None
        (self.indptr, self.indices), self.caps = rules.categories, rules.caps
        self.held = np.zeros((n, len(rules.caps)), np.int32)

    def fits(self, users: NDArray[np.integer], items: NDArray[np.integer]) -> Bools:
        row, category = self._categories(items)
        full = self.held[users[row], category] >= self.caps[category]
        return np.asarray(np.bincount(row[full], minlength=len(items)) == 0)

    def take(self, users: NDArray[np.integer], items: NDArray[np.integer]) -> None:
        row, category = self._categories(items)
        np.add.at(self.held, (users[row], category), 1)

    def _categories(self, items: NDArray[np.integer]) -> tuple[Longs, Ints]:
        """The categories of items, and for each of which of the items it is."""
        sizes = self.indptr[items + 1] - self.indptr[items]
        row = np.repeat(np.arange(len(items)), sizes)
        within = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return row, self.indices[np.repeat(self.indptr[items], sizes) + within]


class Interleaved:
    """Two models in turns, as one that lists are made by, for some users.

    What it recommends scores by its place, and it remembers whose each item was; the first draft counts. `rules` are
    those of the lists, of `k` places at most, and `numbers` those of `users`, who ascend.
    """

    needs_history = True  # so that nobody is left out who one of the two knows

    def __init__(
        self, teams: tuple[Ranker, Ranker], users: Ints, numbers: Longs, n_items: int, k: int, rules: Rules | None
    ) -> None:
        self.models, self.n_items, self.k, self.rules = teams, n_items, k, rules
        self.min_score = None if rules is None else rules.min_score
        self.users, self.numbers = users, numbers
        self.keys: list[Longs] = [np.zeros(0, np.int64)]
        self.whose: list[Longs] = [np.zeros(0, np.int64)]

    def knows(self, data: Dataset, users: Ints) -> Bools:
        return np.ones(len(users), np.bool_)

    def recommend(
        self, data: Dataset, users: Ints, k: int, *, allowed: Bools | None = None, repeats: Repeats = False
    ) -> TopK:
        first, second = (self._listed(model, data, users, k, allowed, repeats) for model in self.models)
        room = None if self.rules is None or self.rules.categories is None else Caps(self.rules, len(users))
        items, teams = team_draft(first, second, k, self._lots(users, k), room, self.k)
        there = items >= 0
        self.keys.append((users[:, None].astype(np.int64) * self.n_items + items)[there])
        self.whose.append(teams[there].astype(np.int64))
        scores = np.where(there, np.arange(k, 0, -1), -np.inf).astype(np.float32)
        return TopK(items.astype(np.int32), scores)

    def explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        first, second = (model.explain(data, users, top) for model in self.models)
        return np.where(self.teams(users, top.items) == 1, second, first)

    def teams(self, users: Ints, items: Ints) -> Longs:
        """Whose each item of some users is: 0 or 1, -1 of neither [n, k]."""
        keys, first = np.unique(np.concatenate(self.keys), return_index=True)
        whose = np.concatenate(self.whose)[first]
        if not len(keys):
            return np.full(items.shape, -1, np.int64)
        sought = users[:, None].astype(np.int64) * self.n_items + items
        at = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
        return np.where((items >= 0) & (keys[at] == sought), whose[at], -1)

    def _listed(
        self, model: Ranker, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats
    ) -> Ints:
        """What one of the two would list, -1 after the last item [n, k]."""
        top = model.recommend(data, users, k, allowed=allowed, repeats=repeats)
        out = np.zeros(top.items.shape, np.bool_) if self.min_score is None else top.scores < self.min_score
        out |= gets_only_fallback(model, data, users, 1)[:, None]
        return np.where(out, -1, top.items)

    def _lots(self, users: Ints, k: int) -> Longs:
        """Who begins where both have as many picks: a bit of the user's number for each place [n, k]."""
        numbers = self.numbers[np.searchsorted(self.users, users)]
        return (numbers[:, None] >> (np.arange(k) % BITS)) & 1
