"""How rows of the lists came there: written where they belong, and known of exports that do not say it."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.fallback import Lists
from recmodels.published.reader import Export
from recmodels.published.schema import ADDED
from tasks.export.differences import difference
from tasks.export.origins import Origins
from tasks.export.refilter import refilter
from tasks.export.settings import ExportSettings
from tasks.export.verification import verified
from tasks.export.writer import Writer
from tasks.lookup.lists import list_of
from tasks.store.paths import Night
from tests.tasks.publishing import as_by_0_1, prepare_night, publish, with_manifests
from tests.tasks.site import RUN_DATE

DAY = str(RUN_DATE)
PLAIN = {("main", "item_knn", 1.0)}


def written(folder: Path, origins: Origins | None) -> pa.Table:
    """The lists of two users, of two items and of one."""
    items = np.array([[0, 1], [2, -1]], np.int32)
    none, some = np.zeros((2, 2), bool), np.array([[2, 1], [3, -np.inf]], np.float32)
    lists = Lists(np.arange(2, dtype=np.int32), items, some, none, np.full((2, 2), -1, np.int32), none)
    folder.mkdir()
    with Writer(date(2026, 3, 31), "als", pa.array([5, 6]), pa.array(["a", "b", "c"]), folder / "topk") as writer:
        writer.write(lists, origins)
    return pq.read_table(folder / "topk")


def origins_of(table: pa.Table) -> list[tuple[str, str, float]]:
    return list(zip(*(table[name].to_pylist() for name in ADDED), strict=True))


def test_each_row_has_the_origin_of_its_place(tmp_path: Path) -> None:
    policy, propensity = np.array([[0, 1], [0, 0]], np.int8), np.array([[1, 0.25], [0.5, 1]], np.float32)
    origins = Origins(["main", "held"], np.array([0, 1], np.int8), ["als", "explore"], policy, propensity)
    found = written(tmp_path / "drawn", origins)
    assert origins_of(found) == [("main", "als", 1), ("main", "explore", 0.25), ("held", "als", 0.5)]
    plain = written(tmp_path / "plain", None)
    assert origins_of(plain) == 3 * [("main", "als", 1)]
    assert plain.drop_columns(list(ADDED)).equals(found.drop_columns(list(ADDED)))


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A night whose export is as nightrec 0.1 wrote it."""
    night = prepare_night(tmp_path)
    with_manifests(night)
    publish(night)
    as_by_0_1(night.store, DAY)
    return night


def test_an_export_of_an_earlier_release_is_read_verified_and_compared_as_ever(night: Night) -> None:
    store = night.store.root
    path = next((night.store.export(DAY) / "topk").iterdir())
    assert not set(ADDED) & set(pq.read_schema(path).names)
    assert "keep the contract" in verified(store, None).sentence
    export = Export.latest(store)
    assert set(origins_of(export.table())) == set(origins_of(export.table(users=[0]))) == PLAIN
    assert {(row["arm"], row["policy"], row["propensity"]) for row in list_of(store, "0")} == PLAIN
    publish(night, fresh=True)
    assert difference(night.store, DAY, f"{DAY}.2")["users_unchanged"] == 5
    assert len(Export.latest(store).table("topk_delta")) == 0  # who read the one has the other


def test_a_new_export_must_say_how_its_rows_came_there(night: Night) -> None:
    publish(night, fresh=True)
    path = next((night.store.export(f"{DAY}.2") / "topk").iterdir())
    assert set(origins_of(pq.read_table(path))) == PLAIN
    assert all(not field.nullable for field in pq.read_schema(path) if field.name in ADDED)


def test_between_nights_lists_of_an_earlier_release_get_what_is_known_of_them(night: Night) -> None:
    now = pa.table({"item_id": [f"i{n}" for n in range(8)], "there": [n != 6 for n in range(8)]})
    refilter(night.store, now, ExportSettings(), complete=True, max_gone_share=0.5, name="now.csv")
    assert Export.latest(night.store.root).manifest["export_id"] == f"{DAY}.2"
    assert set(origins_of(Export.latest(night.store.root).table())) == PLAIN
    assert "keep the contract" in verified(night.store.root, None).sentence
