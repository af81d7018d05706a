"""Maximal marginal relevance under rules, compiled: one pass over the places of a list, a user at a time.

An item's greatest cosine to the list only grows, so what was last computed for a candidate bounds it from above: a
place goes to the candidate of the highest bound once that bound is up to date, and the others are left as they are
(lazy evaluation, Minoux 1978). The lists are those of the plain rule.
"""

import numpy as np

from recmodels.compute.jit import jit
from recmodels.data.arrays import Bools, Doubles, Floats, Ints, Longs

SMOOTHING = 0.01  # of a list's mix of categories, by the user's own: as Steck chose it


@jit
def fits(item: int, indptr: Longs, indices: Ints, caps: Ints, counts: Ints) -> bool:
    """Whether every category of an item has room."""
    room = True
    for at in range(indptr[item], indptr[item + 1]):
        room &= counts[indices[at]] < caps[indices[at]]
    return room


@jit
def missing(least: Ints, held: Ints) -> int:
    """How many places domains still need."""
    n = 0
    for domain in range(len(least)):
        n += max(0, least[domain] - held[domain])
    return n


@jit
def may_come(
    item: int, tight: bool, want: int, new: Bools, shared: bool, domains: Ints, least: Ints, most: Ints, held: Ints
) -> bool:
    """Whether an item may have the next place: if these are `tight`, only what the list still needs may."""
    needed = want > 0 and new[item]
    if shared:
        domain = domains[item]
        if held[domain] >= most[domain]:
            return False
        needed = needed or held[domain] < least[domain]
    return needed or not tight


@jit
def mixed(user: Doubles, categories: Ints, listed: Doubles, n: int, logs: Doubles) -> float:
    """The Kullback-Leibler divergence of a user's mix of `categories` from that of a list of n items that have any.

    `user` and `listed` are [n_categories], the user's shares and the list's sums of shares; `logs`, likewise, is filled
    with the logarithms of the list's smoothed shares.
    """
    divergence = 0.0
    for g in categories:
        logs[g] = np.log((1 - SMOOTHING) * listed[g] / max(n, 1) + SMOOTHING * user[g])
        divergence += user[g] * (np.log(user[g]) - logs[g])
    return divergence


@jit
def choose(  # noqa: PLR0912, PLR0915 -- one loop over the places, whose state is many small arrays
    items: Ints,
    relevance: Floats,
    n_pinned: int,
    n_own: int,
    pin_place: int,
    lengths: Ints,
    needed: Ints,
    weight: float,
    term_indptr: Longs,
    term_indices: Ints,
    term_weights: Floats,
    n_terms: int,
    new: Bools,
    indptr: Longs,
    indices: Ints,
    caps: Ints,
    balance: float,
    mix_indptr: Longs,
    mix_indices: Ints,
    mix_shares: Doubles,
    prices: Floats | None,
    domains: Ints,
    least: Ints,
    most: Ints,
    places: Ints,
    pinned: Bools,
    count: Ints,
    count_new: Ints,
) -> None:
    """Fill `places`, `pinned`, `count` and `count_new` for some users; see `recmodels.ranking.rerank.choose`.

    Of a site with quotas `domains` are those of the items, and `least` and `most` [n, n_domains] how many places each
    has; they yield where a list would be shorter. Without `prices` nothing steers, and what does is left out of the
    machine code.
    """
    m = items.shape[1]
    k = places.shape[1]
    candidate_terms = np.zeros(n_terms, np.float32)  # the terms of the candidate that is looked at
    counts = np.zeros(len(caps), np.int32)
    open_ = np.zeros(m, np.bool_)
    upto = np.zeros(max(1, n_own), np.int32)  # how many items of the list a candidate was compared with
    near = np.zeros(max(1, n_own), np.float64)  # its greatest cosine to them
    listed = np.zeros(k, np.int32)
    gain = np.zeros(max(1, n_own), np.float64)  # what steers, of each candidate: its price, and its calibration
    user_mix = np.zeros(len(caps), np.float64)
    list_mix = np.zeros(len(caps), np.float64)  # sums over the items of the list
    logs = np.zeros(len(caps), np.float64)
    keep = 1 - balance
    held = np.zeros(least.shape[1], np.int32)  # places of each domain
    waits = np.zeros(max(1, n_pinned), np.bool_)  # pinned items that will come at their rank, and count already
    for row in range(len(items)):
        counts[:] = 0
        filed = 0  # items of the list that have a category
        mix = mix_indices[:0]
        if prices is not None and len(mix_indptr) > 1:
            mix = mix_indices[mix_indptr[row] : mix_indptr[row + 1]]
            user_mix[mix] = mix_shares[mix_indptr[row] : mix_indptr[row + 1]]
            list_mix[:] = 0
        upto[:] = 0
        near[:] = 0
        for c in range(m):
            open_[c] = items[row, c] >= 0
        for p in range(n_pinned):
            for c in range(p + 1, m):
                if items[row, c] == items[row, p]:
                    open_[c] = False  # it waits for its rank
        length = lengths[row]
        want = needed[row]
        placed = 0
        held[:] = 0
        shared = len(held) > 0
        waits[:] = False
        n_waiting = 0
        for p in range(n_pinned):
            if open_[p] and n_waiting < length - pin_place:
                waits[p] = True
                n_waiting += 1
                want -= new[items[row, p]]
                if shared:
                    held[domains[items[row, p]]] += 1
        while placed < length:
            lacking = max(want, 0) + (missing(least[row], held) if shared else 0)
            tight = lacking > 0 and lacking >= length - placed - n_waiting
            best = -1
            # pinned items, from their rank on
            if placed >= pin_place:
                for c in range(n_pinned):
                    if open_[c] and fits(items[row, c], indptr, indices, caps, counts):
                        best = c
                        break
            is_pin = best >= 0
            if prices is not None and not is_pin:
                # what steers does not change while this place is filled
                as_is = mixed(user_mix, mix, list_mix, filed, logs)  # with a candidate that has no category
                more = mixed(user_mix, mix, list_mix, filed + 1, logs)
                for o in range(n_own):
                    c = n_pinned + o
                    if open_[c]:
                        item = items[row, c]
                        first, last = indptr[item], indptr[item + 1]
                        divergence = more if last > first else as_is
                        for at in range(first, last):
                            g = indices[at]
                            if user_mix[g] > 0:
                                share = (list_mix[g] + 1 / (last - first)) / (filed + 1)
                                log = np.log((1 - SMOOTHING) * share + SMOOTHING * user_mix[g])
                                divergence -= user_mix[g] * (log - logs[g])
                        gain[o] = -balance * divergence
                        if len(prices) > 0:
                            gain[o] += prices[item]
            while best < 0:
                # the model's, by marginal relevance
                top = -np.inf
                for o in range(n_own):
                    c = n_pinned + o
                    if open_[c] and may_come(
                        items[row, c], tight, want, new, shared, domains, least[row], most[row], held
                    ):
                        value = weight * relevance[row, o] - (1 - weight) * near[o]
                        if prices is not None:
                            value = keep * value + gain[o]
                        if value > top:
                            if fits(items[row, c], indptr, indices, caps, counts):
                                top = value
                                best = c
                            else:
                                open_[c] = False
                if best < 0:
                    # the others, in their order
                    for c in range(n_pinned + n_own, m):
                        if open_[c] and may_come(
                            items[row, c], tight, want, new, shared, domains, least[row], most[row], held
                        ):
                            if fits(items[row, c], indptr, indices, caps, counts):
                                best = c
                                break
                            open_[c] = False
                    if best < 0 and tight:  # there is nothing of what is needed
                        tight = False
                        want = 0
                        continue
                    if best < 0 and shared:
                        shared = False
                        continue
                    break
                o = best - n_pinned
                if weight < 1 and upto[o] < placed:
                    # bring the bound up to date, and look again
                    item = items[row, best]
                    for t in range(term_indptr[item], term_indptr[item + 1]):
                        candidate_terms[term_indices[t]] = term_weights[t]
                    for p in range(upto[o], placed):
                        cosine = 0.0
                        for t in range(term_indptr[listed[p]], term_indptr[listed[p] + 1]):
                            cosine += candidate_terms[term_indices[t]] * term_weights[t]
                        near[o] = max(near[o], cosine)
                    for t in range(term_indptr[item], term_indptr[item + 1]):
                        candidate_terms[term_indices[t]] = 0
                    upto[o] = placed
                    best = -1
            if best < 0:
                # nothing else is left: pinned items do not wait for their rank
                for c in range(n_pinned):
                    if open_[c] and fits(items[row, c], indptr, indices, caps, counts):
                        best = c
                        is_pin = True
                        break
                if best < 0:
                    break
            item = items[row, best]
            places[row, placed] = best
            pinned[row, placed] = is_pin
            listed[placed] = item
            placed += 1
            first, last = indptr[item], indptr[item + 1]
            for at in range(first, last):
                counts[indices[at]] += 1
                if prices is not None:
                    list_mix[indices[at]] += 1 / (last - first)
            filed += last > first
            count_new[row] += new[item]
            if is_pin and waits[best]:
                n_waiting -= 1
            else:
                want -= new[item]
                if len(held) > 0:
                    held[domains[item]] += 1
            for c in range(m):
                if items[row, c] == item:
                    open_[c] = False
        count[row] = placed
        if prices is not None:
            user_mix[mix] = 0
