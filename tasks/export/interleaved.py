"""Lists of two models in turns: a team draft of what each would list, under the rules that hold for all lists."""

import numpy as np

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.experiments.assignment import STEPS, positions
from recmodels.experiments.interleaving import team_draft
from recmodels.fallback import Ranker, gets_only_fallback
from recmodels.ranking.topk import TopK

BITS = STEPS.bit_length() - 1  # of a user's number: each decides who begins a round


def numbers_of(user_ids: list[int | str], seed: str) -> Longs:
    """A number of each user, uniform over `BITS` bits: by it alone lots are drawn, in whatever order users come."""
    return (positions(user_ids, seed) * STEPS).astype(np.int64)


class Interleaved:
    """Two models in turns, as one that lists are made by, for some users.

    What it recommends scores by its place, and it remembers whose each item was; the first draft counts.
    """

    needs_history = True  # so that nobody is left out who one of the two knows

    def __init__(
        self, teams: tuple[Ranker, Ranker], users: Ints, numbers: Longs, n_items: int, min_score: float | None = None
    ) -> None:
        self.models, self.n_items, self.min_score = teams, n_items, min_score
        self.users, self.numbers = users, numbers
        self.keys: list[Longs] = [np.zeros(0, np.int64)]
        self.whose: list[Longs] = [np.zeros(0, np.int64)]

    def knows(self, data: Dataset, users: Ints) -> Bools:
        return np.ones(len(users), np.bool_)

    def recommend(
        self, data: Dataset, users: Ints, k: int, *, allowed: Bools | None = None, repeats: bool = False
    ) -> TopK:
        first, second = (self._listed(model, data, users, k, allowed, repeats) for model in self.models)
        items, teams = team_draft(first, second, k, self._lots(users, k))
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

    def _listed(self, model: Ranker, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: bool) -> Ints:
        """What one of the two would list, -1 after the last item [n, k]."""
        top = model.recommend(data, users, k, allowed=allowed, repeats=repeats)
        out = np.zeros(top.items.shape, np.bool_) if self.min_score is None else top.scores < self.min_score
        out |= gets_only_fallback(model, data, users, 1)[:, None]
        return np.where(out, -1, top.items)

    def _lots(self, users: Ints, k: int) -> Longs:
        """Who begins where both have as many picks: a bit of the user's number for each place [n, k]."""
        numbers = self.numbers[np.searchsorted(self.users, users)]
        return (numbers[:, None] >> (np.arange(k) % BITS)) & 1
