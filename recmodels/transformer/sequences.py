"""Users' histories as training sequences: their targets, their batches, and the later part that validates."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Bools, Floats, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import DataRefused
from recmodels.transformer.config import TrainingConfig

VALIDATION_K = 10  # length of the lists that validate
MASKED_ITEMS = 1_000  # items of a history that are no negatives with `mask_history`: the latest, at most
ROWS_AT_A_TIME = 2**20  # rows whose targets are drawn at a time
VALIDATION_USERS = 25_000  # users whose lists are measured after each epoch, at most


class TrainingSequences:
    """The interactions to train on, as sequences of at most `length` items, and the later ones that validate.

    Rows are the training interactions, by user and time. A sequence is a range of rows of one user; a long history is
    cut into several, from its end.
    """

    def __init__(
        self, config: TrainingConfig, data: Dataset, later: Bools, length: int, most_validated: int = VALIDATION_USERS
    ) -> None:
        """Those of `data`, less the `later` rows [n], by which at most so many users validate."""
        self.users, self.items = data.user_index[~later], data.item_index[~later]
        users = np.arange(data.n_users + 1, dtype=self.users.dtype)  # of another type, it would copy the rows' users
        self.user_starts = np.searchsorted(self.users, users).astype(np.int64)
        self._define_targets(config, data, later)
        inputs = np.maximum(np.diff(self.user_starts) - 1, 0)  # nothing comes after the last item of a history
        n_sequences = -(-inputs // length)
        user, back = concatenated_ranges(np.zeros_like(n_sequences), n_sequences)  # counted from the end
        self.ends = self.user_starts[user] + inputs[user] - back * length
        self.starts = np.maximum(self.ends - length, self.user_starts[user])
        self._hold_out(data, later, config.seed, most_validated)

    def _define_targets(self, config: TrainingConfig, data: Dataset, later: Bools) -> None:
        """A row's target is an item of rows [first_target, target_end), and counts in the loss by the row's weight.

        Of the next item, all three follow from the row: they are None.
        """
        self.first_target: Longs | None = None
        self.target_end: Longs | None = None
        self.weights: Floats | None = None
        if config.objective == "horizon":
            times = data.timestamp[~later]
            first, end = (
                _rows_within(self.users, times, round(days * MICROSECONDS_PER_DAY))
                for days in (config.gap_days, config.horizon_days)
            )
            n = np.maximum(end - first, 0)
            # One of n items is drawn, and a hit adds less to NDCG the more there are, by the ideal of n hits. All users
            # weigh the same, as they do in the metric, however often they came.
            ideal = np.concatenate(([1.0], np.cumsum(1 / np.log2(np.arange(2, VALIDATION_K + 2)))))
            states = np.bincount(self.users[n > 0], minlength=len(self.user_starts) - 1)
            gain = n / ideal[np.minimum(n, VALIDATION_K)] / np.maximum(states[self.users], 1)
            self.weights = (gain / max(1e-9, gain[n > 0].mean() if n.any() else 1.0)).astype(np.float32)
            self.first_target, self.target_end = first, end

    def _hold_out(self, data: Dataset, later: Bools, seed: int, most: int) -> None:
        """The users who validate, what they did later, and what they had seen by then, which no list repeats."""
        later_users, later_items = data.user_index[later], data.item_index[later]
        users = np.unique(later_users)
        users = users[self.user_starts[users + 1] > self.user_starts[users]]
        if len(users) > most:
            users = np.sort(np.random.default_rng(seed).choice(users, most, replace=False))
        self.validation_users: Ints = users.astype(np.int32)
        shape = len(users), data.n_items
        place = np.full(data.n_users, -1, np.int32)
        place[users] = np.arange(len(users))
        chosen = place[later_users] >= 0
        truth = place[later_users[chosen]], later_items[chosen]
        self.truth = sparse.csr_array((np.ones(len(truth[0]), np.float32), truth), shape=shape)
        starts = self.user_starts[users]
        owner, rows = concatenated_ranges(starts, self.user_starts[users + 1] - starts)
        self.seen = sparse.csr_array((np.ones(len(rows), np.float32), (owner, self.items[rows])), shape=shape)

    def draw_targets(self, rng: np.random.Generator) -> Ints:
        """One of its target items for each row; -1 where there is none: int32 [n_rows]."""
        targets = np.empty(len(self.items), np.int32)
        for start in range(0, len(targets), ROWS_AT_A_TIME):
            rows = np.arange(start, min(start + ROWS_AT_A_TIME, len(targets)))
            first, end = self.targets_of(rows)
            choices = np.maximum(end - first, 0)
            drawn = first + (rng.random(len(rows)) * choices).astype(np.int64)
            targets[rows] = np.where(choices > 0, self.items[np.minimum(drawn, len(targets) - 1)], -1)
        return targets

    def targets_of(self, rows: Longs) -> tuple[Longs, Longs]:
        """The first of the rows whose items may be the target of each of `rows`, and the one after the last."""
        if self.first_target is None or self.target_end is None:
            return rows + 1, np.minimum(rows + 2, self.user_starts[self.users[rows].astype(np.int64) + 1])
        return self.first_target[rows], self.target_end[rows]

    def weights_of(self, rows: Longs) -> Floats:
        """How much the targets of `rows` count in the loss."""
        return np.ones(len(rows), np.float32) if self.weights is None else self.weights[rows]

    def padded_targets(self, sequences: Longs, targets: Ints) -> tuple[Longs, Longs, Longs]:
        """First rows [n] and lengths [n] of some sequences, and the targets of their rows, -1 for none: [n, t]."""
        start = self.starts[sequences]
        length = self.ends[sequences] - start
        return start, length, padded_rows(targets, start, length, int(length.max(initial=0)), padding=-1)

    def history_until(self, rows: Longs) -> tuple[Longs, Longs]:
        """The users' items up to each of `rows`, itself included: positions in `rows`, ascending, and the items.

        They are `MASKED_ITEMS` a row at most, the latest.
        """
        lengths = np.minimum(rows + 1 - self.user_starts[self.users[rows]], MASKED_ITEMS)
        position, history = concatenated_ranges(rows + 1 - lengths, lengths)
        return position, self.items[history].astype(np.int64)

    def batches(self, rng: np.random.Generator, size: int) -> list[Longs]:
        """All sequences, grouped by length, about `size` items a batch, in random order."""
        lengths = self.ends - self.starts
        order = np.lexsort((rng.random(len(lengths)), lengths))
        batch = np.cumsum(lengths[order]) // size
        batches = np.split(order, np.flatnonzero(np.diff(batch)) + 1)
        return [batches[i] for i in rng.permutation(len(batches)) if len(batches[i])]


def concatenated_ranges(starts: Longs, lengths: Longs) -> tuple[Longs, Longs]:
    """The ranges starts_i, starts_i + 1, ... of `lengths`, one after the other: for each number its i, and itself."""
    owner = np.repeat(np.arange(len(starts)), lengths)
    return owner, np.arange(len(owner)) + (starts - np.cumsum(lengths) + lengths)[owner]


def padded_histories(
    max_length: int, items: Ints, starts: Longs, ends: Longs, positions: int
) -> Iterator[tuple[Longs, Longs, Longs]]:
    """Histories of similar length, in batches of one shape: their indices [m], items [b >= m, t] and lengths [m]."""
    lengths = np.minimum(ends - starts, max_length)
    step = 2 ** np.maximum(2, np.log2(np.maximum(lengths, 1)).astype(np.int64) - 2)  # at most a quarter is padding
    widths = np.minimum(-(-lengths // step) * step, max_length)
    for width in np.unique(widths[lengths > 0]):
        rows = max(1, positions // int(width))
        members = np.flatnonzero(widths == width)
        for chosen in (members[i : i + rows] for i in range(0, len(members), rows)):
            padded = np.zeros((rows, width), np.int64)
            padded[: len(chosen)] = padded_rows(items, ends[chosen] - lengths[chosen], lengths[chosen], int(width))
            yield chosen, padded, lengths[chosen]


def padded_rows(values: NDArray[np.integer[Any]], starts: Longs, lengths: Longs, width: int, padding: int = 0) -> Longs:
    """The ranges values[starts_i : starts_i + lengths_i] as rows, padded at the end: int64 [n, width]."""
    position = np.arange(width)
    inside = position < lengths[:, None]
    rows = np.full(inside.shape, padding, np.int64)
    rows[inside] = values[(starts[:, None] + position)[inside]]
    return rows


def validation_rows(data: Dataset, days: float | None, known_until: int | None = None) -> Bools:
    """Which interactions validate: those of the last days, or the last one of each user who has at least three.

    Of weights that were trained on all interactions until some time, `known_until` (microseconds), only later ones tell
    something; where there are none, it is the same ones as without.

    Raises:
        DataRefused: it is all of them.
    """
    if days is not None:
        later = data.timestamp >= data.end - round(days * MICROSECONDS_PER_DAY)
    else:
        later = np.zeros(len(data), bool)
        later[data.indptr[1:][np.diff(data.indptr) > 2] - 1] = True
    if later.all():
        raise DataRefused(f"All interactions lie in the last {days} days, which only validate.")
    new = later if known_until is None else later & (data.timestamp > known_until)
    return new if new.any() else later


def _rows_within(users: Ints, times: Longs, span: int) -> Longs:
    """For each row the end of the rows of the same user that are at most `span` microseconds later."""
    seconds = (times - times.min(initial=0)) // 10**6  # so that a user and a time fit one number
    reach = int(seconds.max(initial=0)) + span // 10**6 + 1
    keys = users.astype(np.int64) * reach + seconds
    ends: Longs = np.searchsorted(keys, keys + span // 10**6, side="right").astype(np.int64)
    return ends
