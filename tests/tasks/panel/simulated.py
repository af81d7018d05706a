"""A site night by night in memory: people's tastes stay, and lists follow them, or drift towards what is popular."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from scipy import sparse

from recmodels.data.arrays import Csr, Ints
from recmodels.metrics.beyond_accuracy import Figures
from recmodels.metrics.long_term import jaccard
from tasks.panel import figures
from tasks.panel.exposed import Exposed
from tasks.panel.figures import Found
from tasks.panel.pairs import nearest_pairs, pairs_table, random_pairs
from tasks.panel.slopes import Measured

K, CATEGORIES, WINDOW = 8, 6, 28
NO_PAIRS = np.zeros((0, 2), np.int32)


class Site:
    """Users with tastes for categories and items; each night all choose something, and get a list.

    `pull`: how much more the lists of a night follow popularity than those of the night before.
    """

    def __init__(self, seed: int, pull: float = 0.0, users: int = 200, items: int = 60) -> None:
        self.random, self.pull, self.night = np.random.default_rng(seed), pull, 0
        self.n_users, self.n_items = users, items
        self.ids = pa.array([f"u{n}" for n in range(users)])
        group = np.arange(items) % CATEGORIES
        self.categories: Csr = sparse.csr_array(np.eye(CATEGORIES, dtype=np.float32)[group])
        liked = self.random.dirichlet(np.ones(CATEGORIES), users)
        self.taste = np.log(liked[:, group] + 0.02) + 0.5 * self.random.normal(size=(users, items))
        self.popularity = np.sort(self.random.random(items))[::-1]
        self.brand = (self.random.integers(0, 4, items)).astype(np.int32)
        self.chosen = np.stack([self._draw()[:, 0] for _ in range(WINDOW)], axis=1)
        history = self._matrix(self.chosen)
        self.pairs = [random_pairs(self.ids, NO_PAIRS), nearest_pairs(history, NO_PAIRS)]
        self.profile = history

    def _draw(self, drift: float = 0.0) -> Ints:
        """The items of each user, best first, by taste, drift and chance."""
        noise = self.random.gumbel(size=self.taste.shape)
        return np.argsort(-(self.taste + drift * self.popularity + noise), axis=1).astype(np.int32)

    def _matrix(self, items: Ints) -> Csr:
        rows = np.repeat(np.arange(self.n_users), items.shape[1])
        ones = np.ones(items.size, np.float32)
        return sparse.csr_array((ones, (rows, items.ravel())), shape=(self.n_users, self.n_items))

    def measured(self) -> Measured:
        """The panel of the next night."""
        lists = self._draw(self.pull * self.night)[:, :K]
        self.chosen = np.concatenate([self.chosen[:, 1:], self._draw()[:, :1]], axis=1)
        found = Found(self.n_users)
        weights = 1 / np.log2(np.arange(2, K + 2))
        weight = np.tile(weights, self.n_users)
        by_item: Figures = np.bincount(lists.ravel(), weight, self.n_items).astype(np.float64)
        users = np.repeat(np.arange(self.n_users, dtype=np.int32), K)
        exposed = Exposed(by_item, users, lists.ravel(), weight)
        figures.inequality(found, exposed, np.ones(self.n_items, np.bool_))
        figures.providers(found, exposed, self.brand, np.ones(4))
        figures.lift(found, lists, self.profile, self.popularity)
        figures.calibration(found, lists, self.profile, self.categories)
        recent = self._matrix(self.chosen)
        figures.variety(found, recent, np.asarray(recent.sum(axis=0), np.float64), self.categories)
        overlaps = [jaccard(lists, pairs) for pairs in self.pairs]
        for name, overlap in zip(("random_overlap", "nearest_overlap"), overlaps, strict=True):
            found.night[name] = float(overlap.mean())
        pairs = [
            pairs_table(self.ids, pairs, overlap, nearest=nearest)
            for pairs, overlap, nearest in zip(self.pairs, overlaps, (False, True), strict=True)
        ]
        table = pa.table({"user_id": self.ids, **{name: pa.array(one) for name, one in found.users.items()}})
        day = date(2026, 1, 1) + timedelta(days=self.night)
        self.night += 1
        return Measured(day, True, found.night, table, pa.concat_tables(pairs))
