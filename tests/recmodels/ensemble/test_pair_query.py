"""Queries see the tables of a split and nothing else, and end in time."""

import logging

import numpy as np
import pyarrow as pa
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.site_tables import SiteTables
from recmodels.ensemble.pair_query import Limits, answer, tables_of
from recmodels.errors import ConfigError, NightrecError

DATA = Dataset.from_arrays([0, 1], [1, 0], timestamp=[10**6, 2 * 10**6], rating=[4, np.nan], end=3 * 10**6)
TABLES = SiteTables(pa.table({"item_id": [7, 8], "code": ["12", "secret"]}), pa.table({"user_id": ["x", "y"]}))
ENDLESS = "SELECT count(*) FROM range(100000000) a, range(1000000) b"
outside = pa.table({"n": [1]})


def ask(
    sql: str, seconds: float = 60, memory: str = "256MiB", data: Dataset = DATA, tables: SiteTables = TABLES
) -> pa.Table:
    limits = Limits(seconds, memory)
    with tables_of(data, tables, limits) as connection:
        return answer(connection, sql, limits, "sql")


def test_the_tables_are_those_of_the_split() -> None:
    found = ask("SELECT *, epoch(as_of()) AS now FROM interactions ORDER BY user_id").to_pydict()
    assert found["user_id"] == ["x", "y"] and found["item_id"] == [8, 7] and found["weight"] == [1, 1]
    assert found["rating"] == [4, None] and found["now"] == [3, 3]
    assert ask("FROM items JOIN users ON true").num_rows == 4


def test_a_column_that_no_query_can_read_is_told() -> None:
    tables = SiteTables(TABLES.items.append_column("half", pa.array(np.ones(2, np.float16))), TABLES.users)
    with pytest.raises(ConfigError, match=r"no query can read the table of items, of a type of its columns \(Not impl"):
        ask("SELECT 1", tables=tables)


def test_ids_of_more_text_than_an_array_holds_are_there() -> None:
    long, n = 2**20, 2100  # 2 GiB would be 2,048 of them
    tables = SiteTables(pa.table({"item_id": pa.array(range(n))}), pa.table({"user_id": ["u" * long]}))
    data = Dataset.from_arrays([0] * n, np.arange(n))
    sql = "SELECT sum(strlen(user_id)) AS n, count(*) AS rows FROM interactions JOIN items USING (item_id)"
    assert ask(sql, data=data, tables=tables).to_pylist() == [{"n": n * long, "rows": n}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM read_parquet('https://example.com/a.parquet')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM outside",
        "COPY items TO 'items.csv'",
        "CREATE TABLE t AS SELECT 1",
        "SET threads = 4",
        "ATTACH ':memory:' AS other",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "SELECT price FROM items",
        "",
    ],
)
def test_nothing_else_is_read_and_nothing_is_written(sql: str) -> None:
    with pytest.raises(ConfigError, match=r"^sql[: ]"):
        ask(sql)


def test_a_query_ends_in_time_and_within_its_memory() -> None:
    with pytest.raises(NightrecError, match=r"sql took longer than 0.05 seconds; make it simpler"):
        ask(ENDLESS, seconds=0.05)
    with pytest.raises(NightrecError, match=r"sql took more than 8MiB of memory"):
        ask("SELECT list(range) FROM range(10000000)", memory="8MiB")


def test_a_value_that_a_query_fails_on_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(NightrecError, match=r"failed on a value \(Conv") as failure:
        ask("SELECT code::INT AS n FROM items")
    assert "secret" not in str(failure.value) + caplog.text
