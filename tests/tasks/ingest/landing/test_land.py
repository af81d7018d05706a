"""Tables of databases in a night: read into the store's own folder, once for a night that is fit, and accounted for."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.forgetting.person import Person
from tasks.forgetting.rest import forget_in_rest
from tasks.ingest.catalogue import items_now
from tasks.ingest.landing import landed
from tasks.ingest.landing.land import land
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.stage import ingest
from tasks.store.leftovers import leftovers
from tasks.store.manifests import manifest_of, write_manifest
from tasks.store.parts import parts
from tasks.store.paths import Night, Store
from tests.tasks.site import RUN_DATE

CUTOFF = datetime(2026, 1, 3, tzinfo=UTC)
Sql = Callable[..., None]


@pytest.fixture
def sql(tmp_path: Path) -> Sql:
    """Runs statements on the shop's database, which has two events and an item."""

    def run(*statements: str) -> None:
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    run(
        "CREATE TABLE events (user_id, item_id, timestamp)",
        "INSERT INTO events VALUES (11, 'a', '2026-01-01'), (12, 'b', '2026-01-02'), (13, 'c', '2026-01-09')",
        "CREATE TABLE items (item_id, available)",
        "INSERT INTO items VALUES ('a', 1), ('b', 0)",
    )
    return run


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Store(tmp_path / "store").night(RUN_DATE)


def inputs(tmp_path: Path, **others: TableInput) -> Inputs:
    return Inputs(interactions=TableInput(path=f"sqlite:///{tmp_path}/shop.db?table=events"), **others)


def summary(night: Night, given: Inputs, **options: Any) -> Any:
    return ingest.fn(night, given, CUTOFF, **options)["summary"]


def settle(night: Night) -> None:
    """As if the night's data had been found fit."""
    write_manifest(night.valid, manifest_of(night.raw) or {})


def test_the_account_names_the_table_and_where_its_rows_are(tmp_path: Path, sql: Sql, night: Night) -> None:
    found = summary(night, inputs(tmp_path))
    assert (found["rows"], found["after_cutoff"]) == (2, 1)
    (folder,) = filter(Path.is_dir, (night.store.landed / "interactions").iterdir())
    assert f"interactions: 3 rows of events in sqlite:///{tmp_path}/shop.db were read into {folder}" in found["notes"]
    assert [Path(file).parent for file in found["files"]] == [folder]


@pytest.mark.slow
def test_rows_are_read_again_until_the_night_is_fit_and_with_fresh(tmp_path: Path, sql: Sql, night: Night) -> None:
    given = inputs(tmp_path)
    assert summary(night, given)["rows"] == 2
    sql("INSERT INTO events VALUES (14, 'a', '2026-01-01')")
    assert summary(night, given)["rows"] == 3
    settle(night)
    sql("INSERT INTO events VALUES (15, 'a', '2026-01-01')")
    assert summary(night, given)["rows"] == 3
    assert summary(night, given, fresh=True)["rows"] == 4


def test_what_has_not_changed_leaves_the_night_as_it_is(tmp_path: Path, sql: Sql, night: Night) -> None:
    given = inputs(tmp_path)
    assert not ingest.fn(night, given, CUTOFF)["skipped"]
    assert ingest.fn(night, given, CUTOFF)["skipped"]


def test_another_table_takes_the_place_of_the_one_before(tmp_path: Path, sql: Sql, night: Night) -> None:
    root = night.store.landed
    land(inputs(tmp_path), root, CUTOFF)
    sql("CREATE VIEW others AS SELECT * FROM events")
    land(Inputs(interactions=TableInput(path=f"sqlite:///{tmp_path}/shop.db", table="others")), root, CUTOFF)
    assert [path.name[:13] for path in (root / "interactions").iterdir()] == ["sqlite-others"] * 2  # and its record


def test_a_night_does_without_exposures_that_cannot_be_read(tmp_path: Path, sql: Sql, night: Night) -> None:
    absent = TableInput(path=f"sqlite:///{tmp_path}/shop.db?table=shown")
    notes = summary(night, inputs(tmp_path, exposures=absent))["notes"]
    assert any("the night does without them" in note and "has no table shown" in note for note in notes)
    with pytest.raises(ConfigError, match=r"users: .* has no table shown"):
        summary(night, inputs(tmp_path, users=absent))


def test_a_part_with_a_forgotten_user_goes_and_all_is_read_again(tmp_path: Path, sql: Sql, night: Night) -> None:
    given, root = inputs(tmp_path), night.store.landed
    summary(night, given)
    settle(night)
    folder = landed.folder_of(root, "interactions", given.interactions)
    forget_in_rest(night.store, Person("12"))
    assert landed.known(folder) is None
    sql("DELETE FROM events WHERE user_id = 12")
    assert summary(night, given)["rows"] == 1


def test_the_catalogue_between_nights_is_read_from_its_table(tmp_path: Path, sql: Sql) -> None:
    given = TableInput(path=f"sqlite:///{tmp_path}/shop.db?table=items")
    found = items_now(given, CUTOFF, whole_numbers=False, max_refused=0)
    assert dict(zip(*found.sort_by("item_id").to_pydict().values(), strict=True)) == {"a": True, "b": False}


def test_what_a_killed_reading_has_left_is_swept(tmp_path: Path, sql: Sql, night: Night) -> None:
    land(inputs(tmp_path), night.store.landed, CUTOFF)
    (folder,) = filter(Path.is_dir, (night.store.landed / "interactions").iterdir())
    half = folder / ".tmp-part-00007"
    half.write_bytes(b"PAR1")
    assert leftovers(night.store) == [half]


def test_what_is_wrong_with_a_value_is_said_of_the_table_and_not_of_our_file(
    tmp_path: Path, sql: Sql, night: Night
) -> None:
    sql("CREATE TABLE times AS SELECT user_id, item_id, '10:00:00' AS timestamp FROM events")
    times = Inputs(interactions=TableInput(path=f"sqlite:///{tmp_path}/shop.db?table=times"))
    with pytest.raises(DataRefused) as refused:
        summary(night, times)
    said = str(refused.value)
    assert said.startswith(f"interactions: times in sqlite:///{tmp_path}/shop.db: part-00000-")
    assert "column 'timestamp', row 1: '10:00:00' is a time without a day" in said
    assert "landed" not in said


@pytest.mark.slow
def test_each_domain_is_read_into_a_folder_of_its_own(tmp_path: Path, sql: Sql, night: Night) -> None:
    """Two databases with tables of one name; a night that is fit goes on with what was read of both."""
    with closing(sqlite3.connect(tmp_path / "books.db")) as books:
        books.execute("CREATE TABLE events (user_id, item_id, timestamp)")
        books.execute("INSERT INTO events VALUES (12, 'a', '2026-01-01')")
        books.commit()
    paths = {"films": f"sqlite:///{tmp_path}/shop.db", "books": f"sqlite:///{tmp_path}/books.db"}
    given = Inputs(interactions=TableInput(domains=paths, table="events"))
    root = night.store.landed / "interactions"
    land(inputs(tmp_path), night.store.landed, CUTOFF)  # as of a site without domains

    def items() -> list[str]:
        ingest.fn(night, given, CUTOFF)
        return sorted(
            one for part in parts(night.raw, "interactions") for one in pq.read_table(part)["item_id"].to_pylist()
        )

    assert items() == ["books:a", "films:a", "films:b"]
    assert sorted(path.name for path in root.iterdir()) == ["books", "films"]
    settle(night)
    sql("INSERT INTO events VALUES (14, 'b', '2026-01-01')")
    assert items() == ["books:a", "films:a", "films:b"]
