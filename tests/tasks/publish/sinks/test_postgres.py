"""PostgreSQL, on a real server: the tables hold the current lists, and keep them where new ones do not arrive."""

from types import SimpleNamespace
from typing import Any

import pytest
from pyarrow import csv

from recmodels.engine.current import using
from recmodels.published.schema import ADDED
from tasks.publish.sinks import postgres_tables
from tasks.publish.sinks.load import load
from tasks.publish.sinks.settings import PostgresSettings, SinkSettings, failures
from tasks.publish.sinks.source import Tally
from tasks.store.exports import rollback
from tasks.store.paths import Night
from tests.tasks.loading import FIRST, TABLES, Twice, corrupting, ordered, published, succeeds
from tests.tasks.publishing import as_by_0_1, publish
from tests.tasks.site import RUN_DATE

POSTGRES = SinkSettings(postgres=PostgresSettings(dsn_env="SHOP_DSN", table="lists"))


def postgres_rows(connection: Any, name: str) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(f"SELECT * FROM {name}").fetchall()
        return rows


def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Scores as float32 prints them, which is how PostgreSQL gives a real."""
    import numpy as np

    return [row | {"score": str(np.float32(row["score"]))} for row in rows]


def test_postgres_holds_the_current_lists(night: Night, postgres: Any) -> None:
    succeeds(night.store, POSTGRES)
    publish(night)
    names = dict(zip(TABLES, ("lists", "lists_similar", "lists_popular"), strict=True))
    for options in ({}, {}, {"fresh": True}):
        succeeds(night.store, POSTGRES, **options)
        for table, name in names.items():
            expected = rounded(published(night.store, table))
            assert ordered(rounded(postgres_rows(postgres, name))) == ordered(expected)
    rollback(night.store)
    succeeds(night.store, POSTGRES)
    assert {row["run_date"] for row in postgres_rows(postgres, "lists")} == {FIRST}
    publish(night, similar=0)  # a table that is published no more has nothing that is outdated
    succeeds(night.store, POSTGRES)
    assert postgres_rows(postgres, "lists_popular") and not postgres_rows(postgres, "lists_similar")


def test_a_view_and_a_right_to_read_outlive_the_swap(night: Night, postgres: Any) -> None:
    succeeds(night.store, POSTGRES)
    postgres.execute("CREATE VIEW best AS SELECT * FROM lists WHERE rank = 1; GRANT SELECT ON lists TO pg_monitor")
    publish(night)
    succeeds(night.store, POSTGRES)
    assert {row["run_date"] for row in postgres_rows(postgres, "best")} == {RUN_DATE}
    assert postgres.execute("SELECT has_table_privilege('pg_monitor', 'lists', 'SELECT')").fetchone() == (True,)
    found = postgres.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'lists%' AND relkind = 'r'").fetchone()
    assert found == (3,)  # nothing is left lying about


def test_names_may_be_words_of_sql(night: Night, postgres: Any) -> None:
    postgres.execute('CREATE SCHEMA "order"')
    settings = SinkSettings(postgres=PostgresSettings(dsn_env="SHOP_DSN", table="order.user"))
    succeeds(night.store, settings)
    publish(night)
    succeeds(night.store, settings)
    assert {row["run_date"] for row in postgres_rows(postgres, '"order"."user"')} == {RUN_DATE}
    postgres.execute('DROP SCHEMA "order" CASCADE')


def test_postgres_keeps_the_old_lists_when_the_new_ones_do_not_arrive(
    night: Night, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeeds(night.store, POSTGRES)
    before = postgres_rows(postgres, "lists")
    publish(night)
    with monkeypatch.context() as patch:
        patch.setattr(Tally, "add", corrupting(Tally.add))
        assert "other values than were sent" in failures({"sinks": load(night.store, POSTGRES, task=False)})[0]
    assert postgres_rows(postgres, "lists") == before
    assert postgres.execute("SELECT to_regclass('lists_next'), to_regclass('lists_next_files')").fetchone() == (
        None,
        None,
    )
    succeeds(night.store, POSTGRES)


def test_a_table_of_somebody_else_is_left_alone(night: Night, postgres: Any) -> None:
    postgres.execute("CREATE TABLE lists (id int); INSERT INTO lists VALUES (1)")
    assert "lists is not a table of this sink" in failures({"sinks": load(night.store, POSTGRES, task=False)})[0]
    assert postgres_rows(postgres, "lists") == [{"id": 1}]


def test_a_table_of_an_earlier_release_gets_new_columns(night: Night, postgres: Any) -> None:
    as_by_0_1(night.store, str(FIRST))
    succeeds(night.store, POSTGRES)  # as rows of the earlier release are loaded today
    for column in ADDED:
        postgres.execute(f"ALTER TABLE lists DROP COLUMN {column}")
    postgres.execute("CREATE VIEW best AS SELECT * FROM lists WHERE rank = 1")
    publish(night)
    succeeds(night.store, POSTGRES)
    assert ordered(rounded(postgres_rows(postgres, "lists"))) == ordered(rounded(published(night.store, "topk")))
    rollback(night.store)
    succeeds(night.store, POSTGRES)
    rows = postgres_rows(postgres, "lists")
    assert {(row["run_date"], row["arm"], row["policy"], row["propensity"]) for row in rows} == {
        (FIRST, "main", "item_knn", 1.0)
    }
    assert {row["run_date"] for row in postgres_rows(postgres, "best")} == {FIRST}


def test_files_that_nodes_copy_twice_or_half_are_there_once(
    night: Night, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {
        name: ordered(rounded(published(night.store, table)))
        for table, name in zip(TABLES, ("lists", "lists_similar", "lists_popular"), strict=True)
    }
    with using(Twice()):
        succeeds(night.store, POSTGRES)
    assert {name: ordered(rounded(postgres_rows(postgres, name))) for name in expected} == expected
    written = iter(range(100))

    def breaks_once(*given: Any) -> None:
        csv.write_csv(*given)
        if next(written) == 1:  # of the second file, which is half sent then
            raise ConnectionError

    monkeypatch.setattr(postgres_tables, "csv", SimpleNamespace(**vars(csv) | {"write_csv": breaks_once}))
    with using(Twice()):
        succeeds(night.store, POSTGRES, fresh=True)
    assert {name: ordered(rounded(postgres_rows(postgres, name))) for name in expected} == expected
    assert next(written) > 3  # this machine went on where the nodes were
    found = postgres.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'lists%' AND relkind = 'r'").fetchone()
    assert found == (3,)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("postgresql://shop:wrong-secret@127.0.0.1:{port}/postgres", "does not answer, or lets nobody in"),
        ("postgresql://shop:a-secret@127.0.0.1:9/postgres", "does not answer"),
        (None, "The environment variable SHOP_DSN, which is to hold the address, is not set"),
    ],
)
def test_the_message_about_a_wrong_address_does_not_show_it(
    night: Night, dsn: str, monkeypatch: pytest.MonkeyPatch, address: str | None, why: str
) -> None:
    monkeypatch.delenv("SHOP_DSN", raising=False)
    if address:
        monkeypatch.setenv("SHOP_DSN", address.format(port=dsn.partition("@127.0.0.1:")[2].partition("/")[0]))
    (why_not,) = failures({"sinks": load(night.store, POSTGRES, task=False)})
    assert why in why_not and "secret" not in why_not and "`nightrec sink`" in why_not
