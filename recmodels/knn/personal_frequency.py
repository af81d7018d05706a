"""Personal frequency: what a user has had most often, and of late."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from recmodels.base import SCORE_BYTES, positive_evidence
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.events import events_of
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.knn.baskets import summed
from recmodels.knn.intervals import due_shares, weighed_by_due
from recmodels.knn.profiles import Profiles
from recmodels.options import FitOptions
from recmodels.parameters import Search

FADED = 1e-30  # the least that an event counts: less is 0 in float32, and who was long away would have no list


@dataclass
class PersonalFrequency(Profiles):
    """What a user has had most often, the latest counting most: for lists that may repeat what the user has.

    Score of item i for user u = Σ over u's events with i of 2^(-age / half_life_days), times how due it is. Where
    repeats are not allowed, it has nothing to recommend. It needs single events (`features.events` in a night); without
    them each pair of user and item is one.

    Attributes:
        profiles_: float32 sparse [n_users, n_items], the scores.

    References:
        Hu, He, Gao & Zhang, "Modeling Personalized Item Frequency Information for Next-basket Recommendation", SIGIR
        2020.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0], [3, 1], timestamp=[0, 86_400_000_000])
        >>> PersonalFrequency().fit(data).recommend(data, np.array([0]), k=2, repeats=True).items.tolist()
        [[1, 3]]
    """

    half_life_days: Annotated[float, Gt(0), Search(3.0, 365.0, log=True)] = 60.0
    """Days after which an event counts half."""
    due: Annotated[float, Ge(0), Search(0.0, 3.0)] = 0.0
    """Power of the share of an item's interval that has passed (`due_shares`), which scores are multiplied by; 0: what
    was had just now may be listed at once."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        events = events_of(data, options.events)
        shape = data.n_users, data.n_items
        age = (data.end - events.timestamp) / MICROSECONDS_PER_DAY
        weight = np.maximum(0.5 ** (age / self.half_life_days), FADED)
        self.profiles_: Csr = summed(events.user, events.item, weight, shape)
        if self.due:
            self.profiles_ = weighed_by_due(self.profiles_, due_shares(events, data.end, shape), self.due)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return positive_evidence(self._profiles(data)[users])

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        return float(n_listed) * n_items

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 96 * n_interactions + 8 * n_users + SCORE_BYTES  # with the times of single events
