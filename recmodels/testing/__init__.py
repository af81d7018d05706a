"""What every recommender promises, as tests: for nightrec's own models and for those of a site. Needs pytest.

A model's test inherits the claims and says how to make one:

    from recmodels.testing import RecommenderContract
    from shop.models import Margin


    class TestMargin(RecommenderContract):
        def make(self) -> Margin:
            return Margin(power=0.5)

Let `conftest.py` say `pytest.register_assert_rewrite("recmodels.testing")`, so that failures show the values.
"""

try:
    import pytest  # noqa: F401
except ImportError as error:
    raise ImportError("recmodels.testing needs pytest: pip install pytest") from error

from recmodels.testing.contract import RecommenderContract
from recmodels.testing.site import (
    COMPLETIST,
    N_ITEMS,
    N_USERS,
    NEVER_SEEN,
    NEWCOMER,
    assert_same,
    small_site,
    threads,
    traced_peak,
)

__all__ = [
    "COMPLETIST",
    "NEVER_SEEN",
    "NEWCOMER",
    "N_ITEMS",
    "N_USERS",
    "RecommenderContract",
    "assert_same",
    "small_site",
    "threads",
    "traced_peak",
]
