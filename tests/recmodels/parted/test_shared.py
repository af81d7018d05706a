"""What the first training reads, others map into memory."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED, interactions_file
from recmodels.parted import shared
from recmodels.parted.shared import has_data, shared_arrays, shared_dataset
from tests.recmodels.same import assert_same


@pytest.fixture(params=["alike", "excluded and rated"])
def tables(features: Path, request: pytest.FixtureRequest) -> Path:
    """Rows that count the same; or some that are not trained on, and ratings that are not of all rows."""
    path = features / PREPARED / interactions_file("train")
    table = pq.read_table(path)
    n = np.arange(len(table))
    alike = request.param == "alike"
    weight = np.ones(len(n), np.float32) if alike else np.where(n % 7, 1 + n % 3, 0).astype(np.float32)
    table = table.set_column(table.schema.get_field_index("weight"), "weight", pa.array(weight))
    if not alike:
        rating = np.where(n % 5, n % 4, np.nan).astype(np.float32)
        table = table.drop_columns(["rating"] if "rating" in table.column_names else [])
        table = table.append_column("rating", pa.array(rating))
    pq.write_table(table, path)
    return features


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


def test_the_first_reads_and_the_others_have_the_same(
    tables: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Dataset.load(tables, "train")
    assert not has_data(folder, "train")
    first = shared_dataset(tables, "train", folder)
    assert has_data(folder, "train") and not has_data(folder, "full")
    monkeypatch.setattr(Dataset, "load", None)
    second = shared_dataset(tables, "train", folder)
    for data in (first, second):
        for field in fields(Dataset):
            assert_same(getattr(data, field.name), getattr(expected, field.name))
        assert_same(data.matrix, expected.matrix)
    assert not second.user_index.flags.writeable  # to numba others are of another type


def test_tables_that_were_written_again_are_read_again(tables: Path, folder: Path) -> None:
    before = shared_dataset(tables, "train", folder)
    path = tables / PREPARED / interactions_file("train")
    pq.write_table(pq.read_table(path).slice(0, 50), path)
    assert len(before) > len(shared_dataset(tables, "train", folder)) > 0
    os.utime(path, ns=(1, 1))
    assert shared.state_of(tables, "train") != shared.state_of(tables, "full")
    assert len(list(folder.iterdir())) == 2


def test_where_nothing_can_be_written_nothing_is_shared(
    tables: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shared, "write_arrays", full)
    with caplog.at_level("INFO"):
        assert len(shared_dataset(tables, "train", folder)) > 0
    assert list(folder.iterdir()) == [] and "No space left" in caplog.text


def test_arrays_are_made_once(folder: Path) -> None:
    made = iter([{"rows": np.array([2, -1], np.int32), "none": np.empty(0)}])
    for _ in range(2):
        found = shared_arrays(folder, "some", lambda: next(made))
        assert {name: array.tolist() for name, array in found.items()} == {"rows": [2, -1], "none": []}
