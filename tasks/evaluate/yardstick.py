"""What lists of the measured users are like: how accurate, how varied, and what the rules that steer them steer."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recmodels.data import layout
from recmodels.data.arrays import Bools, Csr, Floats, Ints, Truth
from recmodels.data.dataset import Dataset
from recmodels.data.parquet import read_columns
from recmodels.metrics import beyond_accuracy as beyond
from recmodels.metrics import diversity, long_term
from recmodels.metrics import ranking as metrics
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules
from tasks.evaluate.summary import ListFigures
from tasks.store.paths import Night


@dataclass(frozen=True, eq=False)
class Steered:
    """What the figures need that rules steer.

    Attributes:
        profiles: what the users did in training, [n, n_items].
        popularity: interactions of each item, [n_items].
        of_items: each item's distribution over its categories, [n_items, n_categories]; None where there are none.
        bounds: the groups of items whose exposure is counted; None where there are none.
        values: what the site calls these groups.
        worth: what each item is worth to the site, [n_items]; None where that is not asked.
    """

    profiles: Csr
    popularity: "np.ndarray[tuple[int], np.dtype[np.int32]]"
    of_items: sp.csr_array | None = None
    bounds: Bounds | None = None
    values: tuple[str, ...] = ()
    worth: Floats | None = None

    @classmethod
    def of(cls, night: Night, data: Dataset, users: Ints, rules: Rules, values: list[str]) -> "Steered":
        """By the categories and the bounds that rules have."""
        path = night.features / "train" / layout.ITEM_FEATURES
        popularity = read_columns(path, ["interactions"])["interactions"]
        of_items = rules.category_shares if rules.categories is not None else None
        return cls(data.matrix[users], popularity, of_items, rules.bounds, tuple(values), rules.value)

    def figures(self, items: Ints, available: Bools) -> dict[str, float | dict[str, float] | None]:
        """Of lists [n, k]: how unequally items are shown, how much more popular lists are than what their users chose,
        how far their categories are from their users', what is listed is worth, and the shares of the groups that have
        bounds.
        """
        lift = long_term.popularity_lift(items, self.profiles, self.popularity.astype(np.float64))
        return {
            "gini": beyond.gini(beyond.exposure(items, len(available))[available]),
            "popularity_lift": lift if np.isfinite(lift) else None,
            "miscalibration": self._miscalibration(items),
            "worth": None
            if self.worth is None or not (items >= 0).any()
            else float(self.worth[items[items >= 0]].mean()),
            "exposure": None
            if self.bounds is None
            else dict(zip(self.values, self.bounds.shares(items).tolist(), strict=True)),
        }

    def _miscalibration(self, items: Ints) -> float | None:
        if self.of_items is None:
            return None
        row, place = np.nonzero(items >= 0)
        lists = sp.coo_array((np.ones(len(row)), (row, items[row, place])), shape=(len(items), self.of_items.shape[0]))
        profile, listed = (
            np.asarray((one @ self.of_items).toarray(), np.float64) for one in (self.profiles, lists.tocsr())
        )
        far = long_term.miscalibration(profile, listed)
        return float(np.nanmean(far)) if np.isfinite(far).any() else None


def figures_of(items: Ints, truth: Truth, available: Bools, terms: Csr, steered: Steered | None = None) -> ListFigures:
    """The figures of lists [n, k] of users of whom `truth` is known."""
    variety = diversity.intra_list(items, terms)
    more = {} if steered is None else steered.figures(items, available)
    return ListFigures(
        ndcg=float(metrics.per_user(items, truth)["ndcg"].mean()),
        diversity=float(np.nanmean(variety)) if np.isfinite(variety).any() else None,
        coverage=metrics.coverage(items, int(available.sum())),
        **more,
    )
