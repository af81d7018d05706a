"""The real data sets, split as in the papers and in our comparisons: what is learnt from, and what is to be found.

A split is made of the whole data, or (`validation`) once more, by the same rule, of the part that is learnt from: there
hyper-parameters are chosen. Items of the later part that the earlier one has never seen stay in the denominators.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.dataset import Dataset
from recmodels.metrics.ranking import coverage, per_user
from tasks.features.documents import item_documents
from tasks.features.settings import FeatureSettings
from tasks.features.terms import fit_terms, unit_rows
from tests.conftest import real_data

SECOND = 1_000_000  # microseconds


@dataclass
class Split:
    """A training window and what its users did after it."""

    train: Dataset
    users: NDArray[np.int32]  # [n], those who are tested
    truth: sparse.csr_array  # [n, n_items]
    k: int  # the length of the lists that are measured

    def measure(self, model: Recommender) -> dict[str, float]:
        """Mean metrics at k of a fitted model, all items ranked, seen items removed."""
        return self.measured(model.recommend(self.train, self.users, self.k).items)

    def measured(self, items: NDArray[np.int32]) -> dict[str, float]:
        """Mean metrics of the lists [n, k] of the tested users; coverage is of the items in train."""
        means = {name: float(values.mean()) for name, values in per_user(items, self.truth).items()}
        return means | {"coverage": coverage(items, len(np.unique(self.train.item_index)))}


@dataclass
class Log:
    """Interactions sorted by user, then time, then input order, under dense indices."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    seconds: NDArray[np.int64]
    ratings: NDArray[np.float32] | None = None

    def where(self, chosen: NDArray[np.bool_]) -> "Log":
        """The chosen interactions; indices stay."""
        ratings = None if self.ratings is None else self.ratings[chosen]
        return Log(self.users[chosen], self.items[chosen], self.seconds[chosen], ratings)


def gowalla(*, validation: bool = False) -> Split:
    """LightGCN's split: train and valid against test, about 8:2 of each user's check-ins; k = 20.

    The test part is late: the lists of train are in order of time, and what ends them is more alike to test than what
    begins them. valid.txt is drawn at random from lists that were in order, and its own are in none; so those of both
    files together have its items at even distances, not at the end, as if all were the latest. Since it flatters what
    test does not, the validation part is the last fifth of each list of train.txt instead.
    """
    folder = real_data("gowalla")
    parts = [_lists(folder / f"{name}.txt") for name in ("train", "valid", "test")]
    n_users, n_items = (max(int(part[axis].max()) for part in parts) + 1 for axis in (0, 1))
    learnt, later = _interleaved(*parts[:2]), parts[2]
    if validation:
        late = _last_fifth(parts[0][0])
        learnt, later = parts[0][:, ~late], parts[0][:, late]
    return _split(Dataset.from_arrays(*learnt, n_users=n_users, n_items=n_items), *later, k=20)


def movielens_1m(*, validation: bool = False) -> Split:
    """Ratings of 4 and 5; what comes after the 90 % quantile of time is tested; k = 10. Terms: title, genres."""
    films = [line.split("::") for line in (real_data("ml-1m") / "movies.dat").read_text("latin-1").splitlines()]
    about = {int(film): (title, genres) for film, title, genres in films}
    log, film_ids = movielens_1m_log()
    split = _by_rule(log, _last_tenth_of_time, k=10, validation=validation)
    return _described(split, [about[film] for film in film_ids.tolist()])


def movielens_1m_on(day: date) -> Split:
    """What `movielens_1m` learns from, split once more: all that comes before a day (UTC), and all from then on."""
    log, _ = movielens_1m_log()
    start = datetime.combine(day, time.min, UTC).timestamp()
    return _by_rule(log.where(~_last_tenth_of_time(log)), lambda log: log.seconds >= start, k=10, validation=False)


def movielens_1m_log() -> tuple[Log, NDArray[np.int64]]:
    """Ratings of 4 and 5, and the films' ids by index."""
    table = pq.read_table(real_data("ml-1m") / "positives.parquet")
    users, items, seconds = (table[name].to_numpy() for name in table.column_names if name != "rating")
    return _log(users, items, seconds), np.unique(items)


def movielens_small(*, validation: bool = False) -> Split:
    """All ratings count as interactions; the latest fifth of each user's is tested; k = 10. Terms: title, genres."""
    folder = real_data("movielens-small")
    films = csv.read_csv(folder / "movies.csv").to_pylist()
    about = {film["movieId"]: (film["title"], film["genres"]) for film in films}
    rated = np.unique(csv.read_csv(folder / "ratings.csv")["movieId"].to_numpy())
    split = _by_rule(movielens_small_log(), _last_fifth_of_each_user, k=10, validation=validation)
    return _described(split, [about[film] for film in rated.tolist()])


def movielens_small_log() -> Log:
    """All ratings of MovieLens-small, with their values."""
    table = csv.read_csv(real_data("movielens-small") / "ratings.csv")
    users, items, seconds, ratings = (table[name].to_numpy() for name in ("userId", "movieId", "timestamp", "rating"))
    return _log(users, items, seconds, ratings.astype(np.float32))


FILES = {
    "beauty": "amazon-seq/Beauty.txt",
    "sports": "amazon-seq/Sports_and_Outdoors.txt",
    "toys": "amazon-seq/Toys_and_Games.txt",
    "yelp": "amazon-seq/Yelp.txt",
    "lastfm": "lastfm-seq/LastFM.txt",
}
"""Sequences of items without times, a line a user."""

SHORTEST = 5  # items of a user, as in those files


def leave_one_out(name: str) -> tuple[Dataset, NDArray[np.int32]]:
    """What comes before each user's last item, the validation item included, and the last item: int32 [n_users]."""
    users, items = _sequences(name)
    order = np.arange(len(items))
    last = np.flatnonzero(np.diff(users, append=-1))
    # a few users have an item twice; models learn from pairs, and the first time counts
    first = np.zeros(len(items), bool)
    first[np.unique(users * (items.max() + 1) + items, return_index=True)[1]] = True
    kept = first & ~np.isin(order, last)
    n_items = int(items.max()) + 1
    return Dataset.from_arrays(users[kept], items[kept], n_users=len(last), n_items=n_items), items[last]


def _sequences(name: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The user and the item of each event, by user and then in order; of ml1m, of users with five items and more."""
    if name == "ml1m":
        log, _ = movielens_1m_log()
        log = log.where(np.bincount(log.users)[log.users] >= SHORTEST)
        return np.unique(log.users, return_inverse=True)[1], log.items
    lines = real_data(FILES[name]).read_text().splitlines()
    rows = [np.array(line.split(), np.int32)[1:] - 1 for line in lines]  # items count from 1
    return np.repeat(np.arange(len(rows)), [len(row) for row in rows]), np.concatenate(rows)


def last_items(name: str, *, validation: bool = False) -> Split:
    """The papers' split of sequences: the last item of each user is tested, or the last but one; k = 10."""
    train, last = leave_one_out(name)
    if validation:
        ends = train.indptr[1:] - 1
        last, earlier = train.item_index[ends], np.delete(np.arange(len(train)), ends)
        users, items = train.user_index[earlier], train.item_index[earlier]
        train = Dataset.from_arrays(users, items, n_users=train.n_users, n_items=train.n_items)
    return _split(train, np.arange(train.n_users), last, k=10)


SPLITS: dict[str, Callable[..., Split]] = {
    "gowalla": gowalla,
    "ml1m": movielens_1m,
    "movielens-small": movielens_small,
    **{name: partial(last_items, name) for name in FILES},
}


def _last_tenth_of_time(log: Log) -> NDArray[np.bool_]:
    return log.seconds > np.quantile(log.seconds, 0.9)


def _last_fifth_of_each_user(log: Log) -> NDArray[np.bool_]:
    return _last_fifth(log.users)


def _last_fifth(users: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of a log's rows, by user and then in order of time, are the latest fifth of their user's."""
    _, starts, counts = np.unique(users, return_index=True, return_counts=True)
    place = np.arange(len(users)) - np.repeat(starts, counts)
    return place >= np.repeat(counts - np.ceil(0.2 * counts), counts)


def _interleaved(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.int32]:
    """The pairs [2, n] of two files by user, each user's of the second at even distances among those of the first."""
    shares = []
    for users, _ in (one, other):
        _, starts, counts = np.unique(users, return_index=True, return_counts=True)
        place = np.arange(len(users)) - np.repeat(starts, counts)
        shares.append((place + 0.5) / np.repeat(counts, counts))
    pairs = np.concatenate([one, other], axis=1)
    return pairs[:, np.lexsort((np.concatenate(shares), pairs[0]))]


def _by_rule(log: Log, late: Callable[[Log], NDArray[np.bool_]], *, k: int, validation: bool) -> Split:
    n_users, n_items = int(log.users.max()) + 1, int(log.items.max()) + 1
    if validation:
        log = log.where(~late(log))
    tested = late(log)
    before, after = log.where(~tested), log.where(tested)
    train = Dataset.from_arrays(
        before.users,
        before.items,
        timestamp=before.seconds * SECOND,
        rating=before.ratings,
        n_users=n_users,
        n_items=n_items,
    )
    return _split(train, after.users, after.items, k=k)


def _described(split: Split, films: list[tuple[str, str]]) -> Split:
    """The split with the terms of titles and genres, as a night makes them of what is learnt from."""
    items = pa.table({"title": [title for title, _ in films], "genres": [genres for _, genres in films]})
    known = np.bincount(split.train.item_index, minlength=split.train.n_items) > 0
    documents = item_documents(items, FeatureSettings(), known)
    columns = [fit_terms(name, texts, known, FeatureSettings()) for name, texts in documents.items()]
    terms = unit_rows([column for column in columns if column], len(films))
    return replace(split, train=replace(split.train, terms=terms))


def _split(train: Dataset, users: NDArray[np.int32], items: NDArray[np.int32], *, k: int) -> Split:
    known = np.diff(train.indptr)[users] > 0
    users, items = users[known], items[known]
    truth = sparse.csr_array((np.ones(len(users), bool), (users, items)), shape=(train.n_users, train.n_items))
    tested = np.unique(users)
    return Split(train, tested, truth[tested], k)


def _log(
    user_ids: NDArray[np.int64],
    item_ids: NDArray[np.int64],
    seconds: NDArray[np.int64],
    ratings: NDArray[np.float32] | None = None,
) -> Log:
    users, items = (np.unique(ids, return_inverse=True)[1].astype(np.int32) for ids in (user_ids, item_ids))
    order = np.lexsort((seconds, users))  # stable: ties stay in the order of the file
    return Log(users[order], items[order], seconds[order], None if ratings is None else ratings[order])


def _lists(path: Path) -> NDArray[np.int32]:
    """A line a user, `user item item ...`: the user and the item of each pair, [2, n]."""
    rows = [np.array(line.split(), dtype=np.int32) for line in path.read_text().splitlines()]
    users = np.repeat([row[0] for row in rows], [len(row) - 1 for row in rows])
    return np.stack((users, np.concatenate([row[1:] for row in rows])))
