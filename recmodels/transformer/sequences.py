"""Users' histories as the transformer reads them: what it learns from, what it is asked for, what validates it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import DataRefused
from recmodels.transformer.config import Recipe

PLACES = 10  # of the lists that validate
REMEMBERED = 1_000  # items of a history that compete with nothing, where seen ones do not: the latest, at most
VALIDATED = 25_000  # users whose lists are measured after each epoch, at most


class Histories:
    """The part that is learnt from, as sequences of at most `length` items, and the later part that validates."""

    def __init__(self, recipe: Recipe, data: Dataset, length: int) -> None:
        later = _later(data, recipe.validation_days)
        if later.all():
            raise DataRefused(f"All interactions lie in the last {recipe.validation_days} days, which only validate.")
        self.users, self.items = data.user_index[~later], data.item_index[~later]
        self.starts = np.searchsorted(self.users, np.arange(data.n_users + 1)).astype(np.int64)
        self._ask(recipe, data.timestamp[~later])
        inputs = np.maximum(np.diff(self.starts) - 1, 0)  # nothing comes after the last item of a history
        parts = -(-inputs // length)
        user, back = runs(np.zeros_like(parts), parts)  # parts are counted from the end
        self.part_ends = self.starts[user] + inputs[user] - back * length
        self.part_starts = np.maximum(self.part_ends - length, self.starts[user])
        tested = np.intersect1d(data.user_index[later], self.users)
        if len(tested) > VALIDATED:
            tested = np.sort(np.random.default_rng(recipe.seed).choice(tested, VALIDATED, replace=False))
        self.tested: Ints = tested.astype(np.int32)
        truth = (np.ones(int(later.sum()), np.float32), (data.user_index[later], data.item_index[later]))
        self.truth = sparse.csr_array(truth, shape=(data.n_users, data.n_items))[self.tested]
        seen = (np.ones(len(self.items), np.float32), (self.users, self.items))
        self.seen = sparse.csr_array(seen, shape=(data.n_users, data.n_items))[self.tested]

    def _ask(self, recipe: Recipe, times: Longs) -> None:
        """What the state after each row is asked for: an item of rows [first, last), in the loss with a weight."""
        self.first = np.arange(1, len(self.items) + 1)
        self.last = np.minimum(self.first + 1, self.starts[self.users + 1])
        self.weights = np.ones(len(self.items), np.float32)
        if recipe.objective == "days":
            self.first, self.last = (
                _within(self.users, times, round(d * MICROSECONDS_PER_DAY)) for d in (recipe.pause, recipe.days)
            )
            n = np.maximum(self.last - self.first, 0)
            # One of n items is drawn, and a hit adds less to NDCG the more there are, by the ideal of n hits. Users
            # count alike, as they do in what is measured, however often they came.
            ideal = np.concatenate(([1.0], np.cumsum(1 / np.log2(np.arange(2, PLACES + 2)))))
            states = np.bincount(self.users[n > 0], minlength=len(self.starts) - 1)
            gain = n / ideal[np.minimum(n, PLACES)] / np.maximum(states[self.users], 1)
            self.weights = (gain / max(1e-9, gain[n > 0].mean() if n.any() else 1.0)).astype(np.float32)

    def targets(self, rng: np.random.Generator) -> Longs:
        """For each row an item that comes later, drawn among those that it is asked for; -1 where there is none."""
        choices = np.maximum(self.last - self.first, 0)
        drawn = self.first + (rng.random(len(choices)) * choices).astype(np.int64)
        return np.where(choices > 0, self.items[np.minimum(drawn, len(self.items) - 1)], -1).astype(np.int64)

    def seen_after(self, rows: Longs) -> tuple[Longs, Longs]:
        """What users have had by each of some rows: the places of these, ascending, and items, `REMEMBERED` a row."""
        lengths = np.minimum(rows + 1 - self.starts[self.users[rows]], REMEMBERED)
        row, place = runs(rows + 1 - lengths, lengths)
        return row, self.items[place].astype(np.int64)

    def batches(self, rng: np.random.Generator, size: int) -> list[Longs]:
        """All sequences, those of one length side by side, about `size` items a batch, in random order."""
        lengths = self.part_ends - self.part_starts
        order = np.lexsort((rng.random(len(lengths)), lengths))
        batch = np.cumsum(lengths[order]) // size
        batches = np.split(order, np.flatnonzero(np.diff(batch)) + 1)
        return [batches[i] for i in rng.permutation(len(batches)) if len(batches[i])]


def runs(starts: Longs, lengths: Longs) -> tuple[Longs, Longs]:
    """Of the runs starts_i, starts_i + 1, ... of `lengths`, one after the other, each number's i, and the number."""
    owner = np.repeat(np.arange(len(starts)), lengths)
    return owner, np.arange(len(owner)) + (starts - np.cumsum(lengths) + lengths)[owner]


def padded_histories(
    most: int, items: Ints, starts: Longs, ends: Longs, positions: int
) -> Iterator[tuple[Longs, Longs, Longs]]:
    """Histories of similar length as batches of one shape: which they are [m], items [b >= m, t], lengths [m]."""
    lengths = np.minimum(ends - starts, most)
    step = 2 ** np.maximum(2, np.log2(np.maximum(lengths, 1)).astype(np.int64) - 2)  # at most a quarter is padding
    widths = np.minimum(-(-lengths // step) * step, most)
    for width in np.unique(widths[lengths > 0]):
        rows = max(1, positions // int(width))
        members = np.flatnonzero(widths == width)
        for chosen in (members[i : i + rows] for i in range(0, len(members), rows)):
            padded = np.zeros((rows, width), np.int64)
            padded[: len(chosen)] = padded_rows(items, ends[chosen] - lengths[chosen], lengths[chosen], int(width))
            yield chosen, padded, lengths[chosen]


def padded_rows(values: NDArray[np.integer[Any]], starts: Longs, lengths: Longs, width: int) -> Longs:
    """The runs values[starts_i : starts_i + lengths_i] as rows, filled up with zeros behind: int64 [n, width]."""
    place = np.arange(width)
    inside = place < lengths[:, None]
    rows = np.zeros(inside.shape, np.int64)
    rows[inside] = values[(starts[:, None] + place)[inside]]
    return rows


def _later(data: Dataset, days: float | None) -> NDArray[np.bool_]:
    """Which rows validate: those of the last days, or the last one of each user who has two more."""
    if days is not None:
        return data.timestamp >= data.end - round(days * MICROSECONDS_PER_DAY)
    later = np.zeros(len(data), bool)
    later[data.indptr[1:][np.diff(data.indptr) > 2] - 1] = True
    return later


def _within(users: Ints, times: Longs, span: int) -> Longs:
    """For each row the end of those of the same user that are at most `span` microseconds later."""
    seconds = (times - times.min(initial=0)) // 10**6  # so that a user and a time fit one number
    reach = int(seconds.max(initial=0)) + span // 10**6 + 1
    keys = users.astype(np.int64) * reach + seconds
    ends: Longs = np.searchsorted(keys, keys + span // 10**6, side="right").astype(np.int64)
    return ends
