"""What a user is shown: the model's list, completed by popular items where the model has too few."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Floats, Ints, row_lengths
from recmodels.data.dataset import Dataset, Repeats
from recmodels.ranking.rerank import Rules, choose
from recmodels.ranking.topk import TopK

COMPARED = 2**25  # pairs of items compared at a time while completing lists: a byte each
CANDIDATES = 2**22  # of lists under rules that are completed at a time: some 100 MB


class Ranker(Protocol):
    """What lists are made by: a model, or several in turns."""

    @property
    def needs_history(self) -> bool:
        """Whether users without any are known from nothing else."""

    def knows(self, data: Dataset, users: Ints) -> Bools:
        """Which users it can rank items for."""

    def recommend(
        self, data: Dataset, users: Ints, k: int, *, allowed: Bools | None = None, repeats: Repeats = False
    ) -> TopK:
        """The k best items for each of `users`."""

    def explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        """For each recommendation the item of the user's history that contributed most, -1 where none can be named."""


@dataclass(frozen=True, eq=False)
class Lists:
    """A list for each user, best first; -1 only where no eligible item is left."""

    users: Ints  # [n]
    items: Ints  # [n, k]
    scores: Floats  # [n, k]: finite and non-increasing where there is an item, else -inf
    cold: Bools  # [n, k]: whether the fallback supplied the item
    reasons: Ints  # [n, k]: the item of the user's history that contributed most, -1 where none can be named
    pinned: Bools  # [n, k]: whether the site's rules put the item there


def serve(
    model: Ranker,
    fallback: Recommender,
    data: Dataset,
    users: Ints,
    k: int,
    *,
    allowed: Bools | None = None,
    repeats: Repeats = False,
    min_history: int = 1,
    explain: bool = False,
    rules: Rules | None = None,
) -> Lists:
    """Lists of min(k, eligible) items for each of `users`, from the model first and then from the fallback.

    Eligible are the allowed items that the user has not seen (any allowed item with `repeats`; what is due, too, with
    "due"). Users with fewer than `min_history` interactions get only the fallback, which must be able to rank every
    item, as `Popularity` does; so do users without any, unless the model knows them from the user table. The j-th
    fallback item scores last - (j - 1) / k, `last` being the score of the model's last item (1 where it has none):
    finite, and never rising.

    With `rules` the list is chosen from more candidates by `ranking.rerank`; it ends early only where nothing else
    passes. The model's items then carry the scores that they have from it, the highest first whichever item came
    first; another item carries the score of the one before it (at the top: of the first of the model's), less
    (j - 1) / k for the j-th popular one behind the last of the model's.
    """
    if rules is not None:
        return _under_rules(model, fallback, data, users, k, rules, allowed, repeats, min_history, explain)
    top = model.recommend(data, users, k, allowed=allowed, repeats=repeats)
    top.items[gets_only_fallback(model, data, users, min_history)] = -1
    items, scores = top.items.copy(), top.scores.copy()
    short = np.flatnonzero(top.items[:, -1] < 0)
    step = max(1, COMPARED // (2 * k * k))
    for rows in (short[i : i + step] for i in range(0, len(short), step)):
        fill = fallback.recommend(data, users[rows], 2 * k, allowed=allowed, repeats=repeats)
        items[rows], scores[rows] = _completed(top.items[rows], top.scores[rows], fill.items)
    reasons = model.explain(data, users, top) if explain else np.full_like(items, -1)
    cold = (items >= 0) & (top.items < 0)
    return Lists(np.asarray(users, np.int32), items, scores, cold, reasons, np.zeros_like(cold))


def _completed(own: Ints, scores: Floats, fill: Ints) -> tuple[Ints, Floats]:
    """The model's items [b, k] followed by those of the fallback [b, 2k] that are not among them: two [b, k]."""
    k = own.shape[1]
    fresh = (fill >= 0) & ~(fill[:, :, None] == own[:, None, :]).any(axis=2)
    both = np.concatenate([own, np.where(fresh, fill, -1)], axis=1)  # [b, 3k]
    front = np.argsort(both < 0, axis=1, kind="stable")[:, :k]  # the items there are, in order
    items = np.take_along_axis(both, front, axis=1)
    given = (own >= 0).sum(axis=1, keepdims=True)  # [b, 1]: the model's items, a prefix of its list
    last = np.where(given > 0, np.take_along_axis(scores, np.maximum(given - 1, 0), axis=1), 1).astype(np.float64)
    step = (np.arange(k) - given) / k  # [b, k]: 0 for the first fallback item, below 1 for the last
    filled = np.where(items >= 0, last - step, -np.inf).astype(np.float32)
    return items, np.where(np.arange(k) < given, scores, filled)


def _under_rules(  # noqa: PLR0915 -- a round of candidates, in the order of their sources
    model: Ranker,
    fallback: Recommender,
    data: Dataset,
    users: Ints,
    k: int,
    rules: Rules,
    allowed: Bools | None,
    repeats: Repeats,
    min_history: int,
    explain: bool,
) -> Lists:
    """`serve` by rules: most lists come from the pool; those it cannot fill get four times as many candidates, ..."""
    users = np.asarray(users, np.int32)
    allowed = rules.allowed if allowed is None else allowed & rules.allowed
    fresh = allowed & rules.new if rules.new is not None else np.zeros_like(allowed)
    lengths = rules.wanted(users, k)
    needed = rules.new_wanted(lengths)
    few = gets_only_fallback(model, data, users, min_history)
    pins = _pinned(rules, data, users, allowed, repeats)
    alike = data.described if rules.relevance_weight < 1 else data.terms  # which are looked at for variety alone

    def own_items(rows: Ints, m: int, among: Bools) -> TopK:
        top = model.recommend(data, users[rows], m, allowed=among, repeats=repeats)
        out = few[rows][:, None] | (top.scores < (-np.inf if rules.min_score is None else rules.min_score))
        return TopK(np.where(out, -1, top.items), np.where(out, -np.inf, top.scores))

    items, scores = np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf, np.float32)
    own, pinned = np.zeros((len(users), k), bool), np.zeros((len(users), k), bool)
    rows, eligible, n_fresh = np.flatnonzero(lengths > 0).astype(np.int32), int(allowed.sum()), int(fresh.sum())
    raised = None if rules.raised is None else allowed & rules.raised
    parts_of_site = [allowed & (rules.domains == domain) for domain in range(len(rules.domain_most))]
    more, m = 2 * k if parts_of_site else 0, max(rules.pool, k)
    while len(rows):
        left = []
        step = max(1, CANDIDATES // (m + 4 * more + 2 * k * len(parts_of_site) + 1))
        for part in (rows[i : i + step] for i in range(0, len(rows), step)):
            tops = [own_items(part, m, allowed)]
            others = []
            if more:
                others.append(fallback.recommend(data, users[part], more, allowed=allowed, repeats=repeats).items)
                if needed.any():
                    tops.append(own_items(part, more, fresh))
                    others.append(fallback.recommend(data, users[part], more, allowed=fresh, repeats=repeats).items)
            for among in parts_of_site:  # so that each domain can have as many places as its quota says
                tops.append(own_items(part, k, among))
                others.append(fallback.recommend(data, users[part], k, allowed=among, repeats=repeats).items)
            behind = 0 if raised is None else max(rules.pool, k)
            if raised is not None:
                tops.append(own_items(part, behind, raised))
            own_scores = np.concatenate([top.scores for top in tops], axis=1)
            candidates = np.concatenate([pins[part], *(top.items for top in tops), *others], axis=1)
            n_pins, n_own = pins.shape[1], own_scores.shape[1]
            done = data.matrix[users[part]] if rules.calibration else None
            chosen = choose(rules, alike, candidates, own_scores, n_pins, n_own, lengths[part], k, done, behind)
            place = np.maximum(chosen.places, 0)
            there = chosen.places >= 0
            items[part] = np.where(there, np.take_along_axis(candidates, place, axis=1), -1)
            own[part] = there & ~chosen.pinned & (place < n_pins + n_own)
            at = np.clip(place - n_pins, 0, n_own - 1)
            scores[part] = np.where(own[part], np.take_along_axis(own_scores, at, axis=1), -np.inf)
            pinned[part] = chosen.pinned
            lacks_new = (chosen.new < needed[part]) & (more < n_fresh)  # or all there are have been candidates
            left.append(part[(chosen.count < lengths[part]) | lacks_new])
        if more >= eligible:
            break
        rows = np.concatenate(left)
        more = min(4 * more if more else 2 * k, eligible)
        m = max(m, more)
    personal = TopK(np.where(own, items, -1), scores)
    reasons = model.explain(data, users, personal) if explain else np.full_like(items, -1)
    cold = (items >= 0) & ~own & ~pinned
    return Lists(users, items, _falling(scores, own, cold, items >= 0), cold, reasons, pinned)


def gets_only_fallback(model: Ranker, data: Dataset, users: Ints, min_history: int) -> Bools:
    """Users with too short a history, whom the model does not know otherwise: bool [n]."""
    history = row_lengths(data.indptr, users)
    if not model.needs_history:
        return np.asarray(history < min_history)
    return np.where(history > 0, history < min_history, ~model.knows(data, users))


def _pinned(rules: Rules, data: Dataset, users: Ints, allowed: Bools, repeats: Repeats) -> Ints:
    """The pinned items that each user may be shown, -1 for the others: int32 [n, n_pinned]."""
    pins = np.array([item for item in rules.pinned if allowed[item]], np.int32)
    shown = np.tile(pins, (len(users), 1))
    if len(pins) and repeats is not True:
        column = np.full(data.n_items, -1, np.int32)
        column[pins] = np.arange(len(pins))
        hidden = data.hidden(users, repeats)
        row, place = np.repeat(np.arange(len(users)), np.diff(hidden.indptr)), column[hidden.indices]
        shown[row[place >= 0], place[place >= 0]] = -1
    return shown


def _falling(scores: Floats, own: Bools, cold: Bools, listed: Bools) -> Floats:
    """The scores of lists that never rise, from the model's own [n, k], -inf elsewhere; see `serve`."""
    k = scores.shape[1]
    ranked = -np.sort(-scores.astype(np.float64), axis=1)
    nth = np.cumsum(own, axis=1) - 1  # [n, k]: the model's item that a place has, or comes after
    first = np.where(own.any(axis=1), ranked[:, 0], 1)[:, None]
    falling = np.where(nth >= 0, np.take_along_axis(ranked, np.maximum(nth, 0), axis=1), first)
    behind = np.arange(k) > np.where(own, np.arange(k), -1).max(axis=1, keepdims=True)  # the last of the model's
    nth_cold = np.cumsum(cold & behind, axis=1)
    falling -= np.where(behind, np.maximum(nth_cold - 1, 0) / k, 0)
    return np.where(listed, falling, -np.inf).astype(np.float32)
