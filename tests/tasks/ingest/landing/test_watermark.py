"""A table that grows: only what is new is read, nothing twice and nothing missed; late rows within the overlap."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing import landed, opening
from tasks.ingest.landing.databases import duckdb_file
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading.inputs import Inputs, TableInput

CUTOFF = datetime(2026, 6, 1, tzinfo=UTC)
START = datetime(2026, 1, 1)


@pytest.fixture(scope="module")
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture(autouse=True)
def _opened(_database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables are in one database in memory, instead of a file each: opening one is what takes long."""
    monkeypatch.setattr(Shop, "database", _database, raising=False)
    opener = nullcontext(duckdb_file._DuckDB(_database, Path()))
    monkeypatch.setattr(opening, "opener", lambda _: lambda _: opener)


class Shop:
    """A DuckDB database with a table of events, and what is landed of it."""

    database: duckdb.DuckDBPyConnection
    numbers = count()

    def __init__(self, folder: Path, kind: str = "TIMESTAMP", **settings: Any) -> None:
        self.folder, self.name = folder, f"events_{next(self.numbers)}"
        self.table = TableInput(path="duckdb:///shop.duckdb", table=self.name, **({"watermark": "written"} | settings))
        self.waiting: list[str] = [
            f"CREATE TABLE {self.name} (user_id BIGINT, item_id BIGINT, timestamp TIMESTAMP, written {kind})"
        ]

    def run(self) -> None:
        """Carry out what is waiting."""
        self.database.execute(";".join(self.waiting))
        self.waiting = []

    def add(self, user: int, hours: float, at: float | None = None) -> None:
        """An event that was written some hours after the beginning of the year, and happened then or at `at`."""
        happened = START + timedelta(hours=hours if at is None else at)
        written = START + timedelta(hours=hours)
        self.waiting.append(f"INSERT INTO {self.name} VALUES ({user}, 1, '{happened}', '{written}')")

    def land(self, cutoff: datetime = CUTOFF, **options: Any) -> list[int]:
        """The users of the rows that are there once a night has read the table."""
        self.run()
        files, _ = land_table("interactions", self.table, self.folder / "landed", cutoff, **options)
        assert all(path.name in self.state.files for path in Path(files.path).glob("*.parquet"))
        return sorted(pq.read_table(files.path)["user_id"].to_pylist())

    @property
    def state(self) -> landed.Landed:
        found = landed.known(landed.folder_of(self.folder / "landed", "interactions", self.table))
        assert found is not None
        return found


def test_a_second_night_reads_what_is_new_and_leaves_what_it_had(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for user in range(5):
        shop.add(user, user)
    assert shop.land() == [0, 1, 2, 3, 4]
    first = shop.state
    assert (first.new, first.mark, first.for_good) == (5, "2026-01-01T03:00:00", 1)
    shop.add(5, 5)
    assert shop.land() == [0, 1, 2, 3, 4, 5]
    assert shop.state.new == 3  # the overlap's, and the new one
    assert shop.state.files[0] == first.files[0]
    assert [path.partition("-")[0] for path in shop.state.files] == ["part", "part", "recent"]


def test_rows_that_come_late_within_the_overlap_are_read_and_others_with_fresh(tmp_path: Path) -> None:
    shop = Shop(tmp_path, overlap_hours=2)
    shop.add(1, 0)
    shop.add(2, 10)
    shop.land()
    shop.add(3, 9)
    shop.add(4, 7)
    assert shop.land() == [1, 2, 3]
    assert shop.land(fresh=True) == [1, 2, 3, 4]


def test_rows_at_the_mark_itself_are_never_lost_or_doubled(tmp_path: Path) -> None:
    shop = Shop(tmp_path, overlap_hours=0)
    shop.add(1, 1)
    shop.land()
    shop.add(2, 1)
    assert shop.land() == [1, 2]
    assert shop.land() == [1, 2]


def test_what_is_written_before_but_happens_after_the_cutoff_is_there_for_later_nights(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add(1, 0, at=24 * 200)
    shop.add(2, 100)
    assert shop.land() == [1, 2]
    (tmp_path / "other").mkdir()
    shop = Shop(tmp_path / "other", watermark="timestamp")
    shop.add(1, 24 * 200)
    shop.add(2, 100)
    assert shop.land() == [2]  # by the timestamps themselves it is left in the database
    assert shop.land(cutoff=CUTOFF + timedelta(days=100)) == [1, 2]
    assert shop.land(cutoff=CUTOFF) == [2]
    assert shop.land(cutoff=CUTOFF + timedelta(days=100)) == [1, 2]


def test_a_row_of_the_future_does_not_hide_those_that_come(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add(1, 24 * 365 * 100)
    shop.land()
    soon = datetime.now(UTC).replace(tzinfo=None) - START
    shop.add(2, soon / timedelta(hours=1))
    assert shop.land() == [1, 2]


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMPTZ"])
def test_days_and_instants_are_watermarks_too(tmp_path: Path, kind: str) -> None:
    shop = Shop(tmp_path, kind)
    for user, day in enumerate((0, 1, 2, 2)):
        shop.add(user, 24 * day)
    assert shop.land() == [0, 1, 2, 3]
    shop.add(4, 24 * 2)
    assert shop.land() == [0, 1, 2, 3, 4]
    assert 1 <= shop.state.for_good < len(shop.state.files)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(nights=st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=4))
@pytest.mark.slow
def test_any_nights_have_read_each_row_once(tmp_path_factory: pytest.TempPathFactory, nights: list[list[int]]) -> None:
    shop, hour, users = Shop(tmp_path_factory.mktemp("shop"), overlap_hours=3), 10, 0
    for late in [[0], *nights]:
        for hours in late:
            shop.add(users, hour - hours)
            users += 1
        assert shop.land() == list(range(users))
        hour += 1 if late else 0


def test_a_watermark_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add(1, 1)
    for column, sentence in (("user_id", "is no date or time in the database"), ("nope", "has no column 'nope'")):
        shop.table = shop.table.model_copy(update={"watermark": column})
        with pytest.raises(ConfigError, match=sentence):
            shop.land()
    shop.waiting.append(f"INSERT INTO {shop.name} VALUES (2, 1, '2026-01-01', NULL)")
    shop.table = shop.table.model_copy(update={"watermark": "written"})
    with pytest.raises(DataRefused, match="the watermark 'written' is missing in some rows"):
        shop.land()
    with pytest.raises(ValidationError, match="leave that of items out"):
        Inputs(interactions=shop.table, items=shop.table)
