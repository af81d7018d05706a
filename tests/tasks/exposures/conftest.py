"""The night whose exposures are joined and logged."""

from pathlib import Path

import pytest

from tasks.store.paths import Night
from tests.tasks.exposed import site
from tests.tasks.one_database import one_database  # noqa: F401


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return site(tmp_path)
