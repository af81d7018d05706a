"""The site's users are read from what a night has prepared, as long as that stays as it is."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recmodels.errors import ConfigError, NightrecError
from tasks.exploration.settings import NO_EXPLORATION
from tasks.export.settings import ExportSettings
from tasks.features.settings import FeatureSettings
from tasks.simulate import people as reading
from tasks.simulate.people import category_of, last_prepared, texts_of
from tasks.simulate.plan import planned
from tasks.simulate.settings import SimulateSettings
from tasks.store.paths import Night, Store
from tasks.train.settings import Candidate
from tests.tasks.publishing import prepare_night, with_manifests

ITEMS = pa.table(
    {
        "item_index": [0, 1, 2, 3],
        "item_id": ["a", "b", "c", "d"],
        "title": ["One thing", None, "Another", "Last"],
        "genre": [["x", "y"], ["x"], [], ["x"]],
        "available": [True, True, True, False],
    }
)
PLAN = planned(SimulateSettings(), {"als": Candidate()}, ExportSettings(), NO_EXPLORATION, None)


@pytest.fixture
def night(tmp_path: Path) -> Night:
    found = prepare_night(tmp_path)
    with_manifests(found)
    return found


def test_what_can_be_read_of_items_and_their_rarest_category() -> None:
    assert texts_of(ITEMS, FeatureSettings()) == ["One thing. x, y", "x", "Another", "Last. x"]
    assert category_of(ITEMS, FeatureSettings()).tolist() == [1, 0, 2, 0]
    plain = ITEMS.select(["item_index", "item_id"])
    assert texts_of(plain, FeatureSettings()) == [""] * 4
    assert category_of(plain, FeatureSettings()).tolist() == [0] * 4


def test_the_newest_night_with_its_tables_is_read(night: Night) -> None:
    (night.store.root / "nights" / "2026-04-01").mkdir()
    assert last_prepared(night.store) == night
    with pytest.raises(ConfigError, match="has its tables any more"):
        last_prepared(Store(night.store.root / "none"))


def test_tables_that_change_meanwhile_are_read_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, times = reading._drawn, []

    def while_it_is_made_again(*given: Any) -> Any:
        times.append(1)
        if len(times) == 1:
            with_manifests(night, prepared="another")
        return drawn(*given)

    monkeypatch.setattr(reading, "_drawn", while_it_is_made_again)
    found = reading._read(night, PLAN, FeatureSettings())
    assert (len(times), found.data.n_users, len(found.texts)) == (2, 5, 8)


def test_tables_that_never_stay_are_told(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> Any:
        raise FileNotFoundError("items.parquet")

    monkeypatch.setattr(reading, "_drawn", gone)
    with pytest.raises(NightrecError, match=r"cannot be read \(items.parquet\): see that no other night"):
        reading._read(night, PLAN, FeatureSettings())
