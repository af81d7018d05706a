"""The prepared tables are the same, to the byte, whatever the number of ranges of users."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.errors import DataRefused
from tasks.prepare import tables
from tasks.prepare.settings import PrepareSettings
from tasks.prepare.stage import write_prepared
from tests.tasks.prepared import LOOSE
from tests.tasks.site import CUTOFF, events, write_valid_tables

EVENT = st.tuples(
    st.integers(0, 9),
    st.integers(0, 5),
    st.sampled_from([0.5, 3, 3, 8, 20, 40]),  # many at once
    st.sampled_from([None, 1.0, 4.0]),
    st.sampled_from([None, "view", "buy", "skip"]),
)
RULES = st.builds(
    PrepareSettings,
    holdout=st.sampled_from(["auto", "days", "last", "random", "user-fold"]),
    holdout_items=st.integers(1, 2),
    holdout_share=st.sampled_from([0.2, 0.5]),
    holdout_min_users=st.sampled_from([1, 4, 200]),
    duplicates=st.sampled_from(["max", "sum", "last"]),
    min_rating=st.sampled_from([None, 2.0]),
    event_weights=st.sampled_from([{}, {"buy": 5.1, "skip": 0.0}]),
    min_user_interactions=st.integers(1, 3),
    min_item_interactions=st.integers(1, 2),
)


def made(
    valid: Path, rules: PrepareSettings, n_ranges: int = 0, on_engine: Path | None = None
) -> tuple[Any, dict[str, bytes]]:
    """What is said of the tables, or why there are none; and the bytes of each."""
    with TemporaryDirectory() as out:
        try:
            summary = write_prepared(valid, rules, CUTOFF, Path(out), n_ranges=n_ranges, on_engine=on_engine)
        except DataRefused as error:
            return str(error), {}
        files = {str(path.relative_to(out)): path.read_bytes() for path in Path(out).rglob("*") if path.is_file()}
        return {name: value for name, value in summary.items() if name != "message"}, files


@settings(max_examples=12)
@given(log=st.lists(EVENT, min_size=20, max_size=60), rules=RULES, n_ranges=st.integers(2, 7), texts=st.booleans())
def test_any_number_of_ranges_gives_the_same_bytes(
    log: list[Any], rules: PrepareSettings, n_ranges: int, *, texts: bool
) -> None:
    name = (lambda number: f"id {number}") if texts else (lambda number: (number - 3) * 10**11)
    table = events(
        [(name(user), item, day) for user, item, day, _, _ in log],
        rating=pa.array([row[3] for row in log], pa.float64()),
        event=pa.array([row[4] for row in log], pa.string()),
    )
    users = pa.table({"user_id": [name(1), name(3), name(11)], "opted_out": [True, None, False]})
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROWS_A_GROUP", 5)
        valid = write_valid_tables(Path(folder), interactions=table, users=users)
        assert made(valid, rules, n_ranges) == made(valid, rules, 1)


def test_a_log_in_parts_is_read_as_one(tmp_path: Path) -> None:
    log = events([(user, item, 30 - user - item) for user in range(6) for item in range(4)])
    whole = write_valid_tables(tmp_path / "whole", interactions=log)
    (tmp_path / "parts" / "interactions").mkdir(parents=True)
    for n, begin in enumerate(range(0, 24, 7)):
        pq.write_table(log.slice(begin, 7), tmp_path / "parts" / "interactions" / f"part-{n:05}.parquet")
    expected = made(whole, LOOSE, 1)
    assert made(tmp_path / "parts", LOOSE, 1) == made(tmp_path / "parts", LOOSE, 3) == expected
    assert len(expected[1]) == 8


def test_a_ratings_column_that_begins_in_a_later_part_is_there_for_all(tmp_path: Path) -> None:
    log = events([(user, item, 30 - user - item) for user in range(6) for item in range(4)])
    folder = tmp_path / "interactions"
    folder.mkdir()
    pq.write_table(log.slice(0, 9), folder / "part-00000.parquet")
    rated = log.slice(9).append_column("rating", pa.array([3.0] * 15))
    pq.write_table(rated, folder / "part-00001.parquet")
    out = tmp_path / "out"
    out.mkdir()
    write_prepared(tmp_path, LOOSE, CUTOFF, out, n_ranges=3)
    ratings = pq.read_table(out / "full/interactions.parquet")["rating"].combine_chunks()
    assert [value == 3.0 for value in ratings.to_pylist()].count(True) == 15
    assert made(tmp_path, LOOSE, 1) == made(tmp_path, LOOSE, 4)


def test_what_ranges_are_kept_in_between_is_gone_after_success_and_refusal(tmp_path: Path) -> None:
    log = events([(user, item, 30 - user - item) for user in range(6) for item in range(4)])
    valid = write_valid_tables(tmp_path / "valid", interactions=log)
    for rules in (LOOSE, LOOSE.model_copy(update={"min_user_interactions": 9})):
        out = tmp_path / str(rules.min_user_interactions)
        out.mkdir()
        try:
            summary = write_prepared(valid, rules, CUTOFF, out, n_ranges=3)
            assert ", in 3 ranges of users; held out" in summary["message"]
        except DataRefused:
            assert rules is not LOOSE
        assert not [path for path in out.iterdir() if path.name.startswith(".tmp-")]
