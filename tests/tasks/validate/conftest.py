"""The folders of a night to be validated."""

from pathlib import Path

import pytest

from tests.tasks.one_database import one_database  # noqa: F401
from tests.tasks.validated import Night


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)
