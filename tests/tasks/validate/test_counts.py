"""Counts that are brought up to date are those of all rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.store.duckdb import connect
from tasks.validate.counts import Earlier, Spread, count, counts, spread, write

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _part(folder: Path, name: str, rows: list[tuple[str, int]]) -> Path:
    users, items = ([row[place] for row in rows] for place in (0, 1))
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table({"user_id": users, "item_id": pa.array(items, pa.int64())}), path)
    return path


def test_only_what_came_and_went_is_counted_again(tmp_path: Path) -> None:
    stayed = _part(tmp_path, "stayed", [("a", 1), ("a", 2), ("b", 1)])
    went = _part(tmp_path, "went", [("b", 1), ("c", 3)])
    came = [_part(tmp_path, "came", [("d", 2)]), _part(tmp_path, "more", [("a", 4)])]
    kept = tmp_path / "kept"
    kept.mkdir()
    with connect(tmp_path) as db:
        count(db, [stayed, went], None)
        write(counts(db), kept)
        assert db.sql("FROM by_user ORDER BY user_id").fetchall() == [("a", 2), ("b", 2), ("c", 1)]
    stayed.unlink()
    with connect(tmp_path) as db:
        count(db, [stayed, *came], Earlier(kept, came, [went]))
        assert db.sql("FROM by_user ORDER BY user_id").fetchall() == [("a", 3), ("b", 1), ("d", 1)]
        assert db.sql("FROM by_item ORDER BY item_id").fetchall() == [(1, 2), (2, 2), (4, 1)]


def test_what_is_kept_does_not_depend_on_threads(tmp_path: Path) -> None:
    users = [f"u{number * 7919 % 5003}" for number in range(20_000)]
    part = _part(tmp_path, "part", [(user, 1) for user in users])
    with connect(tmp_path) as db:
        count(db, [part], None)
        found = counts(db)["by_user.parquet"]["user_id"].to_pylist()
    assert found == sorted(set(users))


@pytest.mark.parametrize("rated", [True, False])
def test_files_say_when_their_rows_were_and_how_many_have_a_rating(tmp_path: Path, rated: bool) -> None:
    paths = []
    for number, hours in enumerate([[3, 1], [], [2]]):
        times = pa.array([NOON + timedelta(hours=hour) for hour in hours], pa.timestamp("us", "UTC"))
        ratings = {"rating": pa.array([5.0, None][: len(hours)], pa.float64())} if rated else {}
        paths.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.table({"timestamp": times} | ratings), paths[-1])
    assert spread(paths) == Spread(NOON + timedelta(hours=1), NOON + timedelta(hours=3), 2 * rated)
    assert spread(paths[1:2]) == Spread()
