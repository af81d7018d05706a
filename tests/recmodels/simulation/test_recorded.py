from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.simulation import recorded
from recmodels.simulation.recorded import runs_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs of two nights with three users; the second user has come by the second night only."""
    nights = {"run": [0, 0, 1, 1], "night": [0, 1, 0, 1], "total_utility": [3.0, 6.0, 4.0, 8.0], "of_later": [0.0] * 4}
    pq.write_table(pa.table(nights | {"dead_items": [np.nan, 0.5, np.nan, 0.25]}), tmp_path / "nights.parquet")
    users = {
        "run": [0, 0, 0, 0, 0, 1], "night": [0, 0, 1, 1, 1, 0], "user": [0, 2, 0, 1, 2, 0],
        "total_utility": [1.0, 2.0, 1.0, 2.0, 3.0, 4.0], "accuracy": [0.5, np.nan, 0.25, 1.0, np.nan, 0.0],
    }  # fmt: skip
    schema = {name: pa.float32() if isinstance(values[0], float) else pa.int32() for name, values in users.items()}
    pq.write_table(pa.table(users, pa.schema(schema.items())), tmp_path / "users.parquet")
    return tmp_path


def test_runs_are_read_as_they_were_measured(folder: Path) -> None:
    first, second = runs_of(folder, 3)
    assert first.figures["total_utility"].tolist() == [3, 6] and second.figures["total_utility"].tolist() == [4, 8]
    assert np.array_equal(first.figures["dead_items"], [np.nan, 0.5], equal_nan=True)
    assert "of_later" not in first.figures  # of another release
    nan = np.nan
    assert np.array_equal(first.by_user["total_utility"], [[1, nan, 2], [1, 2, 3]], equal_nan=True)
    assert np.array_equal(first.by_user["accuracy"], [[0.5, nan, nan], [0.25, 1, nan]], equal_nan=True)
    assert np.array_equal(second.by_user["accuracy"], [[0, nan, nan], [nan, nan, nan]], equal_nan=True)


def test_some_of_many_users_stand_for_all_of_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MOST", 2)
    runs = {seed: runs_of(folder, 3, seed)[0] for seed in range(8)}
    assert all(run.users == 2 for run in runs.values())
    totals = [tuple(run.by_user["total_utility"][1] / 1.5) for run in runs.values()]  # each stands for one and a half
    assert set(totals) == {(1, 2), (1, 3), (2, 3)}
    assert {value for run in runs.values() for value in run.by_user["accuracy"][0]} >= {0.5}  # no total
