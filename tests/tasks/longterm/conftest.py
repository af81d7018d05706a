"""A site that several modules ask."""

import pytest

from tasks.store.paths import Night, Store
from tests.tasks.longterm.sites import write_site
from tests.tasks.one_database import one_database  # noqa: F401
from tests.tasks.site import RUN_DATE


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """With an arm whose effect is known, and one whose effect is to be foretold."""
    night = Store(tmp_path_factory.mktemp("site")).night(RUN_DATE)
    write_site(night)
    return night
