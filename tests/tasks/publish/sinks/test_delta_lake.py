"""Delta Lake has a partition a night, each once."""

from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recmodels.published.schema import ADDED
from tasks.publish import by_nodes
from tasks.publish.sinks.delta_lake import forget
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import DeltaSettings, SinkSettings, failures
from tasks.publish.sinks.source import Published, Tally
from tasks.store.exports import rollback
from tasks.store.paths import Night
from tests.tasks.loading import TABLES, Twice, corrupting, ordered, published, succeeds
from tests.tasks.publishing import publish


def delta_rows(path: Path, table: str) -> list[dict[str, Any]]:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    return deltalake.DeltaTable(str(path / table)).to_pyarrow_table().to_pylist()  # type: ignore[no-any-return]


@pytest.mark.slow
def test_delta_has_a_partition_a_night_and_each_once(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    monkeypatch.setattr(by_nodes, "LocalEngine", Twice)  # as a cluster that writes each file twice
    path = tmp_path / "lake"
    settings = SinkSettings(delta=DeltaSettings(path=str(path)))
    succeeds(night.store, settings)
    first = {table: published(night.store, table) for table in TABLES}
    publish(night)
    for options in ({}, {"fresh": True}):  # again does not double them
        outcome = succeeds(night.store, settings, **options)
        for table in TABLES:
            expected = first[table] + published(night.store, table)
            assert ordered(delta_rows(path, table)) == ordered(expected), table
    rows = published(night.store, "topk")
    assert outcome["delta"]["tables"]["topk"]["rows"] == len(rows)
    actions = pa.table(deltalake.DeltaTable(str(path / "topk")).get_add_actions(flatten=True)).to_pylist()
    (last,) = [one for one in actions if one["partition.run_date"] == night.run_date]
    users = [row["user_id"] for row in rows]
    assert (last["num_records"], last["min.user_id"], last["max.user_id"]) == (len(rows), min(users), max(users))
    assert last["null_count.reason_item_id"] == sum(row["reason_item_id"] is None for row in rows)
    rollback(night.store)
    succeeds(night.store, settings)
    assert ordered(delta_rows(path, "topk")) == ordered(first["topk"])  # the newest night is what readers see
    rollback(night.store, str(night.run_date))
    succeeds(night.store, SinkSettings(delta=DeltaSettings(path=str(path), nights=1)))
    assert ordered(delta_rows(path, "topk")) == ordered(published(night.store, "topk"))


@pytest.mark.slow
def test_delta_rows_that_read_back_wrongly_are_taken_back(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("deltalake", reason="deltalake is not installed")
    settings = SinkSettings(delta=DeltaSettings(path=str(tmp_path / "lake")))
    succeeds(night.store, settings)
    before = {table: delta_rows(tmp_path / "lake", table) for table in TABLES}
    publish(night)
    monkeypatch.setattr(Tally, "add", corrupting(Tally.add))
    why = failures({"sinks": load(night.store, settings, task=False)})
    assert len(why) == 1 and "Read back, the table similar has other values than were sent" in why[0]
    assert {table: ordered(delta_rows(tmp_path / "lake", table)) for table in TABLES} == {
        table: ordered(rows) for table, rows in before.items()
    }


def test_a_table_of_an_earlier_release_gets_new_columns_and_keeps_its_nights(night: Night, tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    path, settings = tmp_path / "lake", SinkSettings(delta=DeltaSettings(path=str(tmp_path / "lake")))
    first = published(night.store, "topk")
    rows = Published.latest(night.store).rows("topk")
    for part in rows:
        deltalake.write_deltalake(str(path / "topk"), part.drop_columns(list(ADDED)), partition_by=["run_date"])
    publish(night)
    succeeds(night.store, settings)
    expected = [row | dict.fromkeys(ADDED) for row in first] + published(night.store, "topk")
    found = sorted(delta_rows(path, "topk"), key=itemgetter("run_date", "user_id", "rank"))
    assert found == expected


@pytest.mark.slow
def test_whoever_has_a_number_below_zero_is_forgotten_and_nobody_else(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    rows = pa.table({"user_id": pa.array([-7, 7, 8], pa.int64()), "run_date": ["2026-03-31"] * 3})
    deltalake.write_deltalake(str(tmp_path / "topk"), rows, partition_by=["run_date"])
    assert forget(DeltaSettings(path=str(tmp_path)), ["-7", "007", "\u0668"]) == 1
    assert sorted(row["user_id"] for row in delta_rows(tmp_path, "topk")) == [7, 8]
