from pathlib import Path

import pytest

from tests.recmodels.specifications import written_features


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """The features folder of a small night."""
    return written_features(tmp_path)
