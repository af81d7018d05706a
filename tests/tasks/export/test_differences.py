"""What differs between two exports: counted here by plain sets, and the same wherever files and batches end."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError
from tasks.export.differences import difference, side_by_side
from tasks.store.paths import Store
from tests.tasks.exported import with_manifest

Lists = dict[Any, list[Any]]


def written(store: Store, export_id: str, lists: Lists, parts: int = 1, shift: float = 0.0) -> None:
    """An export with these lists, scored from 1 down by a tenth a rank, in so many files."""
    folder = store.export(export_id) / "topk"
    folder.mkdir(parents=True)
    rows = [(user, rank, item) for user in sorted(lists) for rank, item in enumerate(lists[user], 1)]
    table = pa.table(
        {
            "user_id": [row[0] for row in rows],
            "rank": pa.array([row[1] for row in rows], pa.int16()),
            "item_id": [row[2] for row in rows],
            "score": pa.array([1 + shift - row[1] / 10 for row in rows], pa.float32()),
        }
    )
    for number, piece in enumerate(np.array_split(np.arange(len(rows)), parts)):
        name = f"topk/part-{number:05d}.parquet"
        pq.write_table(table.take(piece), store.export(export_id) / name)
    with_manifest(store, export_id, k=3)


OLD: Lists = {1: [10, 11, 12], 2: [10, 11, 12], 3: [10, 13], 4: [10, 11, 12], 6: [15, 16, 17]}
NEW: Lists = {1: [10, 11, 12], 2: [11, 10, 12], 3: [10, 13, 14], 5: [10, 18, 12], 6: [10, 11, 12]}


def test_users_lists_items_and_scores_are_compared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    written(store, "2026-01-01", OLD)
    written(store, "2026-01-02", NEW, shift=0.5)
    found = difference(store, "2026-01-01", "2026-01-02")
    assert {name: found[name] for name in found if name.startswith("users")} == {
        "users_old": 5,
        "users_new": 5,
        "users_in_both": 4,
        "users_unchanged": 1,
        "users_reordered": 1,
        "users_wholly_new_lists": 1,
    }
    assert found["mean_churn"] == pytest.approx((0 + 0 + 1 / 3 + 1) / 4)
    assert found["overlap"] == [1, *[0] * 5, 1, *[0] * 3, 2]  # of user 3 two of three places are in both
    assert (found["places_changed"], found["pairs_in_both"]) == (0 + 0 + 1 + 3, 3 + 3 + 2)
    assert found["mean_score_shift"] == pytest.approx(0.5, abs=1e-6)
    assert found["mean_score_shift_size"] == pytest.approx((3 * 0.5 + 0.6 + 0.4 + 0.5 + 2 * 0.5) / 8, abs=1e-6)
    assert found["entered"] == [{"item_id": 14, "before": 0, "after": 1}, {"item_id": 18, "before": 0, "after": 1}]
    assert {row["item_id"] for row in found["left"]} == {15, 16, 17}
    assert (found["items_entered"], found["items_left"]) == (2, 3)
    assert found["moved"] == [{"item_id": n, "before": was, "after": was + 1} for n, was in ((10, 4), (12, 3))]


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.slow
def test_it_does_not_matter_where_files_and_batches_end(
    tmp_path: Path, parts: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    sides = [
        {
            f"u{user}": random.permutation(9)[: random.integers(1, 4)].tolist()
            for user in range(60)
            if random.random() < 0.8
        }
        for _ in range(2)
    ]
    store = Store(tmp_path)
    written(store, "2026-01-01", sides[0])
    written(store, "2026-01-02", sides[1], parts)
    whole = difference(store, "2026-01-01", "2026-01-02")
    monkeypatch.setattr("tasks.export.audit_items.ROWS_AT_ONCE", rows)
    found = difference(store, "2026-01-01", "2026-01-02")
    shown = {"entered", "left", "moved", "old", "new", "overlap", "arms"}
    assert found["overlap"] == whole["overlap"]
    assert {name: found[name] for name in found if name not in shown} == pytest.approx(
        {name: whole[name] for name in whole if name not in shown}
    )
    files = [sorted((store.export(name) / "topk").iterdir()) for name in ("2026-01-01", "2026-01-02")]
    pieces = list(side_by_side(*files, ["user_id", "rank", "item_id"]))
    seen: set[str] = set()
    for pair in pieces:
        users = {user for table in pair for user in table["user_id"].to_pylist()}
        assert users and not users & seen
        seen |= users
    for side, lists in enumerate(sides):
        rows_found = [row for pair in pieces for row in pair[side].to_pylist()]
        assert [row["item_id"] for row in rows_found] == [item for user in sorted(lists) for item in lists[user]]


def test_one_export_may_be_named_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    written(store, date(2026, 1, 1).isoformat(), OLD)
    found = difference(store, "2026-01-01", "2026-01-01")
    assert found["mean_churn"] == found["items_entered"] == found["mean_score_shift_size"] == 0
    assert found["users_unchanged"] == len(OLD)


def test_ids_of_different_types_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    written(store, "2026-01-01", OLD)
    written(store, "2026-01-02", {str(user): items for user, items in NEW.items()})
    with pytest.raises(ConfigError, match="of different types"):
        difference(store, "2026-01-01", "2026-01-02")
