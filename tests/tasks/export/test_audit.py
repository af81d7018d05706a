"""The audit counts on the files what breaks the contract, and refuses it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from expectations.errors import ExportRefused
from recmodels.data.arrays import Csr, empty_matrix
from recmodels.data.dataset import Dataset
from tasks.export.audit import _Users, audit, profile_of
from tasks.store.paths import Night
from tests.tasks.publishing import K, prepare_night, rewrite, written


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return prepare_night(tmp_path)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Night, Path, dict[str, Any]]:
    """A night, the tables of its export, which keep the contract, and what is counted on them."""
    night = prepare_night(tmp_path_factory.mktemp("night"))
    out = written(night)
    audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)
    return night, out, checked(night, out)


def checked(night: Night, out: Path) -> dict[str, Any]:
    return profile_of(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


def test_what_is_not_due_counts_as_seen_is(good: tuple[Night, Path, dict[str, Any]]) -> None:
    night, out, counts = good
    data = Dataset.load(night.features, "full")

    def counted(resting: Csr) -> dict[str, Any]:
        return profile_of(out, night.features, replace(data, resting=resting), K, repeats="due")

    assert counted(data.seen) == counts
    assert counted(empty_matrix(*data.seen.shape)) == profile_of(out, night.features, data, K, repeats=True)
    listed = pq.read_table(out / "topk")
    ids = pq.read_table(night.prepared / "items.parquet")["item_id"].to_pylist()
    users = pq.read_table(night.prepared / "users.parquet")["user_id"].to_pylist()
    pair = users.index(listed["user_id"][0].as_py()), ids.index(listed["item_id"][0].as_py())
    one = sparse.csr_array((np.ones(1, np.float32), ([pair[0]], [pair[1]])), shape=data.seen.shape)
    assert counted(one)["items_seen"] == 1


@pytest.mark.parametrize(
    ("count", "change"),
    [
        ("users_listed", lambda f: f[f["user_id"] != 7]),
        ("rows", lambda f: f.iloc[:-1]),
        ("duplicate_items", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, f["item_id"][0]))),
        ("rank_gaps", lambda f: f.assign(rank=f["rank"].where(f.index != 1, 3))),
        ("scores_not_finite", lambda f: f.assign(score=f["score"].where(f.index != 2, np.nan))),
        ("scores_increasing", lambda f: f.assign(score=f["score"].where(f.index != 1, 99.0))),
        ("items_unknown", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, "?"))),
        ("users_unknown", lambda f: f.assign(user_id=f["user_id"].where(f["user_id"] != 7, 8))),
        ("items_unavailable", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, "i5"))),
        ("items_seen", lambda f: f.assign(item_id=f["item_id"].where(f.index != 1, "i1"))),
        ("reasons_not_seen", lambda f: f.assign(reason_item_id="i7")),
        ("reasons_not_seen", lambda f: f.assign(reason_item_id="?")),
        ("origins_unnamed", lambda f: f.assign(policy=f["policy"].where(f.index != 1))),
        ("origins_unnamed", lambda f: f.assign(arm=f["arm"].cat.rename_categories([""]))),
        ("arms_mixed", lambda f: f.assign(arm=pd.Categorical(["main", *["b"] * (len(f) - 1)], ["main", "b"]))),
        ("propensities_wrong", lambda f: f.assign(propensity=f["propensity"].where(f.index != 1, 0))),
        ("propensities_wrong", lambda f: f.assign(propensity=f["propensity"].where(f.index != 1, 1.01))),
        ("propensities_wrong", lambda f: f.assign(propensity=f["propensity"].where(f.index != 1))),
    ],
)
@pytest.mark.slow
def test_the_audit_counts_and_refuses_what_breaks_the_contract(
    good: tuple[Night, Path, dict[str, Any]], tmp_path: Path, count: str, change: Any
) -> None:
    night, kept, before = good
    out = shutil.copytree(kept, tmp_path / "out")
    rewrite(out, change)
    assert checked(night, out)[count] != before[count]
    with pytest.raises(ExportRefused):
        audit(out, night.features, Dataset.load(night.features, "full"), K, repeats=False)


def test_whose_list_is_of_the_fallback_in_part_is_not_cold(
    good: tuple[Night, Path, dict[str, Any]], tmp_path: Path
) -> None:
    night, kept, before = good
    out = shutil.copytree(kept, tmp_path / "out")
    rewrite(out, lambda f: f.assign(source=f["source"].where(f["rank"] != 1, "cold")))  # as a new item can be first
    assert checked(night, out)["cold_users"] == before["cold_users"] == 1


def test_the_audit_does_not_depend_on_where_files_and_batches_end(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = written(night)
    whole = checked(night, out)
    path = out / "topk" / "part-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 7), path)
    pq.write_table(table.slice(7), path.with_name("part-00001.parquet"))
    for rows in (1, 2, 5, 1000):
        monkeypatch.setattr("tasks.export.audit_items.ROWS_AT_ONCE", rows)
        assert checked(night, out) == whole


def test_users_and_items_beyond_two_thousand_millions_of_pairs_are_told_apart() -> None:
    """By keys that are products of indices, also where some users' lists are audited by themselves."""
    users = _Users(pa.array(["a", "b", "c", "d"]), np.array([1, 3], np.int32))
    found = users.indices(pa.chunked_array([["d", "c", "b"]]))
    assert found.tolist() == [3, -1, 1]
    assert (found * 2**31).tolist() == [3 * 2**31, -(2**31), 2**31]
    assert users.has_list(4).tolist() == [False, True, False, True]
