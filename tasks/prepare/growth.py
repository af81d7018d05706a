"""Merged pairs and events that came later: the pairs that merging all of their events would give.

A day's events are few beside the pairs of years, so that nothing here sorts the pairs: each new pair is looked for
among them, and gets its place in their order by bisection.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recmodels.data.arrays import Bools, Floats
from tasks.prepare.interactions import Number, Places, Rows, all_of, merge, picked

_LARGEST_SUM = 2**20  # of weights that are multiples of a sixteenth, whose sums are exact below it
_MARKS = 16  # bits of a sieve for each pair that is looked for


class NotMergeable(Exception):
    """Pairs do not say enough of their events to be merged with some others."""


@dataclass(frozen=True)
class Rule:
    """How events of one pair are merged: see `merge`.

    Attributes:
        duplicates: as `PrepareSettings` has it.
        n_items: of all.
        all_rated: whether every event has a rating, or none has: a pair's rating is that of its last event then.
    """

    duplicates: str
    n_items: int
    all_rated: bool


@dataclass(frozen=True)
class _Both:
    """Which rows of pairs and of later pairs are of the same user and item, and whether the later one ends later."""

    old: Places
    new: Places
    wins: Bools


@dataclass(frozen=True)
class Change:
    """What becomes of some pairs.

    Attributes:
        dropped: the numbers of the pairs that are not there any more, ascending.
        before: of each added one, the pair before which it belongs, ascending.
        added: in order; a pair that says something else now is dropped, and added in its place.
    """

    dropped: Places
    before: Places
    added: Rows

    def on(self, pairs: Rows) -> Rows:
        """The pairs as they are then."""
        if not len(self.dropped) and not len(self.added):
            return pairs
        return _with_added(pairs, self.dropped, self.before, self.added)


def grown(pairs: Rows, events: Rows, rule: Rule) -> Rows:
    """The pairs of all events; see `change_by`."""
    return change_by(pairs, events, rule).on(pairs)


def change_by(pairs: Rows, events: Rows, rule: Rule) -> Change:
    """What becomes of pairs by later events.

    Args:
        pairs: merged, by user, then time, then input order.
        events: in that order, too; in the input, all follow those that the pairs were merged from.
        rule: how to merge.

    Raises:
        NotMergeable: an event falls between those of a pair, which the pair does not tell apart.
    """
    later = merge(events, rule.n_items, rule.duplicates) if len(events) else events
    if not len(later):
        return Change(np.empty(0, np.int64), np.empty(0, np.int64), later)
    both = _both(pairs, later, rule.n_items)
    _refuse_between(pairs, later, both, rule)
    changed, later = _joined(pairs, later, both, rule.duplicates)
    added: Bools = np.ones(len(later), np.bool_)
    added[both.new[~both.wins]] = False
    later = later.take(added)
    return in_places(both.old, both.old[~both.wins], changed, later, _places(pairs, later))


def in_places(dropped: Places, at: Places, changed: Rows, later: Rows, before: Places) -> Change:
    """A change by pairs that say something else now, at the numbers they had, and later ones before some pairs."""
    added, place = both_of(changed, later), np.concatenate([at, before])
    order = np.lexsort((added.timestamp, added.user, place))  # stable: at the same time a later one comes after
    return Change(np.sort(dropped), place[order], added.take(order))


def both_of(some: Rows, others: Rows) -> Rows:
    """Rows, and others after them."""
    return all_of([some, others])


def _both(pairs: Rows, later: Rows, n_items: int) -> _Both:
    """The pairs that are in both, found by a sieve and then exactly."""
    bits = max(10, int(np.ceil(np.log2(_MARKS * max(1, len(later))))))
    marks = np.zeros(1 << bits, np.bool_)
    marks[_hashed(later, bits)] = True
    maybe = np.flatnonzero(picked(marks, _hashed(pairs, bits)))
    keys = later.user.astype(np.int64) * n_items + later.item
    order = np.argsort(keys)
    wanted = pairs.user[maybe].astype(np.int64) * n_items + pairs.item[maybe]
    place = np.searchsorted(keys, wanted, sorter=order)
    found = order[np.minimum(place, len(keys) - 1)]
    same = keys[found] == wanted
    old, new = maybe[same], found[same]
    return _Both(old, new, later.timestamp[new] >= pairs.timestamp[old])


def _hashed(rows: Rows, bits: int) -> Places:
    """A number below 2^bits for each pair."""
    mixed = rows.user.view(np.uint32) * np.uint32(2_654_435_761) + rows.item.view(np.uint32) * np.uint32(2_246_822_519)
    mixed >>= np.uint32(32 - bits)
    return mixed.view(np.int32)


def _refuse_between(pairs: Rows, later: Rows, both: _Both, rule: Rule) -> None:
    """Raise NotMergeable where the merged weight or rating depends on events that are no longer told apart."""
    began, ended = later.first[both.new], pairs.timestamp[both.old]
    if rule.duplicates == "sum" and bool((began <= ended).any()):  # it may be the same event, logged twice
        raise NotMergeable
    if not rule.all_rated and bool((began < ended).any()):
        raise NotMergeable


def _joined(pairs: Rows, later: Rows, both: _Both, duplicates: str) -> tuple[Rows, Rows]:
    """The pairs that stay in their places, and all later ones, with what the events of either say of them."""
    old, new, wins = both.old, both.new, both.wins
    first = np.minimum(pairs.first[old], later.first[new])
    weight = _weight(pairs.weight[old], later.weight[new], wins, duplicates)
    rating = None
    if pairs.rating is not None and later.rating is not None:
        earlier, last = np.where(wins, (pairs.rating[old], later.rating[new]), (later.rating[new], pairs.rating[old]))
        rating = np.where(np.isnan(last), earlier, last)
    stays = ~wins
    rating_kept = None if rating is None else rating[stays]
    kept = replace(pairs.take(old[stays]), first=first[stays], weight=weight[stays], rating=rating_kept)
    return (
        kept,
        _with(later, new[wins], first[wins], weight[wins], None if rating is None else rating[wins]),
    )


def _weight(old: Floats, new: Floats, wins: Bools, duplicates: str) -> Floats:
    if duplicates == "last":
        return np.where(wins, new, old)
    if duplicates == "max":
        return np.maximum(old, new)
    if len(total := old + new) and total.max() >= _LARGEST_SUM:
        raise NotMergeable
    return total


def _with(rows: Rows, at: Places, first: Places, weight: Floats, rating: Floats | None) -> Rows:
    """Rows, some of which have other values now."""
    if not len(at):
        return rows
    changed = replace(rows, first=rows.first.copy(), weight=rows.weight.copy())
    changed.first[at], changed.weight[at] = first, weight
    if rating is not None and rows.rating is not None:
        changed = replace(changed, rating=rows.rating.copy())
        changed.rating[at] = rating  # type: ignore[index]
    return changed


def interleaved(events: Rows, later: Rows) -> Rows:
    """Events and later ones, in order; at the same time a later one comes after."""
    return _with_added(events, np.empty(0, np.int64), _places(events, later), later)


def _with_added(pairs: Rows, dropped: Places, before: Places, added: Rows) -> Rows:
    """Pairs without some, and with others that are added each before one of them."""
    left: Bools = np.ones(len(pairs), np.bool_)
    left[dropped] = False
    at = before - np.searchsorted(dropped, before) + np.arange(len(before))
    n = len(pairs) - len(dropped) + len(added)
    old: Bools = np.ones(n, np.bool_)
    old[at] = False
    source = np.zeros(n, np.intp)
    source[old] = np.flatnonzero(left)

    def column(ours: npt.NDArray[Number], theirs: npt.NDArray[Number]) -> npt.NDArray[Number]:
        found = picked(ours, source) if len(ours) else np.empty(n, ours.dtype)
        found[at] = theirs
        return found

    timestamp = column(pairs.timestamp, added.timestamp)
    alike = pairs.first is pairs.timestamp and added.first is added.timestamp
    return Rows(
        user=column(pairs.user, added.user),
        item=column(pairs.item, added.item),
        timestamp=timestamp,
        first=timestamp if alike else column(pairs.first, added.first),
        weight=column(pairs.weight, added.weight),
        rating=None if pairs.rating is None or added.rating is None else column(pairs.rating, added.rating),
    )


def _places(pairs: Rows, later: Rows) -> Places:
    """Before which of the pairs each later one belongs."""
    low = np.searchsorted(pairs.user, later.user, side="left")
    high = np.searchsorted(pairs.user, later.user, side="right")
    while (open_ := low < high).any():
        middle = (low + high) // 2
        after = open_ & (pairs.timestamp[np.minimum(middle, len(pairs) - 1)] <= later.timestamp)
        low = np.where(after, middle + 1, low)
        high = np.where(open_ & ~after, middle, high)
    return low
