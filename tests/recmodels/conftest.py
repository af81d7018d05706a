from pathlib import Path

import pytest

from recmodels.options import FitOptions
from recmodels.parted import training
from recmodels.parted.training import PartedTraining
from tests.recmodels.specifications import written_features


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """The features folder of a small night."""
    return written_features(tmp_path)


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings in parts have buckets of 80 interactions, of which `small_site` has five."""
    monkeypatch.setattr(training, "ROWS", 80)


@pytest.fixture
def work(tmp_path: Path, small_buckets: None) -> PartedTraining:
    """A training in such buckets."""
    return PartedTraining(tmp_path / "own", tmp_path / "shared", "key")


@pytest.fixture
def in_parts(tmp_path: Path, small_buckets: None) -> FitOptions:
    """Options by which a model is trained in such buckets."""
    return FitOptions(parts=tmp_path / "parts")
