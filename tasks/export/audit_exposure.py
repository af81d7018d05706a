"""What groups of items are shown in an export, against the bounds that the site has set, and why one is missed."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from expectations.errors import ExportRefused
from recmodels.data.arrays import Bools, Doubles
from recmodels.messages import counted, short
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules
from tasks.lists.settings import ExposureSettings, ListSettings
from tasks.store.events import log_event
from tasks.store.files import Json


class Exposed:
    """The exposure of groups of items, counted table by table."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._groups = np.zeros(len(bounds.least))
        self._fixed = np.zeros(len(bounds.least))  # of popular and pinned items, which prices do not move
        self._whole = 0.0

    def add(self, item: "np.ndarray[Any, Any]", rank: "np.ndarray[Any, Any]", source: pa.ChunkedArray) -> None:
        """Count some rows; `item` is -1 where it is not known."""
        known = item >= 0
        weights = self.bounds.weights(rank[known].astype(np.float64))
        own = pc.equal(source.cast(pa.string()), "personal").to_numpy()[known]
        of_rows = self.bounds.members[item[known]].T
        self._groups += of_rows @ weights
        self._fixed += of_rows @ (weights * ~own)
        self._whole += float(weights.sum())

    def sums(self) -> list[Any]:
        """What was counted, as JSON can say it; `of` reads it."""
        return [self._groups.tolist(), self._fixed.tolist(), self._whole]

    @classmethod
    def of(cls, bounds: Bounds, sums: Sequence[Any]) -> Self:
        """What was counted of the exposure of groups that have such bounds."""
        found = cls(bounds)
        found._groups, found._fixed, found._whole = np.array(sums[0]), np.array(sums[1]), float(sums[2])
        return found

    def join(self, other: Self) -> None:
        """Add what was counted of other lists."""
        self._groups += other._groups
        self._fixed += other._fixed
        self._whole += other._whole

    @property
    def shares(self) -> Doubles:
        """The share of each group: [n_groups]."""
        return self._groups / (self._whole or 1)

    @property
    def missed(self) -> Bools:
        """Which groups' shares are not within their bounds: bool [n_groups]."""
        return self.bounds.missed(self.shares)

    def json_ready(self, settings: ExposureSettings, allowed: Bools, k: int) -> Json:
        """What the manifest says: by value the share, its bounds, the price, and why it is missed."""
        found: Json = {}
        prices = np.zeros(len(self.bounds.least)) if self.bounds.prices is None else self.bounds.prices
        for group, value in enumerate(settings.values):
            found[value] = {
                "share": float(self.shares[group]),
                "least": settings.least.get(value),
                "most": settings.most.get(value),
                "price": float(prices[group]),
                "missed": self._why(group, allowed, k) if self.missed[group] else None,
            }
        return {"column": settings.column, "measure": settings.measure, "shares": found}

    def _why(self, group: int, allowed: Bools, k: int) -> str:
        """Why the share of a group is not within its bounds."""
        if self.shares[group] > self.bounds.most[group]:
            fixed = self._fixed[group] / (self._whole or 1)
            if fixed > self.bounds.most[group]:
                return f"popular and pinned items, which keep their places, have {fixed:.1%} alone"
            return "too few other items fit: see pool, the caps, and the other bounds"
        n = int(allowed[np.diff(self.bounds.members[:, [group]].tocsr().indptr) > 0].sum())
        if n == 0:
            return "no item that may be listed has this value"
        weights = self.bounds.weights(np.arange(1, k + 1))
        room = float(weights[:n].sum() / weights.sum())
        if room < self.bounds.least[group]:
            return f"its {counted(n, 'item')} can have {room:.1%} at most, at the top of every list"
        return f"its {counted(n, 'item')} fit into too few lists: see pool, the caps, min_score and the other bounds"


def exposure_of(exposed: Exposed | None, rules: Rules | None, settings: ListSettings) -> Json:
    """What the manifest says of the exposure, with a note on each bound that is missed; nothing without bounds."""
    if exposed is None or rules is None or settings.exposure is None:
        return {}
    found = exposed.json_ready(settings.exposure, rules.allowed, settings.k)
    for sentence in in_words(found):
        log_event("export", "note", f"export.exposure: {sentence}")
    return {"exposure": found}


def refuse_missed(exposure: Json, settings: ListSettings) -> None:
    """Refuse an export that misses a bound, if the site wants that.

    Raises:
        ExportRefused: it does.
    """
    missed = in_words(exposure["exposure"]) if exposure else []
    if missed and settings.exposure is not None and settings.exposure.required:
        raise ExportRefused(
            f"The export misses what export.exposure requires: {short('; '.join(missed), 200)}. The last export stays "
            "published: change the bound, or set required = false."
        )


def in_words(exposure: Json) -> list[str]:
    """A sentence for each bound that is missed, of what the manifest says."""
    return [
        f"{value} has {one['share']:.2%} of the exposure, not {_bound(one)}: {one['missed']}"
        for value, one in exposure["shares"].items()
        if one["missed"]
    ]


def _bound(one: Json) -> str:
    least, most = one["least"], one["most"]
    return f"at least {least:.2%}" if least is not None and one["share"] < least else f"at most {most:.2%}"


def at_the_prices_of(rules: Rules | None, exposure: Json | None) -> Rules | None:
    """The rules at the prices that an export's lists were made at, by its manifest."""
    if rules is None or rules.bounds is None or not exposure:
        return rules
    return rules.at(np.array([one["price"] for one in exposure["shares"].values()]))
