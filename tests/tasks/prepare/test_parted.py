"""The prepared tables are the same, to the byte, whether an engine makes them in buckets or this process does."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.engine.local import LocalEngine
from tasks.prepare import parted, tables
from tasks.prepare.settings import PrepareSettings
from tests.tasks.prepare.test_ranges import EVENT, RULES, made
from tests.tasks.site import events, write_valid_tables


@settings(max_examples=6)
@given(
    log=st.lists(EVENT, min_size=20, max_size=60),
    rules=RULES,
    rows=st.sampled_from([9, 25]),
    measured=st.sampled_from([2, 100]),
    texts=st.booleans(),
)
@pytest.mark.slow
def test_buckets_give_the_same_bytes(
    log: list[Any], rules: PrepareSettings, rows: int, measured: int, *, texts: bool
) -> None:
    name = (lambda number: f"id {number}") if texts else (lambda number: (number - 3) * 10**11)
    table = events(
        [(name(user), item, day) for user, item, day, _, _ in log],
        rating=pa.array([row[3] for row in log], pa.float64()),
        event=pa.array([row[4] for row in log], pa.string()),
    )
    users = pa.table({"user_id": [name(1), name(3), name(11)], "opted_out": [True, None, False]})
    rules = rules.model_copy(update={"holdout_max_users": measured})
    with TemporaryDirectory() as name_of_folder, pytest.MonkeyPatch.context() as patch:
        folder = Path(name_of_folder)
        patch.setattr(tables, "ROWS_A_GROUP", 5)
        patch.setattr(parted, "ROWS_A_BUCKET", rows)
        patch.setattr(parted, "GROUPS_A_BUCKET", 2)
        valid = write_valid_tables(folder / "valid", users=users)
        (valid / "interactions").mkdir()
        for number, begin in enumerate(range(0, len(log), 7)):
            part = table.slice(begin, 7)
            part = part if number else part.drop_columns(["rating"])  # a column may begin later
            pq.write_table(part, valid / "interactions" / f"part-{number:05}.parquet")
        assert made(valid, rules, on_engine=folder / "parts") == made(valid, rules, 1)


@pytest.mark.slow
def test_what_was_finished_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = events([(user, item, 30 - user - item) for user in range(6) for item in range(4)])
    valid = write_valid_tables(tmp_path / "valid", interactions=log)
    rules = PrepareSettings(min_user_interactions=1, holdout="last")
    monkeypatch.setattr(parted, "ROWS_A_BUCKET", 8)
    first = made(valid, rules, on_engine=tmp_path / "parts")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").rglob("part.json")}
    assert len([path for path in before if "last-0" in path.parts]) == 3  # ranges of users
    assert made(valid, rules, on_engine=tmp_path / "parts") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").rglob("part.json")} == before
    write_valid_tables(tmp_path / "valid", interactions=log, items=pa.table({"item_id": [-7, 1]}))
    assert made(valid, rules, on_engine=tmp_path / "parts") == made(valid, rules)  # all items have other numbers now


def test_rows_stay_where_they_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that has the rows comes to the process of the night, but for the tables."""
    log = events([(user, item, 30 - user - item) for user in range(6) for item in range(4)])
    valid = write_valid_tables(tmp_path / "valid", interactions=log)
    fetched: dict[str, bool] = {}
    do = LocalEngine.map

    def noted(self: LocalEngine, function: Any, *more: Any, fetch: bool = True, **options: Any) -> list[Path]:
        fetched[function.__name__] = fetch
        return do(self, function, *more, fetch=fetch, **options)

    monkeypatch.setattr(LocalEngine, "map", noted)
    made(valid, PrepareSettings(holdout="days", holdout_days=20), on_engine=tmp_path / "parts")
    assert fetched["spill"] is False and fetched["split"] is False
