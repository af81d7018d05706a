"""Merged pairs and events that came later: the pairs that merging all of their events would give.

A day's events are few beside the pairs of years, so that nothing here sorts the pairs: each new pair is looked for
among them, and gets its place in their order by bisection.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recmodels.data.arrays import Bools, Floats
from tasks.prepare.interactions import Number, Places, Rows, merge, picked

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


def grown(pairs: Rows, events: Rows, rule: Rule) -> Rows:
    """The pairs of all events.

    Args:
        pairs: merged, by user, then time, then input order.
        events: in that order, too; in the input, all follow those that the pairs were merged from.
        rule: how to merge.

    Raises:
        NotMergeable: an event falls between those of a pair, which the pair does not tell apart.
    """
    if not len(events):
        return pairs
    later = merge(events, rule.n_items, rule.duplicates)
    both = _both(pairs, later, rule.n_items)
    _refuse_between(pairs, later, both, rule)
    pairs, later = _joined(pairs, later, both, rule.duplicates)
    left: Bools = np.ones(len(pairs), np.bool_)
    left[both.old[both.wins]] = False
    added: Bools = np.ones(len(later), np.bool_)
    added[both.new[~both.wins]] = False
    return interleaved(pairs, left, later.take(added))


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
    """Both, with what the events of either say of a pair in the row that stays."""
    old, new, wins = both.old, both.new, both.wins
    first = np.minimum(pairs.first[old], later.first[new])
    weight = _weight(pairs.weight[old], later.weight[new], wins, duplicates)
    rating = None
    if pairs.rating is not None and later.rating is not None:
        earlier, last = np.where(wins, (pairs.rating[old], later.rating[new]), (later.rating[new], pairs.rating[old]))
        rating = np.where(np.isnan(last), earlier, last)
    stays = ~wins
    return (
        _with(pairs, old[stays], first[stays], weight[stays], None if rating is None else rating[stays]),
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


def interleaved(pairs: Rows, left: Bools, later: Rows) -> Rows:
    """The pairs (or events) that are left and the later ones, in order; at the same time a later one comes after."""
    before = np.concatenate([[0], np.cumsum(left)])
    at = before[_places(pairs, later)] + np.arange(len(later))
    n = int(before[-1]) + len(later)
    old: Bools = np.ones(n, np.bool_)
    old[at] = False
    source = np.zeros(n, np.intp)
    source[old] = np.flatnonzero(left)

    def column(ours: npt.NDArray[Number], theirs: npt.NDArray[Number]) -> npt.NDArray[Number]:
        found = picked(ours, source)
        found[at] = theirs
        return found

    timestamp = column(pairs.timestamp, later.timestamp)
    alike = pairs.first is pairs.timestamp and later.first is later.timestamp
    return Rows(
        user=column(pairs.user, later.user),
        item=column(pairs.item, later.item),
        timestamp=timestamp,
        first=timestamp if alike else column(pairs.first, later.first),
        weight=column(pairs.weight, later.weight),
        rating=None if pairs.rating is None or later.rating is None else column(pairs.rating, later.rating),
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
