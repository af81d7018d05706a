"""PostgreSQL, on a real server: types, rows before the cutoff, rights, and a sentence for what it refuses."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing.databases.database import Refused
from tasks.ingest.landing.databases.postgresql import opened
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading.inputs import TableInput
from tests.tasks import servers

pytestmark = pytest.mark.server
CUTOFF = datetime(2026, 1, 3, tzinfo=UTC)
COLUMNS: dict[str, str | list[str]] = {"user_id": "customer", "item_id": "sku", "timestamp": "at"}
OTHERS = ", sku, at FROM shop.events"
TABLES = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.events AS SELECT g::bigint AS customer, 'i' || g AS sku, (g % 5)::numeric(3, 1) AS rating,
        timestamptz '2026-01-01 00:00:00+00' + g * interval '1 day' AS at, 'unneeded' AS note
        FROM generate_series(0, 3) g;
    INSERT INTO shop.events VALUES (9, 'i9', 1, NULL, '');
    CREATE TABLE shop.odd AS SELECT gen_random_uuid() AS item_id, '{"a": 1}'::jsonb AS json, 7::numeric(9) AS whole,
        ARRAY['a', 'b'] AS tags, date '2026-01-01' AS day, inet '10.0.0.1' AS inet, interval '1 day' AS lasts,
        'a'::char(3) AS padded, date '-infinity' AS ever;
    CREATE TABLE shop.large (user_id numeric, item_id numeric(20), timestamp timestamp);
    INSERT INTO shop.large VALUES (7.00, 12345678901234567890, '-infinity'), (9007199254740993, 1, '2026-01-01');
    CREATE FUNCTION shop.writes() RETURNS int LANGUAGE sql AS 'DELETE FROM shop.large RETURNING 1';
    CREATE TABLE shop.secret (customer int, sku text, at timestamptz);
    CREATE ROLE reader LOGIN PASSWORD 'reader''s own'; GRANT USAGE ON SCHEMA shop TO reader;
    GRANT SELECT ON shop.events, shop.odd, shop.large TO reader;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The place of a server with tables of a shop, and a user `reader` who may read most of them."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    pytest.importorskip("adbc_driver_postgresql", reason="adbc-driver-postgresql is not installed")
    with servers.postgres() as address:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(TABLES)
        yield address.rpartition("@")[2]


@pytest.fixture
def shop(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address for the reader, whose password is in the environment."""
    monkeypatch.setenv("PGPASSWORD", "reader's own")
    monkeypatch.setenv("SHOP_PASSWORD", "reader's own")
    return f"postgresql://reader@{server}"


def rows(folder: Path, name: str, address: str, **settings: Any) -> pa.Table:
    """A table as it is landed."""
    files, _ = land_table(name, TableInput(path=address, **settings), folder, CUTOFF)
    return pq.read_table(files.path)


def test_the_needed_columns_of_rows_before_the_cutoff_are_read(tmp_path: Path, shop: str) -> None:
    found = rows(tmp_path, "interactions", f"{shop}?table=shop.events", columns=COLUMNS)
    assert found.schema.names == ["customer", "sku", "rating", "at"]
    assert found.schema.types == [pa.int64(), pa.string(), pa.float64(), pa.timestamp("us", "UTC")]
    assert found["customer"].to_pylist() == [0, 1, 9]  # the one without a time, too: it is for the quarantine
    with_variable = f"{shop.replace('reader@', 'reader:${SHOP_PASSWORD}@')}?table=shop.events"
    assert rows(tmp_path, "interactions", with_variable, columns=COLUMNS).equals(found)


def test_a_query_is_read_as_a_table_is(tmp_path: Path, shop: str) -> None:
    sql = "SELECT customer, sku, at FROM shop.events WHERE customer > 0 ORDER BY customer DESC; "
    assert rows(tmp_path, "interactions", shop, query=sql, columns=COLUMNS)["customer"].to_pylist() == [9, 1]


def test_types_that_arrow_lacks_are_text_and_exact_numbers_are_numbers(tmp_path: Path, shop: str) -> None:
    found = rows(tmp_path, "items", f"{shop}?table=shop.odd")
    assert [str(kind).replace("element", "item") for kind in found.schema.types] == [
        *("string", "string", "int64", "list<item: string>", "date32[day]", "string", "string", "string", "date32[day]")
    ]
    row = found.to_pylist()[0]
    assert len(row["item_id"]) == 36
    assert (row["json"], row["whole"], row["tags"], row["inet"]) == ('{"a": 1}', 7, ["a", "b"], "10.0.0.1/32")
    assert (row["lasts"], row["padded"], row["ever"]) == ("1 day", "a", None)


def test_ids_keep_all_their_digits_and_times_without_end_are_missing(tmp_path: Path, shop: str) -> None:
    found = rows(tmp_path, "interactions", f"{shop}?table=shop.large")
    assert found.schema.types[:2] == [pa.decimal128(38, 0)] * 2
    assert [[int(value.as_py()) for value in column] for column in found.columns[:2]] == [
        [7, 2**53 + 1],
        [12345678901234567890, 1],
    ]
    assert found["timestamp"].to_pylist() == [None, datetime(2026, 1, 1)]


@pytest.mark.parametrize(
    ("address", "table", "error", "sentence"),
    [
        ("{shop}", {"table": "shop.nope"}, ConfigError, r"has no table shop.nope .*; there are shop\.events, shop\.l"),
        ("{shop}", {"query": "SELECT 1 FROM nope"}, ConfigError, "the query names a table that is not there"),
        ("{shop}", {"query": "SELECT sku FROM shop.events"}, DataRefused, "has no column 'customer' .*columns are sku"),
        ("{shop}", {"query": "SELECT 1 AS x, 2 AS x"}, ConfigError, "the query gives two columns the name 'x'"),
        ("{shop}", {"query": "SELECT * FROM shop.events WHERE sku = ''"}, DataRefused, r"no rows before 2026-01-03 00"),
        ("{shop}", {"table": "shop.secret"}, ConfigError, "this user may not read shop.secret"),
        ("{shop}", {"query": "SELECT nope FROM shop.events"}, ConfigError, "a column does not exist"),
        ("{shop}", {"query": "SELECT FROM WHERE"}, ConfigError, "the query is not valid"),
        ("{shop}", {"query": "DELETE FROM shop.events RETURNING *"}, ConfigError, "the query is not valid"),
        ("{shop}", {"query": f"SELECT 1 / (customer - 1) AS customer{OTHERS}"}, DataRefused, "cannot be read .a value"),
        ("{shop}", {"query": f"SELECT shop.writes() AS customer{OTHERS}"}, ConfigError, "not valid .it writes"),
        (
            "{shop}",
            {"query": f"SELECT 1.5 AS customer{OTHERS}"},
            DataRefused,
            "has a fraction or more than 38",
        ),
        ("{shop}?sslmode=require", {"table": "x"}, ConfigError, "the server has no TLS, and sslmode asks for it"),
        ("{shop}?nonsense=1", {"table": "x"}, ConfigError, "it has an option that is not known"),
        (
            "{shop}?options=-cstatement_timeout%3D20",
            {"query": f"SELECT pg_sleep(9) AS customer{OTHERS}"},
            OSError,
            "took too long",
        ),
        ("{nobody}", {"table": "x"}, ConfigError, r"does not let this user in; .*variable \(PGPASSWORD\)"),
        ("{shop}x", {"table": "x"}, ConfigError, "there is no such database"),
        ("postgresql://127.0.0.1:1/shop", {"table": "x"}, ConnectionError, "cannot be reached .connection refused"),
        ("postgresql://reader:${{NOT_SET}}@host/shop", {"table": "x"}, ConfigError, "variable NOT_SET is not set"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence_without_secrets(
    tmp_path: Path, shop: str, address: str, table: dict[str, str], error: type[Exception], sentence: str
) -> None:
    place = address.format(shop=shop, nobody=shop.replace("reader@", "nobody@"))
    with pytest.raises(error, match=sentence) as refused:
        rows(tmp_path, "interactions", place, columns=COLUMNS, **table)
    said = str(refused.value)
    assert "reader's" not in said
    assert "reader@" not in said
    assert "\n" not in said
    assert len(said) < 300


def test_all_statements_see_the_same_state_and_none_may_write(server: str, shop: str) -> None:
    import psycopg

    with opened(shop) as database, psycopg.connect(f"postgresql://shop:a%20secret@{server}") as other:
        before = database.first("SELECT count(*) FROM shop.events")
        other.execute("INSERT INTO shop.events SELECT * FROM shop.events")
        other.commit()
        assert database.first("SELECT count(*) FROM shop.events") == before
        other.execute("DELETE FROM shop.events WHERE ctid NOT IN (SELECT min(ctid) FROM shop.events GROUP BY customer)")


def test_a_connection_that_is_lost_on_the_way_is_said_so(server: str, shop: str) -> None:
    import psycopg

    with opened(shop) as database, psycopg.connect(f"postgresql://shop:a%20secret@{server}") as other:
        number = database.first("SELECT pg_backend_pid()")
        _, batches = database.stream("SELECT repeat('x', 200) AS x FROM generate_series(1, 300000)")
        other.execute("SELECT pg_terminate_backend(%s)", [number])
        with pytest.raises(Refused, match="lost"):
            list(batches)
