"""What a candidate's lists are worth in each domain of a site that has several: those of the domain alone.

Measured are the users who did something in the domain in the holdout, by what they did there. The slice `domain:films`
has all of them; `history in films:0`, `history in films:1-3` and `history in films:4+` those with so many items of the
domain in their history: the first are served from what they did elsewhere.
"""

from pathlib import Path

import numpy as np

from recmodels.candidate_lists import read_lists
from recmodels.data.arrays import Ints, Truth
from recmodels.data.domains import Domains
from recmodels.data.pairs import Pairs
from recmodels.metrics import ranking as metrics
from tasks.evaluate.slices import SLICED, figures
from tasks.evaluate.summary import SliceFigure
from tasks.train.settings import EvaluationSettings

HISTORY = {"0": (0, 0), "1-3": (1, 3), "4+": (4, np.inf)}
"""Items of the domain in a user's history."""


def domain_of(slice_name: str) -> str | None:
    """The domain that a slice is of as a whole; None where it is of another kind."""
    kind, _, name = slice_name.partition(":")
    return name if kind == "domain" else None


def domain_figures(
    toplists: Path, prepared: Path, users: Ints, truth: Truth, settings: EvaluationSettings, seed: int
) -> list[SliceFigure]:
    """The figures of each domain; none of a site without.

    Args:
        toplists: the candidate's lists.
        prepared: the prepared tables.
        users: who is measured, ascending [n].
        truth: what they did in the holdout [n, n_items].
        settings: how long lists are, and the level of the intervals.
        seed: of the intervals.
    """
    domains = Domains.read(prepared)
    if domains is None:
        return []
    known = history_of(prepared, domains, users)
    found: list[SliceFigure] = []
    for code, name in enumerate(domains.names):
        of_domain = truth.copy()
        of_domain.data &= (domains.codes == code)[of_domain.indices]
        of_domain.eliminate_zeros()
        there = np.flatnonzero(np.diff(of_domain.indptr))
        if not len(there):
            continue
        items = read_lists(toplists, users, settings.k, domains.file(name))[there]
        values = metrics.per_user(items, of_domain[there])
        groups = {f"domain:{name}": (0, np.inf)} | {f"history in {name}:{few}": ends for few, ends in HISTORY.items()}
        for label, (low, high) in groups.items():
            mask = (known[there, code] >= low) & (known[there, code] <= high)
            if mask.any():
                of_slice = {metric: values[metric][mask] for metric in SLICED}
                found += figures(label, of_slice, seed, settings.confidence)
    return found


def history_of(prepared: Path, domains: Domains, users: Ints) -> Ints:
    """How many items of each domain users have that are trained on: int32 [n, n_domains]."""
    pairs = Pairs(prepared, "train").columns(["user_index", "item_index", "weight"], users)
    trained = pairs["weight"] > 0
    row = np.searchsorted(users, pairs["user_index"][trained])
    cell = row * len(domains.names) + domains.codes[pairs["item_index"][trained]]
    counts = np.bincount(cell, minlength=len(users) * len(domains.names)).reshape(len(users), len(domains.names))
    return counts.astype(np.int32)
