"""Pushing only what changed leaves a copy of the lists as reading all of them does."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.published.reader import Export
from tasks.export.changed_lists import write_delta
from tasks.export.writer import Parts, coded, same_date
from tasks.store.exports import rollback
from tasks.store.files import read_json, write_json
from tasks.store.paths import Night, Store
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

Lists = dict[str, list[int]]


def written(out: Path, lists: Lists) -> None:
    rows = [(user, rank, item) for user in sorted(lists) for rank, item in enumerate(lists[user], 1)]
    n = len(rows)
    parts = Parts(out / "topk")
    parts.write(
        pa.table(
            {
                "run_date": same_date(RUN_DATE, n),
                "user_id": [row[0] for row in rows],
                "rank": pa.array([row[1] for row in rows], pa.int16()),
                "item_id": [row[2] for row in rows],
                "score": pa.array(np.random.default_rng(n).random(n), pa.float32()),
                "model": coded(np.zeros(n, np.int8), ["als"]),
                "source": coded(np.zeros(n, np.int8), ["personal", "cold", "pinned"]),
                "reason_item_id": pa.nulls(n, pa.int64()),
                "arm": coded(np.zeros(n, np.int8), ["main"]),
                "policy": coded(np.zeros(n, np.int8), ["als"]),
                "propensity": pa.array(np.ones(n), pa.float32()),
            }
        )
    )
    parts.close()


def pushed(lists: Lists, delta: list[dict[str, Any]]) -> Lists:
    """What a job that follows the page of the export makes of its copy."""
    after = {user: items for user, items in lists.items() if user not in {row["user_id"] for row in delta}}
    for row in delta:
        if row["change"] != "removed":
            after.setdefault(row["user_id"], []).append(row["item_id"])
    return after


@pytest.mark.parametrize("rows", [3, 2_000_000])
@pytest.mark.slow
def test_a_copy_that_is_kept_up_to_date_by_changes_is_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    random = np.random.default_rng(0)

    def site() -> Lists:
        return {f"u{n:03d}": random.permutation(4)[:2].tolist() for n in range(200) if random.random() < 0.9}

    monkeypatch.setattr("tasks.export.audit_items.ROWS_AT_ONCE", rows)
    store, old, new = Store(tmp_path), site(), site()
    store.export("2026-03-30").mkdir(parents=True)
    written(store.export("2026-03-30"), old)
    base = {"export_id": "2026-03-30", "files": [{"path": "topk/part-00000.parquet"}]}
    out = tmp_path / "out"
    out.mkdir()
    written(out, new)
    assert write_delta(store, base, out, RUN_DATE)
    table = pq.read_table(out / "topk_delta")
    delta = table.to_pylist()
    assert pushed(old, delta) == new
    changes = {row["user_id"]: row["change"] for row in delta}
    expected = dict.fromkeys(old.keys() - new.keys(), "removed") | dict.fromkeys(new.keys() - old.keys(), "new")
    expected |= {user: "changed" for user in old.keys() & new.keys() if old[user] != new[user]}
    assert changes == expected
    assert [(row["user_id"], row["rank"] or 0) for row in delta] == sorted(
        (r["user_id"], r["rank"] or 0) for r in delta
    )
    gone = [row for row in delta if row["change"] == "removed"]
    assert gone and all(row[name] is None for row in gone for name in ("rank", "item_id", "score", "model", "source"))


@pytest.fixture
def night(tmp_path: Path) -> Night:
    publish(prepare_night(tmp_path, date(2026, 3, 30)))
    return prepare_night(tmp_path)


def delta(night: Night) -> pa.Table:
    return Export.latest(night.store.root).table("topk_delta")


def test_topk_delta_has_what_changed_since_the_export_that_readers_have(night: Night) -> None:
    first = publish(night)
    assert first["delta_of"] == "2026-03-30"
    assert delta(night).num_rows == 0  # the same data, the same lists
    second = publish(night, k=2)
    assert second["delta_of"] == str(RUN_DATE)
    assert set(delta(night)["change"].to_pylist()) == {"changed"}
    assert delta(night).num_rows == second["rows"]
    rollback(night.store, "2026-03-30")
    assert publish(night, fresh=True)["delta_of"] == "2026-03-30"


@pytest.mark.slow
def test_where_nobody_has_a_list_twice_nothing_has_changed(night: Night) -> None:
    publish(night, active_days=0.001)
    assert set(delta(night)["change"].to_pylist()) == {"removed"}
    assert publish(night, k=2, active_days=0.001)["delta_of"] == str(RUN_DATE)
    assert delta(night).num_rows == 0


def test_the_first_export_and_one_of_an_earlier_night_have_no_topk_delta(night: Night) -> None:
    first = read_json(night.store.export_manifest("2026-03-30")) or {}
    assert first["delta_of"] is None and "topk_delta" not in first["schema"]
    older = prepare_night(night.store.root, date(2026, 3, 29))
    assert publish(older)["delta_of"] is None
    assert publish(night, delta=False)["delta_of"] is None


def test_without_the_files_of_the_export_before_there_is_no_topk_delta(night: Night) -> None:
    path = night.store.export_manifest("2026-03-30")
    about = read_json(path) or {}
    write_json(path, about | {"files": [{"path": "topk/part-00009.parquet"}]})
    assert publish(night)["delta_of"] is None
