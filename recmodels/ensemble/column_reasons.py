"""Reasons that name a column: which one the trees rank an item high by, if it counts for more than any member."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Longs
from recmodels.ensemble.fusion import Candidates
from recmodels.ranking.topk import TopK

LEAST = 0.1
"""Log odds that a column must add to be a reason: the odds of one that adds less hardly change (a tenth)."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What trees saw of the candidates of some users.

    Attributes:
        candidates: of the users, n of them.
        rows: what trees see of each, [n, c].
        columns: those that may be a reason.
        trees: the log odds of rows by the trees alone.
        whole: the score of candidates.
    """

    candidates: Candidates
    rows: Doubles
    columns: Sequence[int]
    trees: Callable[[Doubles], Doubles]
    whole: Callable[[Candidates], Doubles]

    def reasons(self, top: TopK, n_items: int) -> Iterator[tuple[int, int, int]]:
        """Row, place and column of each item of the users' lists that one is the reason of."""
        row, place = np.nonzero(top.items >= 0)
        key = self.candidates.user * n_items + self.candidates.item  # ascending
        sought = row * n_items + top.items[row, place]
        at = np.searchsorted(key, sought)
        at[at == len(key)] = 0
        there = np.flatnonzero(key[at] == sought) if len(key) else at[:0]
        there = there[np.argsort(at[there], kind="stable")]
        chosen = at[there]
        of_columns = losses_of_columns(self.rows, self.candidates.user, chosen, self.columns, self.trees)
        of_members = losses_of_members(some_of(self.candidates, chosen), self.whole)
        for n, column in zip(there.tolist(), named(of_columns, of_members).tolist(), strict=True):
            if column >= 0:
                yield int(row[n]), int(place[n]), self.columns[column]


def some_of(candidates: Candidates, chosen: Longs) -> Candidates:
    """Some candidates alone, ascending."""
    parts = (getattr(candidates, name)[chosen] for name in ("user", "item", "rank", "share"))
    return Candidates(candidates.n_users, *parts)


def losses_of_members(listed: Candidates, scores: Callable[[Candidates], Doubles]) -> Doubles:
    """What the log odds of candidates lose where a member does not list them: float64 [n, m]."""
    whole, n_members = scores(listed), listed.rank.shape[1]
    found = np.empty((len(listed), n_members))
    for member in range(n_members):
        out = np.arange(n_members) == member
        without = replace(listed, rank=np.where(out, np.inf, listed.rank), share=np.where(out, 0, listed.share))
        found[:, member] = whole - scores(without)
    return found


def losses_of_columns(
    rows: Doubles, user: Longs, chosen: Longs, columns: Sequence[int], scores: Callable[[Doubles], Doubles]
) -> Doubles:
    """What the log odds of some candidates lose where a column has the median of their user's candidates.

    So what is the same for all candidates of a user, such as a column of the user table, is a reason for none of them.

    Args:
        rows: what trees see of all candidates, [n, c].
        user: whose each is, ascending [n].
        chosen: the candidates that are asked about, [l].
        columns: those that may be a reason.
        scores: the log odds of rows.

    Returns:
        float64 [l, len(columns)].
    """
    asked, whole = rows[chosen], scores(rows[chosen])
    found = np.empty((len(chosen), len(columns)))
    users, place = np.unique(user[chosen], return_inverse=True)
    edges = np.searchsorted(user, [users, users + 1])
    for number, column in enumerate(columns):
        typical = np.array([np.median(rows[first:end, column]) for first, end in edges.T])
        shown = asked.copy()
        shown[:, column] = typical[place]
        found[:, number] = whole - scores(shown)
    return found


def named(of_columns: Doubles, of_members: Doubles) -> Longs:
    """The column that counts most for each candidate, -1 where a member counts as much, or hardly any does: [l]."""
    best = of_columns.argmax(axis=1)
    most = of_columns[np.arange(len(best)), best]
    counts: Bools = (most >= LEAST) & (most > of_members.max(axis=1))
    return np.where(counts, best, -1)
