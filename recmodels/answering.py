"""Lists between nights: what a user did since the night counts at once, by the night's model and without training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Csr, Floats, Ints, Longs, empty_matrix
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.lookup import Lookup, Names, Numbers
from recmodels.errors import NightrecError
from recmodels.fallback import Lists, serve
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules

SOURCES = ("personal", "cold", "pinned")
"""Where an item of a list comes from: the model, the popular items behind it, or the site's rules."""


@dataclass(frozen=True)
class Answer:
    """One user's list, best first.

    Attributes:
        items: ids [n].
        scores: [n], never rising.
        sources: [n], of `SOURCES`.
        reasons: [n], the item of the history that contributed most, None where none can be named.
        counted: the items of the session that counted, each once, in their order.
        unknown: those that are not in the catalogue, and were passed over.
        known: whether the data have the user.
    """

    items: list[Any]
    scores: list[float]
    sources: list[str]
    reasons: list[Any]
    counted: list[Any]
    unknown: list[Any]
    known: bool


class Answering:
    """Answers for one user at a time, from a fitted model and the data that it was fitted on.

    An answer is the list that the model would give if the session stood at the end of these data: without a session it
    is the list of `Recommender.recommend`, completed by popular items. Nothing is changed by answering, so that the
    threads of a server can share one.

    Args:
        model: a fitted model whose lists follow from the history (`Recommender.why_not_folded`).
        data: what users did by then.
        k: items of a list.
        allowed: bool [n_items], what may be listed.
        repeats: whether items that a user has may be listed again.
        rules: of the lists, `recmodels.ranking.rerank`; with lengths, each user's list has its own.
        longest: places of anybody's longest list, where lists differ in length.
        fallback: what completes lists; fitted to `data` without it.
        users, items: the ids, if `data` has none.

    Raises:
        NightrecError: the model cannot count a session.
    """

    def __init__(
        self,
        model: Recommender,
        data: Dataset,
        k: int = 10,
        *,
        allowed: Bools | None = None,
        repeats: Repeats = False,
        rules: Rules | None = None,
        longest: int = 0,
        fallback: Recommender | None = None,
        users: Lookup | None = None,
        items: Lookup | None = None,
    ) -> None:
        if (why := model.why_not_folded()) is not None:
            raise NightrecError(f"{type(model).__name__} {why}: a session cannot change its lists.")
        self.model, self.data, self.k = model, data, k
        self.allowed, self.repeats, self.rules = allowed, repeats, rules
        lengths = None if rules is None else rules.lengths
        self.longest = max(k, longest, 0 if lengths is None else int(lengths.max(initial=0)))
        self.fallback = fallback or Popularity().fit(data)
        ids = data.ids
        self.users: Lookup = users or (Names(ids.users) if ids else Numbers(data.n_users))
        self.items: Lookup = items or (Names(ids.items) if ids else Numbers(data.n_items))

    def answer(
        self, user: Any = None, history: Sequence[Any] = (), k: int | None = None, *, explain: bool = True
    ) -> Answer:
        """The list of a user with a session.

        Args:
            user: an id; somebody unknown has the session alone.
            history: ids of the items of the session, oldest first; each counts as an interaction of weight 1.
            k: items of the list; without it as many as the user's lists have, those of the class for somebody unknown.
            explain: find reasons, which takes longer than the list with a `Transformer`.
        """
        index = None if user is None else self.users.index(user)
        places = {item: self.items.index(item) for item in history}
        counted = _last_of_each([place for item in history if (place := places[item]) is not None])
        lists = self._served(index, np.array(counted, np.int32), k, explain)
        n = int((lists.items[0] >= 0).sum())
        source = (lists.cold + 2 * lists.pinned)[0, :n]
        return Answer(
            items=[self.items.name(place) for place in lists.items[0, :n].tolist()],
            scores=lists.scores[0, :n].tolist(),
            sources=[SOURCES[code] for code in source.tolist()],
            reasons=[None if place < 0 else self.items.name(place) for place in lists.reasons[0, :n].tolist()],
            counted=[self.items.name(place) for place in counted],
            unknown=[item for item, place in places.items() if place is None],
            known=index is not None,
        )

    def _served(self, user: int | None, session: Ints, k: int | None, explain: bool) -> Lists:
        rules = self.rules
        if rules is not None and rules.lengths is not None:
            own = self.k if user is None else int(rules.lengths[user])
            rules = replace(rules, lengths=np.array([k if k and own else own], np.int32))
        data = alone(self.data, user, session)
        if self.repeats == "due":
            data = replace(data, resting=_resting(self.data, user, session))
        return serve(
            self.model.for_users(np.array([-1 if user is None else user], np.int32)),
            self.fallback,
            data,
            np.zeros(1, np.int32),
            k or self.longest,
            allowed=self.allowed,
            repeats=self.repeats,
            explain=explain,
            rules=rules,
        )


def alone(data: Dataset, user: int | None, session: Ints) -> Dataset:
    """One user of the data (None: somebody new) with a session behind all they did, as the only user of a dataset.

    The session's items are interactions of weight 1, or of the larger one that they have already.
    """
    items, times, weights, ratings = _rows_of(data, user)
    again = np.isin(items, session)
    before = dict(zip(items[again].tolist(), zip(weights[again], ratings[again], strict=True), strict=True))
    more = [before.get(item, (0, np.nan)) for item in session.tolist()]
    n = len(session)
    return Dataset.from_arrays(
        np.zeros(n + int((~again).sum()), np.int32),
        np.concatenate([items[~again], session]),
        timestamp=np.concatenate([times[~again], data.end + np.arange(n)]),
        weight=np.concatenate([weights[~again], [max(1, weight) for weight, _ in more]]),
        rating=None if data.rated is None else np.concatenate([ratings[~again], [rating for _, rating in more]]),
        terms=data.terms,
        user_terms=_terms_of(data, user),
        item_vectors=data.item_vectors,
        n_users=1,
        n_items=data.n_items,
        end=data.end + n,
    )


def _resting(data: Dataset, user: int | None, session: Ints) -> Csr | None:
    """What is not due for a user: what was not, and what the session has; None where nothing is known of it."""
    if data.resting is None:
        return None
    before = session[:0] if user is None else data.resting[[user]].indices
    items = np.union1d(before, session).astype(np.int32)
    rows = (np.ones(len(items), np.float32), items, np.array([0, len(items)], np.int32))
    return sparse.csr_array(rows, shape=(1, data.n_items))


def _rows_of(data: Dataset, user: int | None) -> tuple[Ints, Longs, Floats, Floats]:
    """Items, times, weights and ratings of a user by time; before them what is excluded from training (weight 0)."""
    if user is None:
        return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32)
    rows = slice(data.indptr[user], data.indptr[user + 1])
    entries = slice(data.seen.indptr[user], data.seen.indptr[user + 1])
    excluded = data.seen.indices[entries][data.seen.data[entries] == 0]
    items = np.concatenate([excluded, data.item_index[rows]]).astype(np.int32)
    first = data.timestamp[rows][:1] if rows.stop > rows.start else np.zeros(1, np.int64)
    times = np.concatenate([np.repeat(first, len(excluded)), data.timestamp[rows]])
    weights = np.concatenate([np.zeros(len(excluded), np.float32), data.weight[rows]])
    return items, times, weights, _ratings_of(data, user, items)


def _ratings_of(data: Dataset, user: int, items: Ints) -> Floats:
    """What a user gave to some of their items, NaN where nothing."""
    ratings = np.full(len(items), np.nan, np.float32)
    if data.rated is not None:
        users, rated, given = data.rated
        rows = slice(*np.searchsorted(users, [user, user + 1]))
        found = dict(zip(rated[rows].tolist(), given[rows].tolist(), strict=True))
        ratings[:] = [found.get(item, np.nan) for item in items.tolist()]
    return ratings


def _terms_of(data: Dataset, user: int | None) -> Csr:
    """A user's features, none of somebody new: float32 sparse [1, n_user_terms]."""
    return empty_matrix(1, data.user_terms.shape[1]) if user is None else data.user_terms[[user]]


def _last_of_each(items: list[int]) -> list[int]:
    """Items in the order of their last time."""
    return list(dict.fromkeys(reversed(items)))[::-1]
