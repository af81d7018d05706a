import numpy as np
import pytest

from recmodels.simulation.measures import Measured
from recmodels.simulation.runs import Run

NAN = float("nan")
RUN = Run.of(
    [
        Measured({"accuracy": 0.5, "total_utility": 3.0, "dead_items": NAN},
                 {"accuracy": np.array([0.2, NAN, NAN]), "total_utility": np.array([1.0, 2.0, NAN])}),
        Measured({"accuracy": NAN, "total_utility": 5.0, "dead_items": 0.25},
                 {"accuracy": np.array([0.6, 0.1, NAN]), "total_utility": np.array([1.0, 0.0, 4.0])}),
    ]
)  # fmt: skip


def test_levels_are_means_over_the_nights_that_have_the_figure() -> None:
    assert (RUN.nights, RUN.users) == (2, 3)
    assert [RUN.level(name, slice(None)) for name in ("accuracy", "total_utility", "dead_items")] == [0.5, 4, 0.25]
    assert np.isnan(RUN.level("dead_items", slice(0, 1))) and np.isnan(RUN.level("unheard_of", slice(None)))


def test_users_have_the_mean_of_their_nights_and_add_nothing_to_a_total_before_they_come() -> None:
    assert RUN.of_users("accuracy", slice(None))[:2] == pytest.approx([0.4, 0.1])
    assert np.isnan(RUN.of_users("accuracy", slice(None))[2])
    assert RUN.of_users("total_utility", slice(None)).tolist() == [1, 1, 2]  # the mean of the sums is 4, as above
