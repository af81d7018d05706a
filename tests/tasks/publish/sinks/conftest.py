"""A night that sinks are loaded after."""

import shutil
from pathlib import Path

import pytest

from tasks.store.paths import Night, Store
from tests.tasks.loading import FIRST
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE


@pytest.fixture(scope="package")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    publish(prepare_night(root, FIRST), k=2)
    prepare_night(root)
    return root


@pytest.fixture
def night(tmp_path: Path, prepared: Path) -> Night:
    """A night that is to be published after `FIRST`."""
    return Store(shutil.copytree(prepared, tmp_path / "store", symlinks=True)).night(RUN_DATE)
