"""Where the parts of trainings lie."""

from pathlib import Path

import pytest

from recmodels.engine.choice import EngineChoice
from tasks.train.parts import TRAININGS, parts_of_trainings
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
