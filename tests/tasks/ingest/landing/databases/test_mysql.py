"""MySQL, on a real MariaDB server: types, rows before the cutoff, and a sentence for what it refuses."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing.databases.database import Refused
from tasks.ingest.landing.databases.mysql import opened
from tasks.ingest.landing.land import land_table
from tasks.ingest.reading.inputs import TableInput
from tests.tasks import servers

pymysql = pytest.importorskip("pymysql", reason="PyMySQL is not installed")
pytestmark = pytest.mark.server
CUTOFF = datetime(2026, 1, 3, tzinfo=UTC)
TABLES = (
    "CREATE TABLE events (user_id BIGINT, item_id VARCHAR(9), timestamp TIMESTAMP NULL, rating DECIMAL(3, 1), x TEXT)",
    "INSERT INTO events VALUES (1, 'é', '2026-01-01', 4.5, ''), (2, 'b', '2026-01-02 23:59:59', 3, ''), "
    "(3, 'c', '2026-01-03', 1, ''), (4, 'd', NULL, NULL, '')",
    "CREATE TABLE odd (item_id DECIMAL(12), available BIT(1), day DATE, at DATETIME(6), time TIME, "
    "kind ENUM('x', 'y'), json JSON, raw BINARY(2))",
    "INSERT INTO odd VALUES (7, 1, '2026-01-01', '2026-01-01 01:02:03.5', '10:00:00', 'x', '{}', x'00ff'), "
    "(8, NULL, '0000-00-00', NULL, NULL, NULL, NULL, NULL)",
    "CREATE TABLE large (user_id BIGINT UNSIGNED, item_id DECIMAL(38), timestamp DATETIME)",
    "INSERT INTO large VALUES (18446744073709551615, 9007199254740993, '2026-01-01')",
    "CREATE TABLE longer (item_id DECIMAL(39))",
    "INSERT INTO longer VALUES (123456789012345678901234567890123456789)",
    "CREATE TABLE packed (item_id BINARY(2))",
    "INSERT INTO packed VALUES (x'00ff')",
    "CREATE DATABASE secret",
    "CREATE TABLE secret.users (user_id INT)",
    "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'reader''s own'",
    "GRANT SELECT ON shop.* TO reader@'127.0.0.1'",
)


def owner(server: str) -> Any:
    """A connection of the user who may do everything."""
    port = int(server.partition(":")[2].partition("/")[0])
    return pymysql.connect(host="127.0.0.1", port=port, user="shop", password="a secret", database="shop")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The place of a server with tables of a shop, and a user `reader` who may read them."""
    with servers.mariadb("a secret") as address:
        with owner(address.rpartition("@")[2]) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00', SESSION sql_mode = ''")
            for statement in TABLES:
                cursor.execute(statement)
            connection.commit()
        yield address.rpartition("@")[2]


@pytest.fixture
def shop(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MYSQL_PWD", "reader's own")
    return f"mysql://reader@{server}"


def rows(folder: Path, name: str, address: str, **settings: Any) -> pa.Table:
    return pq.read_table(land_table(name, TableInput(path=address, **settings), folder, CUTOFF)[0].path)


def test_the_needed_columns_of_rows_before_the_cutoff_are_read(tmp_path: Path, shop: str) -> None:
    found = rows(tmp_path, "interactions", f"{shop}?table=events")
    assert found.schema.types == [pa.int64(), pa.string(), pa.timestamp("us", "UTC"), pa.float64()]
    assert found["user_id"].to_pylist() == [1, 2, 4]
    assert found.to_pylist()[0] == {
        "user_id": 1, "item_id": "é", "timestamp": datetime(2026, 1, 1, tzinfo=UTC), "rating": 4.5
    }  # fmt: skip
    query = "SELECT user_id, item_id, timestamp FROM shop.events WHERE rating > 4;"
    assert rows(tmp_path, "interactions", shop, query=query)["user_id"].to_pylist() == [1]


def test_values_are_what_they_are_there(tmp_path: Path, shop: str) -> None:
    first, second = rows(tmp_path, "items", f"{shop.replace('mysql', 'mariadb', 1)}?table=odd").to_pylist()
    assert first == {
        "item_id": 7,
        "available": 1,
        "day": date(2026, 1, 1),
        "at": datetime(2026, 1, 1, 1, 2, 3, 500_000),
        "time": "10:00:00",
        "kind": "x",
        "json": "{}",
        "raw": "\x00\\xff",
    }
    assert second == dict.fromkeys(first) | {"item_id": 8}


def test_ids_keep_all_their_digits(tmp_path: Path, shop: str) -> None:
    found = rows(tmp_path, "interactions", f"{shop}?table=large")
    assert found.schema.types[:2] == [pa.uint64(), pa.decimal128(38, 0)]
    assert found.to_pylist()[0] | {"timestamp": 0} == {
        "user_id": 2**64 - 1, "item_id": 2**53 + 1, "timestamp": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "table", "error", "sentence"),
    [
        (
            "{shop}",
            {"table": "nope"},
            ConfigError,
            "has no table nope .error 1146.; there are events, large, l",
        ),
        ("{shop}", {"table": "secret.users"}, ConfigError, r"this user may not read secret\.users"),
        ("{shop}", {"query": "SELECT nope FROM events"}, ConfigError, "a column does not exist"),
        ("{shop}", {"query": "SELECT FROM WHERE"}, ConfigError, "the query is not valid"),
        ("{shop}", {"query": "SELECT 1 AS x, 2 AS x"}, ConfigError, "it gives two columns of one name"),
        ("{shop}", {"table": "longer"}, DataRefused, "item_id is beyond 38 digits; cast it to CHAR in a query"),
        ("{shop}", {"table": "packed"}, DataRefused, r"item_id is binary; give HEX.item_id. in a query"),
        ("{shop}?ssl_ca=/nope.pem", {"table": "x"}, ConfigError, "there is no file '/nope.pem' for ssl_ca"),
        ("{shop}?charset=nope", {"table": "x"}, ConfigError, "the charset 'nope' is not known"),
        ("{shop}?max=1", {"table": "events"}, ConfigError, "the option 'max'; known are ssl_ca"),
        ("{nobody}", {"table": "events"}, ConfigError, r"does not let this user in .*variable \(MYSQL_PWD\)"),
        ("mysql://127.0.0.1:1/shop", {"table": "events"}, ConnectionError, "cannot be reached .connection refused"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence_without_secrets(
    tmp_path: Path, shop: str, address: str, table: dict[str, str], error: type[Exception], sentence: str
) -> None:
    place = address.format(shop=shop, nobody=shop.replace("reader@", "nobody@"))
    with pytest.raises(error, match=sentence) as refused:
        rows(tmp_path, "items", place, **table)
    assert "reader's" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_statements_see_the_same_state(server: str, shop: str) -> None:
    with opened(shop) as database, owner(server) as other, other.cursor() as cursor:
        assert database.first("SELECT count(*) FROM events") == 4
        cursor.execute("INSERT INTO events SELECT * FROM events WHERE user_id = 4")
        other.commit()
        assert database.first("SELECT count(*) FROM events") == 4
        cursor.execute("DELETE FROM events WHERE user_id = 4 LIMIT 1")
        other.commit()


def test_a_connection_that_is_lost_on_the_way_is_said_at_once(server: str, shop: str) -> None:
    with opened(shop) as database, owner(server) as other, other.cursor() as cursor:
        number = database.first("SELECT connection_id()")
        _, batches = database.stream("SELECT seq AS n, repeat('x', 200) AS x FROM shop.seq_1_to_300000")
        cursor.execute(f"KILL {number}")
        with pytest.raises(Refused, match="lost"):
            list(batches)
