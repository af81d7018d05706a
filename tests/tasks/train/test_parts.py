"""Where the parts of trainings lie."""

from pathlib import Path

import pytest

from recmodels.engine.choice import EngineChoice
from tasks.train.parts import (
    SHARED,
    SHARED_FROM,
    TRAININGS,
    parts_of_trainings,
    shared_by_trainings,
    shared_folder,
)
from tests.tasks.publishing import prepare_night


def test_parts_stay_until_the_night_is_done_and_after_an_error(tmp_path: Path) -> None:
    night, engine = prepare_night(tmp_path), EngineChoice("local")
    left = night.parts(TRAININGS) / "data" / "left"
    with pytest.raises(KeyboardInterrupt), parts_of_trainings(night, engine):
        left.mkdir(parents=True)
        raise KeyboardInterrupt
    assert left.exists()
    with parts_of_trainings(night, engine):
        assert left.exists()
    assert not night.all_parts.exists()


def test_a_night_without_an_engine_has_none(tmp_path: Path) -> None:
    night = prepare_night(tmp_path)
    with parts_of_trainings(night, None):
        assert not night.all_parts.exists()


def test_what_trainings_share_goes_with_them(tmp_path: Path) -> None:
    night = prepare_night(tmp_path)
    with shared_by_trainings(night, wanted=False):
        assert shared_folder(night, "train", SHARED_FROM) is None
    left = night.parts(SHARED) / "data"
    left.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), shared_by_trainings(night, wanted=True):
        assert not left.exists()  # of a night that was killed
        assert shared_folder(night, "train", SHARED_FROM) == night.parts(SHARED)
        assert shared_folder(night, "full", SHARED_FROM) is shared_folder(night, "train", SHARED_FROM - 1) is None
        raise KeyboardInterrupt
    assert not night.parts(SHARED).exists()
